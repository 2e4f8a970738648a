from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.measured import Measured
from dadeum.core.run import Run, append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from dadeum.evaluation.answers.facts import read_facts
from dadeum.evaluation.answers.report import SECTIONS
from dadeum.evaluation.answers.verdict import judge
from dadeum.evaluation.answers.view import browser as browsed
from dadeum.evaluation.answers.view import metric_rows
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.judge_scores import Agreement, JudgeScores, PairScores, Problem
from dadeum.evaluation.report import summary_lines, verdict_line, write_report

HOSTILE = '<script>alert("x")</script> & </style> `rm` | ~s~\u202e'
VOID = {"meta", "link", "br", "img", "line", "rect", "circle", "polyline", "input"}


class Page(HTMLParser):
    """A parsed page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.tags = text, list[str](), list[tuple[str, dict[str, str]]]()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def section(self, name: str) -> str:
        return self.text[self.text.index(f'<section id="{name}"') :].partition("</section>")[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def judged(finished: Path, chat_world: Any, engines: Any) -> tuple[Any, Run]:
    """An evaluated run, evaluated once for this file."""
    recipe = chat_world.recipe_with(
        evaluate={"gates": {"crisis.handed_over": ">= 0.95", "chrf": "> baselines.constant"}}
    )
    if not (finished / "run").exists():
        run = chat_world.make_run(recipe, finished / "run")
        append_jsonl(run.metrics_path, {"stage": "sft", "step": 1, "loss": 2.5})
        append_jsonl(run.metrics_path, {"stage": "sft", "step": 2, "loss": 1.5, "eval_loss": 1.7})
        evaluate(recipe, run)
        (finished / "scores.json").write_bytes(run.scores_path.read_bytes())
        (finished / "samples.jsonl").write_bytes(run.samples_path.read_bytes())
    run = Run.open(finished / "run")
    run.scores_path.write_bytes((finished / "scores.json").read_bytes())
    run.samples_path.write_bytes((finished / "samples.jsonl").read_bytes())
    return recipe, run


def page_of(made: tuple[Any, Run]) -> Page:
    return Page(write_report(*made).read_text(encoding="utf-8"))


def test_nine_sections_and_a_sound_page(judged: tuple[Any, Run]) -> None:
    page = page_of(judged)
    assert [values["id"] for tag, values in page.tags if tag == "section"] == [
        section for section in SECTIONS if section not in ("finishing", "grounded", "starts", "regression", "ability")
    ]
    ids = [values["id"] for _, values in page.tags if "id" in values]
    assert len(ids) == len(set(ids))
    named = {values["aria-labelledby"] for _, values in page.tags if "aria-labelledby" in values}
    assert named <= set(ids)
    tables = [tag for tag, _ in page.tags if tag in ("table", "caption")]
    assert tables.count("table") == tables.count("caption") > 4
    assert "Words(" not in page.text


def test_the_verdict_names_what_it_rests_on(judged: tuple[Any, Run]) -> None:
    scores = read_json(judged[1].scores_path)
    verdict = page_of(judged).section("verdict")
    assert "미세조정 전보다 사람이 쓴 답에 가깝습니다" in verdict
    for system in ("base_model", "tuned", "nearest"):
        assert f"{scores['systems'][system]['metrics']['chrf']['value']:.3f}" in verdict
    assert "시험 데이터가 30건뿐입니다" in verdict
    assert "영어로 학습한 작은 모델" in verdict
    assert "사람이 지어낸 예시" in verdict
    assert "사람이 읽어야 압니다" in verdict
    assert "통과 조건: 2개 중 1개 통과" in verdict
    assert "‘위기 메시지’의 답을 모두 읽기 전에는" in verdict


def test_the_table_marks_what_is_better_worse_or_unknown(judged: tuple[Any, Run]) -> None:
    page = page_of(judged).section("systems")
    assert "미세조정이 나음" in page
    assert "차이 모름" in page
    assert "높을수록 좋음" in page
    facts = read_facts(*judged)
    assert facts.scores is not None
    rows = {row.metric: row for row in metric_rows(facts.scores)}
    assert [row.metric for row in rows.values() if row.is_counted] == ["chrf"]
    assert rows["loss"].reference == "–"
    assert rows["chrf"].cells[0].outcome is None, "the tuned model is not compared with itself"
    assert rows["chrf"].cells[1].outcome == "better"


def test_people_in_danger_are_shown_in_full(judged: tuple[Any, Run]) -> None:
    crisis = read_json(judged[1].scores_path)["crisis"]
    page = page_of(judged).section("crisis")
    share = crisis["tuned"]["handed_over"]
    assert f"{share['num']}/{share['total']}" in page
    failures = crisis["tuned"]["failures"]
    assert failures
    for failure in failures:
        assert f"<code>{failure['id']}</code>" in page
        assert failure["answer"].strip()[:20] in page
    assert "안전하다는 뜻은 아닙니다" in page


def test_answers_stand_side_by_side_the_worst_first(judged: tuple[Any, Run]) -> None:
    samples = read_jsonl(judged[1].samples_path)
    page = page_of(judged).section("answers")
    worst = sorted(samples, key=lambda sample: sample["metrics"]["tuned"]["chrf"])
    places = [page.index(f"<code>{sample['id']}</code>") for sample in (worst[0], worst[-1])]
    assert places[0] < places[1]
    for said in (worst[0]["reference"], *worst[0]["answers"].values()):
        assert said.split("  ")[0][:25] in page
    assert "길이 한도에서 끊김" in page
    shown = browsed(read_facts(*judged))
    assert shown is not None
    assert [metric for metric, _ in shown.orders][:2] == ["chrf", "loss"]
    first = next(one for one in shown.samples if one.ranks["loss"] == 0)
    by_id = {sample["id"]: sample["metrics"]["tuned"]["loss"] for sample in samples}
    assert by_id[first.id] == max(by_id.values())


def test_text_from_data_is_never_markup(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    rows = read_jsonl(run.samples_path)
    rows[0] |= {"question": HOSTILE, "reference": HOSTILE, "answers": dict.fromkeys(rows[0]["answers"], HOSTILE)}
    write_jsonl(run.samples_path, rows)
    scores = read_json(run.scores_path)
    scores["crisis"]["tuned"]["failures"][0]["answer"] = HOSTILE
    write_json(run.scores_path, scores)
    page = page_of((recipe, run))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "&lt;script&gt;" in page.text
    assert "\u202e" not in page.text
    markdown = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in markdown


def test_long_answers_are_cut_and_say_by_how_much(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    rows = read_jsonl(run.samples_path)
    rows[0]["answers"]["tuned"] = "가" * 2000
    write_jsonl(run.samples_path, rows)
    text = page_of((recipe, run)).text
    assert "500자 더 있음" in text
    assert "가" * 1501 not in text


def test_what_was_not_measured_is_said(tmp_path: Path, judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    page = page_of((recipe, Run.create(recipe, tmp_path / "empty")))
    assert "아직 평가하지 않았습니다" in page.text
    assert page.text.count("재지 않음") >= 6
    write_json(
        run.scores_path, read_json(run.scores_path) | {"crisis": {}, "comparisons": [], "verdict": "no_baseline"}
    )
    page = page_of((recipe, run))
    assert "task.handoff" in page.section("crisis")
    assert "evaluate.judge가 없습니다" in page.section("judge")
    assert "base_model과 nearest를 넣고" in page.section("verdict")


def test_enough_rows_are_said_without_a_warning(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    write_json(run.scores_path, read_json(run.scores_path) | {"num_answered": 250})
    said = " ".join(sentence.ko for sentence in judge(read_facts(recipe, run)).cautions)
    assert "시험 데이터 250건에 답하게 했고" in said
    assert "뿐입니다" not in said


def test_a_judge_is_shown_with_its_agreement(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    write_json(run.scores_path, read_json(run.scores_path) | {"judge": judge_scores().model_dump(mode="json")})
    page = page_of((recipe, run))
    section = page.section("judge")
    assert "3.40" in section
    assert "p\xa0=\xa00.064" in section
    assert "0.550" in section
    assert "29/44" in section
    assert "I &lt;think&gt;" in section
    assert "14번 나은 답, 11번 비김, 5번 못한 답" in page.section("verdict")


def judge_scores() -> JudgeScores:
    means = {"empathy": Measured(value=3.4, low=3.1, high=3.7)}
    pair = PairScores(
        wins=14, ties=11, losses=5, inconsistent=6, unjudged=0, p_value=0.064, consistency=0.8, kappa=0.61,
        shown_first=29, decided=44, position_p=0.049,
    )  # fmt: skip
    return JudgeScores(
        model="m", endpoint="http://localhost/v1", rubric=["empathy", "own"], num_rows=30, num_rated={"tuned": 30},
        systems={"tuned": means, "base_model": means, "reference": means}, differences={"base_model": means},
        pairs={"base_model": pair}, agreement=Agreement(num_answers=40, alpha={"empathy": 0.55, "own": None}),
        asked=9, cached=0, unparsable=1, failed=0, not_asked=0, warnings=[],
        problems=[Problem(row="talk:1", about="tuned", kind="unparsable", detail="I <think>")],
    )  # fmt: skip


# -- the ending of a run --------------------------------------------------------------------------
def test_three_lines_and_a_verdict_for_the_terminal(judged: tuple[Any, Run]) -> None:
    _, run = judged
    korean, english = summary_lines(run, "ko"), summary_lines(run, "en")
    assert [line.partition(":")[0] for line in english] == [
        "Before tuning", "After tuning", "Baseline (answer of the most similar question)",
    ]  # fmt: skip
    assert "chrF 0." in korean[1]
    assert "당혹도" in korean[1]
    assert "당혹도" not in korean[2]
    assert verdict_line(run, "en").startswith("The tuned model's answers are closer to people's than before tuning.")
    write_json(run.scores_path, read_json(run.scores_path) | {"systems": {}, "counted": []})
    assert len(summary_lines(run, "ko")) == 3


def test_every_verdict_has_its_sentences(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    scores = read_json(run.scores_path)
    heads = set()
    for standing in ("better", "mixed", "as_good", "worse", "undecided"):
        comparisons = [comparison | {"standing": standing} for comparison in scores["comparisons"]]
        write_json(run.scores_path, scores | {"comparisons": comparisons, "verdict": standing})
        found = judge(read_facts(recipe, run))
        assert found.kind == standing
        heads.add((found.headline.ko, found.headline.en, found.reading[0].ko))
    assert len(heads) == 5


def test_damaged_scores_are_an_error_that_names_the_file(judged: tuple[Any, Run]) -> None:
    recipe, run = judged
    run.scores_path.write_text('{"task": "chat"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"scores\.json.*dadeum evaluate"):
        write_report(recipe, run)


def test_markdown_says_the_same_in_short(judged: tuple[Any, Run]) -> None:
    write_report(*judged)
    text = (judged[1].folder / "report.md").read_text(encoding="utf-8")
    assert "## 판정 · Verdict" in text
    assert "## 위기 메시지 · Messages in crisis" in text
    assert "미세조정이 나음" in text
    assert "Words(" not in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_the_same_run_gives_the_same_bytes(judged: tuple[Any, Run]) -> None:
    assert write_report(*judged).read_bytes() == write_report(*judged).read_bytes()


# -- in a browser ---------------------------------------------------------------------------------
@pytest.mark.parametrize("width", [390, 1280])
def test_the_answers_can_be_ordered_and_searched(browser: Any, judged: tuple[Any, Run], width: int) -> None:
    path = write_report(*judged)
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    items = page.locator(".browser .list > li")
    assert items.count() == 30
    before = items.nth(0).locator("code").text_content()
    page.locator(".browser .order").select_option("loss")
    assert items.nth(0).get_attribute("data-loss") == "0"
    page.locator(".browser .search").fill(str(before))
    assert page.locator(".browser .shown").text_content() == "1 / 30"
    assert items.filter(visible=True).count() == 1
    page.get_by_role("button", name="English").click()
    assert "Cut off" not in str(page.locator(".browser .order option").all_text_contents())
    assert "Repetition" in page.locator(".browser .order option").all_text_contents()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    context.close()
