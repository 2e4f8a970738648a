"""What a run has cost, made ready for the page: time of each step, how training was computed, speed of deciding."""

from __future__ import annotations

from typing import Any

from dadeum.core.words import MISSING, Words, number, plain, told
from dadeum.evaluation.report_facts import Facts
from dadeum.evaluation.report_words import say


def steps(facts: Facts) -> list[tuple[str, str, float | None]]:
    """Name, status and seconds of every step in the manifest, in the order they ran.

    `train` is left out where its stages (`train.sft`) stand beside it: the same minutes must not count twice.
    """
    recorded = facts.manifest.get("steps")
    if not isinstance(recorded, dict):
        return []
    return [
        (name, str(state.get("status", "")), state.get("seconds"))
        for name, state in recorded.items()
        if isinstance(state, dict) and not (name == "train" and any(step.startswith("train.") for step in recorded))
    ]


def rows_per_second(seconds: float | None, num_rows: int) -> str:
    """Test rows answered per second, a dash when nobody took the time."""
    if not seconds:
        return MISSING
    speed = num_rows / seconds
    return number(speed, 1 if speed < 100 else 0)


def precision_reason(result: dict[str, Any]) -> Words | None:
    """Why this arithmetic was chosen: `train` records a message key."""
    key = result.get("precision_reason")
    return told(key, {}) or plain(key) if key else None


def computing(result: dict[str, Any]) -> Words | None:
    """How the stage was computed: shared prefix, compiled layers, threads; None for runs of older versions."""
    choices = result.get("choices")
    if not isinstance(choices, dict):
        return None
    shared = "cost.shared" if choices.get("prefix_shared") else "cost.not_shared"
    difference = choices.get("prefix_difference")
    reason = str(choices.get("compile_reason"))
    return say(
        "cost.how",
        shared=say(shared, difference=MISSING if difference is None else f"{difference:.0e}"),
        compiled=told(reason, {}) or plain(reason),
        threads=choices.get("threads"),
    )


def shortage(result: dict[str, Any]) -> Words | None:
    """How often passes had to become smaller for want of memory; None when there was enough."""
    halved = (result.get("choices") or {}).get("halved")
    return say("cost.halved", times=len(halved), tokens=halved[-1]) if halved else None
