from __future__ import annotations

from dadeum.evaluation.report_cost import shortage


def test_passes_that_had_to_become_smaller_are_told():
    told = shortage({"choices": {"halved": [512, 256]}})
    assert told is not None
    assert "2 times" in told.en and "256 tokens" in told.en and "256토큰" in told.ko


def test_where_there_was_enough_memory_nothing_is_said():
    for result in ({}, {"choices": None}, {"choices": {"halved": []}}):
        assert shortage(result) is None
