from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.run import Run
from dadeum.evaluation.compare import compare, describe
from dadeum.evaluation.comparison import words
from dadeum.evaluation.comparison.page import write_comparison
from dadeum.evaluation.comparison.several import compare_runs
from dadeum.evaluation.comparison.table import overview
from dadeum.evaluation.evaluate import evaluate
from tests.evaluation.retrieve.conftest import KNOWN_BY_TUNED
from tests.evaluation.retrieve.made import NUM, OTHERS, SPLITS, WORDS, chunk, made_run, rows_of


@pytest.fixture
def judged(tmp_path: Path, encoders: Callable[..., Any]) -> Callable[..., Run]:
    def make(name: str, known: list[str], **changes: Any) -> Run:
        encoders(known)
        recipe, run = made_run(tmp_path / name, **changes)
        evaluate(recipe, run)
        return run

    return make


def test_the_second_run_finds_more(judged: Callable[..., Run]) -> None:
    half, all_of_them = judged("half", KNOWN_BY_TUNED), judged("all", [*WORDS, *OTHERS])
    found = compare(half, all_of_them, samples=300)
    assert found.first["recall@1"] == pytest.approx(0.75, abs=0.05)
    assert (found.second["recall@1"], found.differences["recall@1"].outcome) == (1.0, "better")
    assert found.differences["tuned.recall@1"].value == pytest.approx(0.5, abs=0.05)
    assert compare(all_of_them, half, samples=300).differences["mrr@10"].outcome == "worse"
    for language, conclusion in (("ko", "더 잘 찾습니다"), ("en", "finds more")):
        lines = describe(found, language)
        assert conclusion in lines[-1]
        assert any("@5" in line for line in lines)


def test_other_chunks_or_other_questions_are_refused(judged: Callable[..., Run]) -> None:
    one = judged("one", OTHERS)
    fewer = judged("fewer", OTHERS, splits={"test": rows_of(range(24, NUM))})
    longer = judged("longer", OTHERS, chunks=[*map(chunk, range(NUM)), chunk(0, 2)])
    other_gold = judged("gold", OTHERS, splits={"test": rows_of(SPLITS["test"], lambda at: [chunk((at + 1) % NUM).id])})
    with pytest.raises(RunError, match="33"):
        compare(one, longer)
    for judged_otherwise in (fewer, other_gold):
        with pytest.raises(RunError):
            compare(one, judged_otherwise)
        with pytest.raises(RunError):
            compare_runs([one, judged_otherwise])
    with pytest.raises(RunError, match="33"):
        compare_runs([one, longer])


def test_a_changed_text_is_another_corpus(judged: Callable[..., Run]) -> None:
    changed = [replace(chunk(0), text="다른 글입니다."), *map(chunk, range(1, NUM))]
    with pytest.raises(RunError):
        compare(judged("one", OTHERS), judged("two", OTHERS, chunks=changed))


def test_several_runs_in_one_table(judged: Callable[..., Run], tmp_path: Path) -> None:
    runs = [judged("nothing", []), judged("half", KNOWN_BY_TUNED), judged("all", [*WORDS, *OTHERS])]
    found = compare_runs(runs, samples=300)
    assert (found.task, found.main, found.best, found.choice.chosen) == ("retrieve", "mrr@10", 2, 2)
    assert found.against_best[0].is_sure
    assert {one.system for one in found.baselines} == {"bm25", "base_model", "base_hybrid"}
    assert [len(one.entrants) for one in found.baselines if one.system == "bm25"] == [3], "BM25 is one row for all"
    assert found.entrants[1].generation["served"] == "tuned_hybrid"
    assert "MRR@10" in overview(found).columns[0].ko
    assert "all" in words.conclusion(found).en
    page = write_comparison(found, tmp_path / "out").read_text(encoding="utf-8")
    assert "찾은 설정" in page
    assert "BM25" in page
    assert "재현율@5" in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")


def test_an_unfinished_evaluation_is_no_comparison(judged: Callable[..., Run]) -> None:
    one, two = judged("one", OTHERS), judged("two", OTHERS)
    lines = two.samples_path.read_text(encoding="utf-8").splitlines(keepends=True)
    two.samples_path.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(RunError, match="23"):
        compare(one, two)
