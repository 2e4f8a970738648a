from __future__ import annotations

import pytest

from dadeum.core.task import Decide
from dadeum.tasks.decide import Parsed, answer, decision, parse

TASK = Decide(type="decide", instruction="판단하세요.", labels=("BLOCK", "ALLOW"), input_fields=("subject",))
REASONED = TASK.model_copy(update={"reason_field": "reason"})


# -- reading an answer ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        ('{"action": "BLOCK"}', Parsed("BLOCK", True, True)),
        (' {"action": "ALLOW", "reason": "공지"}\n', Parsed("ALLOW", True, True)),
        ('{"action": "block"}', Parsed(None, True, False)),
        ('{"action": 1}', Parsed(None, True, False)),
        ("{}", Parsed(None, True, False)),
        ('["BLOCK"]', Parsed(None, False, False)),
        ('{"action": "BLOCK"} 입니다', Parsed(None, False, False)),
        ('{"action": "BL', Parsed(None, False, False)),
        ("", Parsed(None, False, False)),
        ("[" * 100_000, Parsed(None, False, False)),
    ],
)
def test_an_answer_is_read_as_a_program_would(generated: str, expected: Parsed) -> None:
    assert parse(TASK, generated) == expected


def test_what_is_taught_can_be_read() -> None:
    for label in TASK.labels:
        assert parse(TASK, answer(TASK, label, '따옴표 " 와 줄\n바꿈')) == Parsed(label, True, True)


# -- the decision ---------------------------------------------------------------------------------
def test_a_decision_is_the_label_and_its_probability() -> None:
    assert decision(TASK, {"BLOCK": 0.3, "ALLOW": 0.7}) == {"action": "ALLOW", "confidence": 0.7}
    other_key = TASK.model_copy(update={"label_key": "판정"})
    assert decision(other_key, {"BLOCK": 0.9, "ALLOW": 0.1}) == {"판정": "BLOCK", "confidence": 0.9}


def test_a_tie_goes_to_the_earlier_label_of_the_task() -> None:
    assert decision(TASK, {"ALLOW": 0.5, "BLOCK": 0.5})["action"] == "BLOCK"


def test_a_number_that_the_model_writes_is_never_the_confidence() -> None:
    written = '{"action": "BLOCK", "confidence": 0.99, "reason": "광고"}'
    assert decision(TASK, {"BLOCK": 0.6, "ALLOW": 0.4}, written) == {"action": "BLOCK", "confidence": 0.6}


@pytest.mark.parametrize(
    ("generated", "reason"),
    [
        ('{"action": "BLOCK", "reason": "(광고) 표시"}', "(광고) 표시"),
        ('{"action": "ALLOW", "reason": "학사 공지"}', None),  # argues for the other label
        ('{"action": "BLOCK"}', None),
        ('{"action": "BLOCK", "reason": 3}', None),
        ("not json", None),
        (None, None),
    ],
)
def test_a_reason_belongs_to_the_decision_or_is_left_out(generated: str | None, reason: str | None) -> None:
    found = decision(REASONED, {"BLOCK": 0.8, "ALLOW": 0.2}, generated)
    assert found == {"action": "BLOCK", "confidence": 0.8, "reason": reason}
