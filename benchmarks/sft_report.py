"""Figures of a race as a table, with the goals of issue 4 and whether they were met."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sft_contestants import CONTESTANTS

LOSS_TOLERANCE, NORM_TOLERANCE = 0.02, 0.1
"""bf16 stays within; a wrong attention mask or other labels do not."""


@dataclass
class Result:
    """What one contestant reported; `died` says why there is nothing more."""

    name: str
    rows: int
    """Of the timed steps."""
    tokens: int = 0
    """Computed by the body in the timed steps."""
    steps: list[float] = field(default_factory=list)
    ready: dict[str, Any] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)
    died: str = ""

    @property
    def title(self) -> str:
        return CONTESTANTS[self.name].title

    @property
    def is_ours(self) -> bool:
        return CONTESTANTS[self.name].trainer == "dadeum"

    @property
    def step_s(self) -> float:
        return median(self.steps)

    @property
    def rows_per_s(self) -> float:
        return self.rows / sum(self.steps)

    @property
    def training_mib(self) -> float:
        """What training needs above the loaded weights."""
        return float(self.totals["peak_training"] - self.ready["memory_of_weights"])

    def flops(self, answer_tokens: int) -> float:
        """Of an epoch: forward and the gradient of the inputs everywhere, of the weights in the adapter.

        Attention and everything that is no matrix product are not counted.
        """
        body = self.tokens * (4 * self.totals["body"] + 6 * self.totals["adapter"])
        return float(body + answer_tokens * 4 * self.totals["head"])


@dataclass(frozen=True)
class Goal:
    kind: str
    """speed: at least `value` times as fast; memory: at most `value` times its peak."""
    rivals: str
    """A contestant, or `best TRAINER` (the fastest of them), or `best` of all rivals."""
    value: float


GOALS = {
    "spam": (
        Goal("speed", "trl", 6),
        Goal("speed", "best", 4),
        Goal("memory", "trl", 0.45),
        Goal("memory", "best", 0.45),
    ),
    "vocab": (Goal("speed", "trl", 14), Goal("speed", "best trl", 14), Goal("speed", "best transformers", 10)),
    "chat": (Goal("speed", "trl", 1), Goal("speed", "best trl", 1), Goal("speed", "best", 1)),
}


def disagreeing(results: list[Result]) -> list[Result]:
    """Contestants whose loss or gradient on the same first rows is another one: their speed proves nothing."""
    finished = [one for one in results if not one.died]
    if not finished:
        return []
    loss, norm = (median(one.ready[key] for one in finished) for key in ("first_loss", "first_norm"))

    def differs(one: Result) -> bool:
        of_loss, of_norm = abs(one.ready["first_loss"] / loss - 1), abs(one.ready["first_norm"] / norm - 1)
        return not (of_loss <= LOSS_TOLERANCE and of_norm <= NORM_TOLERANCE)

    return [one for one in finished if differs(one)]


def table(results: list[Result], peaks: dict[str, float], answer_tokens: int) -> list[str]:
    """One line a contestant, slowest first."""
    finished = sorted((one for one in results if not one.died), key=lambda one: one.rows_per_s)
    ours = next((one for one in finished if one.is_ours), None)
    useful = ours.flops(answer_tokens) if ours else 0.0
    lines = [
        f"{'contestant':32} {'rows/s':>8} {'s/step':>8} {'dadeum is':>10} {'it is':>7} {'MiB':>7} {'ours/its':>8} "
        f"{'training':>8} {'tokens/row':>10} {'GFLOP/s':>8} {'of peak':>8} {'loss':>8} {'norm':>8}"
    ]
    for one in finished:
        rate = useful / sum(one.steps) / 1e9
        faster = one.step_s / ours.step_s if ours else float("nan")
        share = ours.totals["peak"] / one.totals["peak"] if ours else float("nan")
        lines.append(
            f"{one.title:32} {one.rows_per_s:8.2f} {one.step_s:8.3f} {faster:9.2f}x {1 / faster:6.2f}x "
            f"{one.totals['peak']:7.0f} {share:8.2f} {one.training_mib:8.0f} "
            f"{one.tokens / one.rows:10.1f} {rate:8.1f} {rate / peaks[one.ready['precision']]:8.1%} "
            f"{one.ready['first_loss']:8.4f} {one.ready['first_norm']:8.4f}"
        )
    lines += [f"{one.title:32} no result: {one.died}" for one in results if one.died]
    return lines


LEGEND = """\
s/step: median of all timed steps. dadeum is / it is: ratio of medians, against the first dadeum of the list.
MiB: peak of the whole process; ours/its: our peak over its; training: peak above the loaded weights.
tokens/row: computed by the body, padding counted. GFLOP/s: useful work, which is what dadeum computed (its tokens x
(4 x frozen + 6 x adapter weights) + answer tokens x 4 x head; no attention), over the contestant's own seconds.
of peak: over the fastest matrix product of its precision. loss, norm: of the same extra rows before the first step."""


def verdicts(workload: str, results: list[Result]) -> list[dict[str, Any]]:
    """Every goal for every dadeum contestant; `met` is None where a contestant is missing."""
    wrong = {one.name for one in disagreeing(results)}
    right = [one for one in results if not one.died and one.name not in wrong]
    found = []
    for ours in [one for one in right if one.is_ours]:
        for goal in GOALS.get(workload, ()):
            rival = _rival(goal.rivals, right)
            found.append({"ours": ours.name, "goal": goal, "rival": rival and rival.name} | _judged(goal, ours, rival))
    return found


def _rival(wanted: str, results: list[Result]) -> Result | None:
    rivals = [one for one in results if not one.is_ours]
    if not wanted.startswith("best"):
        rivals = [one for one in rivals if one.name == wanted]
    elif trainer := wanted.removeprefix("best").strip():
        rivals = [one for one in rivals if CONTESTANTS[one.name].trainer == trainer]
    return min(rivals, key=lambda one: one.step_s, default=None)


def _judged(goal: Goal, ours: Result, rival: Result | None) -> dict[str, Any]:
    if rival is None:
        return {"value": None, "by_totals": None, "met": None}
    if goal.kind == "memory":
        value = ours.totals["peak"] / rival.totals["peak"]
        by_totals = ours.training_mib / rival.training_mib
        return {"value": value, "by_totals": by_totals, "met": value <= goal.value}
    value = rival.step_s / ours.step_s
    return {"value": value, "by_totals": ours.rows_per_s / rival.rows_per_s, "met": value >= goal.value}


def said(verdict: dict[str, Any]) -> str:
    goal, ours = verdict["goal"], CONTESTANTS[verdict["ours"]].title
    if verdict["met"] is None:
        return f"not judged: {ours} against {goal.rivals} (no such contestant in this run)"
    against = CONTESTANTS[verdict["rival"]].title
    kind = "the best rival" if goal.rivals == "best" else goal.rivals
    mark = "met   " if verdict["met"] else "MISSED"
    if goal.kind == "memory":
        return (
            f"{mark} {ours}: {verdict['value']:.2f}x the memory of {kind} ({against}), goal <= {goal.value}x; "
            f"above the weights {verdict['by_totals']:.2f}x"
        )
    by_totals = f"by totals {verdict['by_totals']:.2f}x"
    return f"{mark} {ours}: {verdict['value']:.2f}x as fast as {kind} ({against}), goal >= {goal.value}x; {by_totals}"
