"""Searches as a real one leaves them behind, made of numbers: what page, words and notices are tried on."""

from __future__ import annotations

import math
import random
from typing import Any

from dadeum.core.measured import Measured
from dadeum.core.tune import Range, Scalar
from dadeum.tuning.record import Final, Look, Objective, Params, Repeated, Search, State, Tested, Tried

RATE, BATCH, RANK = "stages.sft.learning_rate", "stages.sft.batch_size", "model.adapter.r"
SPACE: dict[str, Range | tuple[Scalar, ...]] = {
    RATE: Range(low=1e-5, high=1e-3, log=True),
    BATCH: (4, 8, 16),
    RANK: Range(low=4, high=16, also={"model.adapter.alpha": 2}),
}
DEFAULTS: Params = {RATE: 2e-4, BATCH: 8, RANK: 8}
F1 = Objective(name="macro_f1", direction="maximize")
MEMORY = Objective(name="peak_memory_mb", direction="minimize")


def made_search(num: int = 20, **changes: Any) -> Search:
    """A search over learning rate, batch and rank that ended well; the rate matters most."""
    tried = tuple(made_trial(number) for number in range(num))
    done = [one for one in tried if one.state == "complete"]
    winner = max(done, key=lambda one: one.values[0], default=None)
    values: dict[str, Any] = {
        "name": "spam-agent", "study": "spam-agent-20260101", "storage": "sqlite", "objectives": (F1,), "space": SPACE,
        "defaults": DEFAULTS, "trials": num, "timeout_minutes": None, "pruner": "halving", "workers": 1,
        "num_validation": 120, "num_train": 900, "seconds": 65.0 * num, "ended": "trials", "duplicates": 2,
        "tried": tried, "winner": winner.number if winner else None,
        "winner_is_default": bool(winner and winner.is_default),
    }  # fmt: skip
    return Search(**(values | changes))


def made_trial(number: int) -> Tried:
    """Trial 0 has the recipe's own settings; some are stopped, a few run out of memory."""
    drawn = random.Random(number)
    params: Params = dict(DEFAULTS)
    if number:
        params = {RATE: 10 ** drawn.uniform(-5, -3), BATCH: drawn.choice((4, 8, 16)), RANK: drawn.randint(4, 16)}
    off = abs(math.log10(float(params[RATE] or 1)) + 3.3)
    value = 0.93 - 0.08 * off**1.5 + drawn.gauss(0, 0.006)
    state: State = "complete"
    if number % 7 == 5:
        state = "pruned"
    elif number % 11 == 9:
        state = "failed"
    percents = range(20, 101, 20) if state == "complete" else (20, 40)
    looks = tuple(Look(percent=at, loss=0.9 - value * at / 140 + drawn.gauss(0, 0.01)) for at in percents)
    return Tried(
        number=number, params=params, state=state, values=(round(value, 4),) if state == "complete" else (),
        looks=looks if state != "failed" else (), seconds=50 + 10 * drawn.random(), is_default=number == 0,
        peak_memory_mb=1800 + 40 * float(params[BATCH] or 0),
        reason={"failed": "CUDA out of memory: 2.1 GiB more", "pruned": "0.71 at 40 %"}.get(state, ""),
        worker="node:4711",
    )  # fmt: skip


def made_final(verdict: str = "better", low: float = 0.004, high: float = 0.038, **changes: Any) -> Final:
    middle = (low + high) / 2
    tested = Tested(
        metric="macro_f1", direction="maximize", verdict=verdict,  # type: ignore[arg-type]
        default=Measured(value=0.9, low=0.87, high=0.92), tuned=Measured(value=0.9 + middle, low=0.88, high=0.94),
        difference=Measured(value=middle, low=low, high=high),
    )  # fmt: skip
    values: dict[str, Any] = {
        "default_run": "default", "tuned_run": "best", "num_test": 300, "tested": (tested,),
        "sentences_ko": ("가", "나"), "sentences_en": ("one", "two"),
    }  # fmt: skip
    return Final(**(values | changes))


def made_repeats(search: Search, gain: float, spread: float = 0.004) -> tuple[Repeated, ...]:
    """The winner and the recipe's own settings, three seeds each, the winner better by `gain` on average."""
    assert search.winner is not None
    rows = []
    for number, mean in ((search.winner, 0.9 + gain), (0, 0.9)):
        values = (mean - spread, mean, mean + spread)
        rows.append(Repeated(number=number, seeds=(42, 43, 44), values=values, mean=mean, spread=spread))
    return tuple(rows)
