"""Checks of summaries: names that the dialogue lacks, and summaries that summarise nothing."""

from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.core.plugins import find
from dadeum.data.context import Context

TALK = "#Person1#: 몇 시에 도서관 앞에서 볼까?\n#Person2#: 세 시에 보자. 번호는 #PhoneNumber#야."


def examine(name: str, summaries: list[str], task: str = "summarize", **changes: Any) -> Finding | None:
    rows = [
        Example(
            f"a:{at}", "a", "a", str(at), changes.get("talk", TALK), [{"role": "user", "content": TALK}],
            [{"role": "assistant", "content": summary}], "",
        )
        for at, summary in enumerate(summaries)
    ]  # fmt: skip
    findings = find("data.checks", name).check(Context({"train": rows}, task))
    return findings[0] if findings else None


def test_a_speaker_that_the_dialogue_lacks_is_marked_where_it_stands() -> None:
    finding = examine("unknown_speaker", ["#Person1#은 묻습니다.", "#Person2#와 #Person3#이 #Email#을 적습니다."])
    assert finding is not None
    assert (finding.count, finding.total, finding.severity) == (1, 2, "warn")
    assert finding.values["kinds"] == "#Person3# 1, #Email# 1"
    summary = "#Person2#와 #Person3#이 #Email#을 적습니다."
    assert [summary[hit.start : hit.end] for hit in finding.hits] == ["#Person3#", "#Email#"]
    assert {hit.part for hit in finding.hits} == {"assistant.2"}


def test_one_slip_in_many_is_only_worth_knowing() -> None:
    finding = examine("unknown_speaker", ["#Person3#이 왔습니다.", *["#Person1#이 왔습니다."] * 150])
    assert finding is not None
    assert finding.severity == "info"


def test_dialogues_without_speakers_and_other_tasks_have_nothing_to_compare() -> None:
    assert examine("unknown_speaker", ["#Person9#이 왔습니다."], talk="가: 안녕\n나: 응") is None
    assert examine("unknown_speaker", ["#Person9#이 왔습니다."], task="chat") is None
    assert examine("no_summary", [TALK], task="chat") is None


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        (TALK + " 그렇게 약속합니다.", "longer"),
        ("몇 시에 도서관 앞에서 볼까?", "beginning"),
        ("#Person1#: 몇 시에 도서관 앞에서 볼까", "beginning"),
        ("몇 시에 도서관 앞에서 볼까? 세 시에 보자.", "beginning"),
    ],
)
def test_what_is_no_summary_is_named(summary: str, kind: str) -> None:
    finding = examine("no_summary", [summary, "두 사람은 세 시에 만납니다."])
    assert finding is not None
    assert finding.count == 1
    assert finding.values["kinds"] == f"{kind} 1"


@pytest.mark.parametrize(
    "summary", ["세 시에 보자고 합니다.", "몇 시?", "", "#Person1#은 도서관 앞에서 보자고 합니다."]
)
def test_a_short_or_own_or_empty_summary_is_not_theirs(summary: str) -> None:
    assert examine("no_summary", [summary]) is None
