import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.findings import Finding, write_findings
from dadeum.core.messages import catalogue
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, append_jsonl, read_json, write_json, write_jsonl
from dadeum.core.words import Words
from dadeum.evaluation import report_cost, report_view
from dadeum.evaluation.decide import report
from dadeum.evaluation.decide.facts import read_facts, read_scores
from dadeum.evaluation.report import summary_lines, verdict_line, write_report

MakeRun = Callable[..., tuple[Recipe, Run]]
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & </style> `rm` | ~s~'
VOID = {"meta", "link", "br", "img", "line", "rect", "circle", "polyline"}


class Page(HTMLParser):
    """A parsed page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        """Text with the tag that holds it in front: `p:...`."""
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> in line {self.getpos()[0]} closes another element"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def page_of(made: tuple[Recipe, Run]) -> Page:
    return Page(write_report(*made).read_text(encoding="utf-8"))


def change(run: Run, **changes: Any) -> None:
    """Other fields in scores.json."""
    write_json(run.scores_path, read_json(run.scores_path) | changes)


# -- the page as a document -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"verdict": "better", "right": {"tuned": 0.95, "tfidf": 0.8, "base_model": 0.5, "majority": 0}},
        {"verdict": "worse", "right": {"tuned": 0.7, "tfidf": 0.95, "base_model": 0.5, "majority": 0}, "num_test": 50},
        {"verdict": "no_baseline", "right": {"tuned": 0.9}},
        {"one_label": True, "num_test": 50},
        {"labels": tuple(f"분류 {index}" for index in range(10)), "num_test": 100},
        {"subject": HOSTILE, "num_test": 50},
        {"subject": "끊김없이이어지는제목" * 20, "num_test": 50},
    ],
    ids=["as_good", "better", "worse", "no_baseline", "one_label", "ten_labels", "hostile", "long"],
)
def test_every_case_is_a_sound_document(make_run: MakeRun, wanted: dict[str, Any]) -> None:
    page = page_of(make_run(**wanted))
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    assert set(" ".join(page.values("aria-labelledby")).split()) <= set(ids)
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)
    assert len(page.all("table")) == len(page.all("caption")) > 0
    assert all(svg.get("role") == "img" or svg.get("aria-hidden") == "true" for svg in page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    languages = Counter(page.values("lang"))
    assert languages["ko"] == languages["en"] + 1, "one Korean page, every other text in both languages"


def test_nine_sections_in_order(make_run: MakeRun) -> None:
    page = page_of(make_run(num_test=40))
    assert [section["id"] for section in page.all("section")] == list(report.SECTIONS)


def test_nothing_is_loaded_from_anywhere(make_run: MakeRun) -> None:
    page = page_of(make_run(subject=HOSTILE, num_test=40))
    assert page.values("src") == []
    assert all(link.startswith(("#", "data:")) for link in page.values("href"))
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert [tag for tag in ("iframe", "object", "embed", "img", "base", "form") if page.all(tag)] == []


def test_only_our_script_may_run(make_run: MakeRun) -> None:
    page = page_of(make_run(num_test=40))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_the_same_run_gives_the_same_bytes(make_run: MakeRun) -> None:
    made = make_run(num_test=40)
    assert write_report(*made).read_bytes() == write_report(*made).read_bytes()


@pytest.mark.parametrize(("area", "at_least"), [("report", 80), ("compare", 8)])
def test_every_key_the_templates_ask_for_exists(area: str, at_least: int) -> None:
    folder = Path(report.__file__).parents[1]
    own = [path for path in folder.rglob("*.j2") if ("comparison" in path.parts) is (area == "compare")]
    text = "".join(path.read_text(encoding="utf-8") for path in own)
    whole = set(re.findall(r"\bt\('([\w.]+)'\s*[,)]", text))
    opened = set(re.findall(r"\bt\('([\w.]+\.)'\s*~", text))
    assert len(whole) > at_least
    for language in ("ko", "en"):
        keys = {key.removeprefix(f"{area}.") for key in catalogue(language) if key.startswith(f"{area}.")}
        assert whole - keys == set()
        assert [prefix for prefix in opened if not any(key.startswith(prefix) for key in keys)] == []


# -- what it says ---------------------------------------------------------------------------------
def test_the_verdict_comes_first_with_three_numbers(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=200)
    page = page_of((recipe, run))
    scores = read_scores(run)
    assert scores is not None
    verdict = page.text[page.text.index('id="verdict"') : page.text.index('id="data"')]
    for system in ("base_model", "tuned", "tfidf"):
        assert f"{100 * scores.systems[system].accuracy.value:.1f}%" in verdict
        assert f"{scores.systems[system].macro_f1.value:.3f}" in verdict
    assert "LLM이 필요하지 않습니다" in verdict
    assert "200건 중" in verdict
    assert "통과 조건: 2개 중 1개 통과" in verdict


def test_rows_add_up_in_front_of_the_reader(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=100)
    text = page_of((recipe, run)).text
    assert "읽은 371행 = 쓴 360행 + 제거한 11행" in text
    assert "something_new" in text, "a reason we have no word for is shown as it is"
    run.record("data", {"rows_in": 400})
    assert "행 수가 맞지 않습니다" in page_of((recipe, run)).text


def test_reasons_are_said_in_the_words_of_data(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"data.reason.exact_duplicate": Words("똑같은 행", "exact duplicate")}
    monkeypatch.setattr(report_view, "told", lambda key, values: words.get(key))
    assert report_view.removal_reason("exact_duplicate").ko == "똑같은 행"
    assert report_view.removal_reason("something_new").ko == "something_new"


def test_minutes_of_training_count_once(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    done = {"status": "done", "seconds": 60.0}
    run.record("steps", {"train": done, "train.sft": done, "evaluate.base": done, "evaluate": done})
    assert [name for name, _, _ in report_cost.steps(read_facts(recipe, run))] == [
        "train.sft",
        "evaluate.base",
        "evaluate",
    ]


def test_findings_without_a_sentence_show_name_and_values(make_run: MakeRun) -> None:
    text = page_of(make_run(num_test=40)).text
    assert "made_up_check (ratio=2.5)" in text
    assert "1,271건 중 12건" in text
    assert "ZZ901" in text


def test_no_findings_is_said(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    write_jsonl(run.findings_path, [])
    assert "찾은 문제가 없습니다" in page_of((recipe, run)).text


def test_the_kept_checkpoint_is_marked(make_run: MakeRun) -> None:
    page = page_of(make_run(num_test=40))
    assert "125단계, 검증 손실 0.249" in page.text
    assert [circle for circle in page.all("circle") if circle["class"] == "ring"] != []


def test_losses_that_are_no_numbers_are_counted(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    append_jsonl(run.metrics_path, {"stage": "sft", "step": 201, "loss": float("nan")})
    text = page_of((recipe, run)).text
    assert "무한대인 손실이 1번" in text
    assert "nan" not in text.lower().replace("finance", "")


def test_errors_are_shown_with_what_every_system_said(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=200)
    text = page_of((recipe, run)).text
    samples = [json.loads(line) for line in run.samples_path.read_text(encoding="utf-8").splitlines()]
    wrong = sorted((row for row in samples if row["predicted"] != row["label"]), key=lambda row: -row["confidence"])
    assert f"시험 데이터 200건 중 {len(wrong)}건이 틀렸고" in text
    errors = text[text.index('id="errors"') : text.index('id="cost"')]
    assert errors.index(wrong[0]["id"]) < errors.index(wrong[1]["id"])
    only_tfidf = [row for row in wrong if row["baselines"]["tfidf"] == row["label"]]
    assert f"200건 중 {len(only_tfidf)}건이 그렇고, 틀린 확신이" in errors


def test_held_out_origins_lead_the_table(make_run: MakeRun) -> None:
    text = page_of(make_run(num_test=100)).text
    table = text[text.index('id="origins-caption"') :]
    assert table.index("accounting.example.ac.kr") < table.index("cse.example.ac.kr")
    assert "학습에 없던 출처" in table


def test_many_origins_are_folded_and_the_smallest_joined(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    change(run, by_origin={f"곳{index}": {"num_rows": 300 - index, "tuned": 0.5, "tfidf": 1.0} for index in range(260)})
    text = page_of((recipe, run)).text
    assert "출처 181곳 더 보기" in text
    assert "그 밖의 출처 60곳" in text
    assert "곳259" not in text


def test_ten_labels_fold_the_matrices_of_the_baselines(make_run: MakeRun) -> None:
    labels = tuple(f"분류 {index}" for index in range(10))
    page = page_of(make_run(labels=labels, num_test=100))
    assert sum("혼동 행렬: " in words for words in page.words) == 3
    assert len([table for table in page.all("table") if "confusion" in table.get("class", "")]) == 4


def test_invalid_answers_are_shown_as_they_are(make_run: MakeRun) -> None:
    text = page_of(make_run(num_test=40)).text
    assert "차단: &lt;b&gt;BLOCK&lt;/b&gt;" in text
    assert "(빈 답)" in text
    assert "200건 중 197건" in text


def test_how_to_reproduce(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    text = page_of((recipe, run)).text
    assert "git checkout 1a2b3c4d5e6f\n" in text
    assert f"dadeum run {run.recipe_path}" in text
    assert "커밋하지 않은 변경" in text
    assert "data › hashes › mail" in text
    assert "ab" * 32 in text
    assert "learning_rate: 0.001" in text


# -- what is missing ------------------------------------------------------------------------------
def test_an_empty_run_says_what_was_not_measured(make_run: MakeRun, tmp_path: Path) -> None:
    recipe, _ = make_run(num_test=40)
    run = Run.create(recipe, tmp_path / "empty")
    page = page_of((recipe, run))
    assert "아직 평가하지 않았습니다" in page.text
    assert page.text.count("재지 않음") >= 8


@pytest.mark.parametrize("key", ["training", "data", "hardware", "versions", "git_revision", "steps", "created"])
def test_a_manifest_without_one_key(make_run: MakeRun, key: str) -> None:
    recipe, run = make_run(num_test=40)
    run.write_manifest({name: value for name, value in run.manifest().items() if name != key})
    assert len(page_of((recipe, run)).all("section")) == 9


def test_training_results_without_any_value(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    run.record("training", {"sft": {}})
    assert "재지 않음" in page_of((recipe, run)).text


@pytest.mark.parametrize(
    "name",
    ["metrics.jsonl", "findings.jsonl", "data/removed.parquet", "data/test.parquet", "evaluation/samples.jsonl",
     "evaluation/scores.json"],
)  # fmt: skip
def test_a_run_without_one_file(make_run: MakeRun, name: str) -> None:
    recipe, run = make_run(num_test=40)
    (run.folder / name).unlink()
    assert len(page_of((recipe, run)).all("section")) == 9


@pytest.mark.parametrize("part", ["calibration", "generation", "by_origin", "comparisons", "gates"])
def test_scores_without_one_part(make_run: MakeRun, part: str) -> None:
    recipe, run = make_run(num_test=40)
    change(run, **{part: None if part in ("calibration", "generation") else type(read_json(run.scores_path)[part])()})
    assert len(page_of((recipe, run)).all("section")) == 9


def test_damaged_scores_are_an_error_that_names_the_file(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=40)
    run.scores_path.write_text('{"task": "decide"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"scores\.json.*dadeum evaluate"):
        write_report(recipe, run)


# -- what comes from data -------------------------------------------------------------------------
def test_text_from_data_is_never_markup(make_run: MakeRun) -> None:
    page = page_of(make_run(subject=HOSTILE, num_test=40))
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page.text
    assert len(page.all("script")) == 1
    assert page.values("onerror") == []


def test_labels_and_names_from_data_are_never_markup(make_run: MakeRun) -> None:
    page = page_of(make_run(labels=("<b>차단", '"허용" onclick="x'), num_test=40, source="<i>.csv", base="<u>model"))
    assert page.all("i") == [{}] * 3, "only the three marks of our own scale"
    assert page.all("u") == []
    assert page.values("onclick") == []


def test_long_text_is_cut_and_says_by_how_much(make_run: MakeRun) -> None:
    text = page_of(make_run(subject="가" * 1000, num_test=40)).text
    assert "자 더 있음)" in text
    assert "가" * 401 not in text[text.index('id="errors"') :]


# -- report.md and the ending of a run ------------------------------------------------------------
def test_markdown_says_the_same_in_short(make_run: MakeRun) -> None:
    recipe, run = make_run(num_test=200)
    write_report(recipe, run)
    text = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "## 판정 · Verdict" in text
    assert "LLM이 필요하지 않습니다" in text
    assert "| 가장 나은 기준선 | TF-IDF + 로지스틱 회귀 |" in text
    assert "Words(" not in text
    assert "dadeum run " in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_markdown_from_data_is_never_markup(make_run: MakeRun) -> None:
    recipe, run = make_run(subject=HOSTILE, num_test=40)
    write_report(recipe, run)
    text = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "\\| \\~s\\~" in text


def test_markdown_of_an_empty_run(make_run: MakeRun, tmp_path: Path) -> None:
    recipe, _ = make_run(num_test=40)
    run = Run.create(recipe, tmp_path / "empty")
    write_report(recipe, run)
    text = (run.folder / "report.md").read_text(encoding="utf-8")
    assert text.count("재지 않음: ") >= 6
    assert [line for line in text.splitlines() if line.startswith("## ")][-1] == "## 다시 실행하기 · How to reproduce"


def test_three_sentences_and_a_verdict_for_the_terminal(make_run: MakeRun) -> None:
    _, run = make_run(num_test=100)
    korean, english = summary_lines(run, "ko"), summary_lines(run, "en")
    assert len(korean) == len(english) == 3
    assert korean[0].startswith("미세조정 전: 시험 데이터 100건 중 ")
    assert english[1].startswith("After tuning: ")
    assert verdict_line(run, "ko").startswith("간단한 모델(TF-IDF)도 이만큼 합니다.")
    assert verdict_line(run, "en").endswith("You do not need an LLM for this decision.")


def test_the_ending_needs_an_evaluation(make_run: MakeRun) -> None:
    _, run = make_run(num_test=40)
    run.scores_path.unlink()
    with pytest.raises(RunError, match="evaluate"):
        summary_lines(run, "ko")
    with pytest.raises(RunError, match="evaluate"):
        verdict_line(run, "ko")


def test_the_place_of_a_finding_is_marked_in_its_row(make_run: MakeRun) -> None:
    recipe, run = make_run()
    row = {"id": "mail:3", "split": "train", "text": "무료<b>상담", "mark": [2, 5], "part": "input", "found": "tag"}
    write_findings(run.findings_path, [Finding("DA115", "html", "warn", 1, 9, {"kinds": "tag 1", "share": 0.1}, [row])])
    page = write_report(recipe, run).read_text(encoding="utf-8")
    assert "무료<mark>&lt;b&gt;</mark>상담" in page
    assert "[2, 5]" not in page
