"""What limits the figures of a search, as far as its record tells: few rows, no repeats, edges, luck of the best."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dadeum.core.measured import Notice
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.tune import Range, Scalar
from dadeum.tuning import numbers
from dadeum.tuning.objectives import COSTS, LOSS
from dadeum.tuning.record import Repeated, Search, Tried

FEW_ROWS = 200
"""Below that, one validation row moves a share by half a percentage point or more."""
FEW_ROWS_OF_GAIN = 3
_EDGE = 0.04
"""Share of a range (of its logarithm) that counts as its edge."""
_LEAST_FOR_EDGES = 5
_MANY_FAILED = 0.25
_RANDOM_AT_FIRST = 10
_ANY_CHANGE = 1e-6


def notices_of(search: Search) -> tuple[Notice, ...]:
    """Most serious first; each a message under `tune.notice`."""
    found = [*_of_the_winner(search), *_of_figures(search), *_of_trials(search), *_of_edges(search)]
    return tuple(Notice(key=f"tune.notice.{name}", values=values) for name, values in found)


Found = tuple[str, dict[str, str | int | float]]


def _of_the_winner(search: Search) -> Iterator[Found]:
    taken = numbers.trial(search, search.winner)
    if taken is None or not taken.values:
        return
    again = search.final.reproduced if search.final else None
    if again is not None and not math.isclose(again, taken.values[0], rel_tol=_ANY_CHANGE, abs_tol=_ANY_CHANGE):
        yield "not_reproduced", {"trial": _figure(taken.values[0]), "again": _figure(again)}
    if search.winner_is_default:
        return
    if not search.repeated:
        yield "no_repeats", {}
    elif numbers.gain(search) is None:
        yield "repeats_missing", {}
    elif any(one and len(one.values) == 2 for one in _both_repeated(search)):
        yield "two_seeds", {}
    yield from _of_new_seeds(search)
    if (num := len(numbers.complete(search))) > 1:
        yield "best_of", {"num": num}


def _of_new_seeds(search: Search) -> Iterator[Found]:
    """The winner's own seed was chosen for its luck: without it the gain may be gone."""
    means = []
    for one in _both_repeated(search):
        fresh = [] if one is None or one.failed else one.values[1:]
        if not fresh:
            return
        means.append(sum(fresh) / len(fresh))
    if numbers.sign(search.objectives[0]) * (means[0] - means[1]) <= 0:
        yield "gain_of_one_seed", {"found": _figure(means[0]), "own": _figure(means[1])}


def _both_repeated(search: Search) -> list[Repeated | None]:
    own = next((one.number for one in search.tried if one.is_default), None)
    return [numbers.repeated(search, number) for number in (search.winner, own)]


def _of_figures(search: Search) -> Iterator[Found]:
    first, num, done = search.objectives[0], search.num_validation, numbers.complete(search)
    if first.name == LOSS and 0 < num < FEW_ROWS:
        yield "few_rows_of_loss", {"num": num}
    if first.name not in COSTS and done and all(0 <= one.values[0] <= 1 for one in done) and num > 0:
        rows = _rows_of_gain(search)
        if rows is not None and rows <= FEW_ROWS_OF_GAIN:
            yield "gain_of_rows", {"num": num, "rows": f"{rows:.1f}".removesuffix(".0")}
        elif num < FEW_ROWS:
            yield "one_row", {"num": num, "points": f"{100 / num:.1f}"}
    if len(done) > 1 and len({one.values[0] for one in done}) == 1:
        yield "all_equal", {"num": len(done), "metric": first.name}
    elif (tied := _tied(search, done)) > 1:
        yield "tied", {"num": tied, "metric": first.name}
    if search.workers > 1 and (timed := [one.name for one in search.objectives if one.name == "train_seconds"]):
        yield "timed_together", {"workers": search.workers, "metric": timed[0]}


def _rows_of_gain(search: Search) -> float | None:
    """About how many validation rows the winner's gain over the recipe's own settings is."""
    taken, own = numbers.trial(search, search.winner), numbers.default_trial(search)
    if taken is None or own is None or taken.number == own.number or not taken.values:
        return None
    return abs(taken.values[0] - own.values[0]) * search.num_validation


def _tied(search: Search, done: list[Tried]) -> int:
    top = numbers.best(search)
    return sum(one.values[0] == top.values[0] for one in done) if top else 0


def _of_trials(search: Search) -> Iterator[Found]:
    pruned, failed = (sum(one.state == state for one in search.tried) for state in ("pruned", "failed"))
    ended, num = sum(one.state != "running" for one in search.tried), len(numbers.complete(search))
    late = {text("tune.pruned.time", language) for language in LANGUAGES}
    by_loss = pruned - sum(one.reason in late for one in search.tried)
    if by_loss and search.objectives[0].name != LOSS:
        yield "pruned_by_loss", {"num": by_loss, "metric": search.objectives[0].name}
    if failed > 1 and failed >= _MANY_FAILED * ended:
        yield "many_failed", {"num": failed, "ended": ended}
    if search.ended != "running" and numbers.default_trial(search) is None and num:
        yield "default_missing", {}
    if search.ended != "running" and 0 < num < _RANDOM_AT_FIRST and search.ended != "exhausted":
        yield "few_trials", {"num": num, "least": _RANDOM_AT_FIRST}


# -- edges ----------------------------------------------------------------------------------------
def _of_edges(search: Search) -> Iterator[Found]:
    """Keys whose best value may lie outside of what was searched."""
    taken = numbers.trial(search, search.winner)
    if taken is None or len(numbers.complete(search)) < _LEAST_FOR_EDGES:
        return
    for key, over in search.space.items():
        ends = _ends(over)
        value = taken.params.get(key)
        if ends is None or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        side = _side(value, *ends, isinstance(over, Range) and over.log)
        if side and not (side == "low" and ends[0] == 0):
            end = ends[0] if side == "low" else ends[1]
            yield f"edge_{side}", {"setting": key, "value": f"{value:g}", "end": f"{end:g}"}


def _ends(over: Range | tuple[Scalar, ...]) -> tuple[float, float] | None:
    """Of a list only where it is of three numbers at least: of two, one is always at an end."""
    if isinstance(over, Range):
        return (over.low, over.high) if over.num_values > 2 else None
    given = [value for value in over if isinstance(value, int | float) and not isinstance(value, bool)]
    return (min(given), max(given)) if len(given) > 2 and len(given) == len(over) else None


def _side(value: float, low: float, high: float, log: bool) -> str:
    if not low <= value <= high:
        return ""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    margin = _EDGE * (high - low)
    return "low" if value - low <= margin else "high" if high - value <= margin else ""


def _figure(value: float) -> str:
    return f"{value:.6g}"
