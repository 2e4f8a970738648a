"""Text checks over all texts: each distinct one once, and only for checks that look at the roles it stands in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.data.engine import map_texts
from dadeum.data.texts import scanning
from dadeum.data.texts.scanning import MAX_SPANS, scan, scan_batch, text_checks

HIDDEN = "무료\u200b상담"


def talk(number: int, *turns: tuple[str, str], label: str = "", rejected: str = "") -> Example:
    said: list[Turn] = [{"role": role, "content": text} for role, text in turns]
    worse: list[Turn] = [{"role": "assistant", "content": rejected}] if rejected else []
    return Example(f"t:{number}", "t", "t", "", said[0]["content"], said[:-1], said[-1:], label, worse)


def test_every_text_check_says_what_it_looks_at() -> None:
    assert len(text_checks()) >= 10
    for name, module in text_checks().items():
        assert module.PARTS in {"all", "answers", "inputs", "users"}, name
        assert hasattr(module, "judge") or module.SEVERITY in {"block", "warn", "info"}, name
        assert module.find("") == [], name


def test_a_hit_names_row_part_and_place() -> None:
    rows = [talk(0, ("user", "질문"), ("assistant", "답")), talk(1, ("user", "질문"), ("assistant", HIDDEN))]
    hits, looked_at = scan(rows)
    (hit,) = hits["invisible"]
    assert (hit.row, hit.part, hit.start, hit.end, hit.found) == (1, "assistant.2", 2, 3, {"found": "zero_width"})
    assert looked_at["invisible"] == 2
    assert not any(found for name, found in hits.items() if name != "invisible")


def test_one_text_in_many_rows_is_looked_at_once_and_reported_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def counting(texts: Sequence[str], work: Any) -> list[str | None]:
        given.extend(texts)
        return map_texts(texts, work)

    monkeypatch.setattr(scanning, "map_texts", counting)
    rows = [talk(n, ("system", HIDDEN), ("user", f"질문 {n}"), ("assistant", "네.")) for n in range(30)]
    hits, _ = scan(rows)
    assert [hit.row for hit in hits["invisible"]] == list(range(30))
    assert sorted(given) == sorted({HIDDEN, "네.", *(f"질문 {n}" for n in range(30))})


def test_checks_of_answers_do_not_see_questions_or_rejected_answers() -> None:
    unbalanced = "그는 “안녕 하고 말했다."
    asked = talk(0, ("user", unbalanced), ("assistant", "네."))
    worse = talk(1, ("user", "질문"), ("assistant", "네."), rejected=unbalanced)
    answered = talk(2, ("user", "질문"), ("assistant", unbalanced))
    hits, looked_at = scan([asked, worse, answered])
    assert {hit.row for hit in hits["quotes"]} == {2}
    assert looked_at["quotes"] == 3


def test_of_a_decision_only_the_input_is_looked_at() -> None:
    hits, looked_at = scan([talk(0, ("user", HIDDEN), ("assistant", HIDDEN), label="BLOCK")])
    assert [hit.part for hit in hits["invisible"]] == ["input"]
    assert (looked_at["invisible"], looked_at["quotes"]) == (1, 0)


def test_a_text_that_is_broken_throughout_gets_so_many_marks_and_no_more() -> None:
    (told,) = scan_batch(["가\u200b" * 500], ["invisible"])
    assert told is not None
    assert len(json.loads(told)["invisible"]) == MAX_SPANS


def test_no_rows_no_hits() -> None:
    hits, looked_at = scan([])
    assert set(hits) == set(looked_at) == set(text_checks())
    assert not any(hits.values())
