from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.run import Run
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.report import summary_lines, verdict_line, write_report
from dadeum.evaluation.retrieve.facts import read_facts
from dadeum.evaluation.retrieve.report import SECTIONS
from dadeum.evaluation.retrieve.verdict import headline, judge, three_lines
from dadeum.evaluation.retrieve.view import browser
from tests.evaluation.answers.test_report import HOSTILE, Page
from tests.evaluation.retrieve.conftest import KNOWN_BY_TUNED
from tests.evaluation.retrieve.made import NUM, SPLITS, chunk, made_run, rows_of

Encoders = Callable[..., Any]


@pytest.fixture
def judged(tmp_path: Path, encoders: Encoders) -> tuple[Any, Run]:
    encoders(KNOWN_BY_TUNED)
    gates = {"recall@5": ">= baselines.bm25", "mrr@10": ">= 0.99"}
    made = made_run(tmp_path / "run", evaluate={"bootstrap_samples": 200, "gates": gates})
    evaluate(*made)
    return made


def test_nine_sections_and_a_sound_page(judged: tuple[Any, Run]) -> None:
    page = Page(write_report(*judged).read_text(encoding="utf-8"))
    assert [values["id"] for tag, values in page.tags if tag == "section"] == list(SECTIONS)
    ids = [values["id"] for _, values in page.tags if "id" in values]
    assert len(ids) == len(set(ids))
    assert {values["aria-labelledby"] for _, values in page.tags if "aria-labelledby" in values} <= set(ids)
    tables = [tag for tag, _ in page.tags if tag in ("table", "caption")]
    assert tables.count("table") == tables.count("caption") > 6
    assert "Words(" not in page.text
    verdict = page.section("verdict")
    assert "BM25(Kiwi)보다 뚜렷하게 잘 찾습니다" in verdict
    assert "통과 조건: 2개 중 1개 통과" in verdict
    assert "그 문서에 대한 질문은 학습에 쓰지 않았습니다" in verdict
    assert "같은 출처에서 나왔습니다" not in verdict
    assert "고른 방법" in page.section("hybrid")
    assert "난이도별" in page.section("parts")


def test_the_questions_that_differ_most_come_first(judged: tuple[Any, Run]) -> None:
    facts = read_facts(*judged)
    found = browser(facts)
    assert found is not None
    won = [one for one in found.questions if one.kind.en == "ahead of BM25"]
    assert found.counts["won"] >= len(won) > 0
    assert all("hard" in one.id for one in won)
    assert all(any(result.is_right for result in one.told[0].results) for one in won)
    order = [one.places["won"] for one in won]
    assert sorted(order) == list(range(len(won)))
    assert [name for name, _ in found.orders] == ["lost", "won", "missed"]


def test_three_lines_and_a_headline_in_both_languages(judged: tuple[Any, Run]) -> None:
    _, run = judged
    for language, before, line in (
        ("ko", "미세조정 전", "BM25와 합치면"),
        ("en", "Before tuning", "together with BM25"),
    ):
        lines = summary_lines(run, language)
        assert len(lines) == 3
        assert lines[0].startswith(before)
        assert line in lines[1]
        assert "BM25" in verdict_line(run, language)


def test_hostile_text_stays_text(tmp_path: Path, encoders: Encoders) -> None:
    encoders(KNOWN_BY_TUNED)
    chunks = [replace(chunk(number), text=f"{HOSTILE} {chunk(number).text}", document=HOSTILE) for number in range(NUM)]
    rows = [
        replace(row, text=f"{row.text} {HOSTILE}", extra=row.extra | {"domain": f"{HOSTILE}{at % 2}"})
        for at, row in enumerate(rows_of(SPLITS["test"]))
    ]
    recipe, run = made_run(tmp_path / "run", chunks, {"test": rows})
    evaluate(recipe, run)
    page = Page(write_report(recipe, run).read_text(encoding="utf-8"))
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert "&lt;script&gt;" in page.section("questions")
    assert "&lt;script&gt;" in page.section("parts")
    markdown = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "<script>" not in markdown


def test_before_evaluation_it_says_what_is_missing(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    recipe, run = made_run(tmp_path / "run")
    page = Page(write_report(recipe, run).read_text(encoding="utf-8"))
    for section in ("systems", "hybrid", "parts", "questions"):
        assert "재지 않음" in page.section(section)
    assert judge(read_facts(recipe, run)).kind == "not_measured"
    evaluate(recipe, run)
    run.scores_path.write_text('{"task": "retrieve"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"scores\.json"):
        write_report(recipe, run)


def test_every_outcome_has_its_words(judged: tuple[Any, Run]) -> None:
    scores = read_facts(*judged).scores
    assert scores is not None
    for verdict in ("better", "as_good", "worse", "undecided", "no_baseline"):
        changed = scores.model_copy(update={"verdict": verdict})
        assert headline(changed).ko != headline(changed).en
    alone = scores.model_copy(update={"hybrid_weight": 0.0})
    assert "BM25(Kiwi)만 쓰기로" in headline(alone).ko
    bare = scores.model_copy(update={"systems": {"tuned": scores.systems["tuned"]}, "comparisons": []})
    assert ["재지 않았습니다" in line.ko for line in three_lines(bare)] == [True, False, True]


def test_without_validation_the_hybrid_section_says_so(tmp_path: Path, encoders: Encoders) -> None:
    encoders()
    made = made_run(tmp_path / "run", splits={"validation": []})
    evaluate(*made)
    page = Page(write_report(*made).read_text(encoding="utf-8"))
    assert "검증 질문이 없어" in page.section("hybrid")
    assert "검증 질문이 없어" in page.section("verdict")
