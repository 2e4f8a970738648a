"""A search in sentences, for the terminal and the top of the page: what it bought comes first, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from typing import Literal

from dadeum.core.measured import Measured
from dadeum.core.pages import printable
from dadeum.core.tune import Range, Scalar
from dadeum.core.words import MINUS, MISSING, Words, duration, number, percent, plain, told, wording
from dadeum.evaluation.answers.words import figure
from dadeum.evaluation.comparison.table import name_of
from dadeum.evaluation.report_words import interval
from dadeum.tuning import numbers
from dadeum.tuning.notices import notices_of
from dadeum.tuning.objectives import COSTS, LOSS
from dadeum.tuning.record import Objective, Search, Tested, Tried

Verdict = Literal[
    "better", "better_beyond_noise", "better_within_noise", "unclear", "worse", "default", "alone", "untested",
    "untested_within_noise", "unpaired", "equal", "none", "running", "unfinished",
]  # fmt: skip
_MOST_REASONS = 3
_MOST_CHARACTERS = 160
_MB_OF_A_GIB = 1024


def say(key: str, **values: object) -> Words:
    return wording(f"tune.page.{key}", **values)


# -- names and figures ----------------------------------------------------------------------------
def figure_name(metric: str) -> Words:
    """`macro_f1` → Macro F1; what training costs has its names here."""
    return say(f"figure.{metric}") if metric in COSTS else _printable(name_of(metric))


def axis_name(metric: str) -> Words:
    """The name with its unit, which ticks do not carry."""
    has_unit = metric in ("peak_memory_mb", "train_seconds")
    return say(f"axis.{metric}") if has_unit else figure_name(metric)


def _printable(words: Words) -> Words:
    return Words(printable(words.ko), printable(words.en))


def figure_text(metric: str, value: float | None) -> Words:
    """0.912; a loss 0.3124, a memory 1.20 GiB, a time 3 min 2 s."""
    if value is None or not math.isfinite(value):
        return plain(MISSING)
    if metric == "train_seconds":
        return duration(value)
    if metric == "peak_memory_mb":
        return plain(memory(value))
    if metric == "num_trainable":
        return plain(number(value))
    return plain(f"{value:.4f}".replace("-", MINUS) if metric == LOSS else figure(metric, value))


def change_text(metric: str, value: float) -> Words:
    """+0.021; with more digits where three would say that nothing changed."""
    if metric in ("train_seconds", "peak_memory_mb", "num_trainable"):
        size = figure_text(metric, abs(value))
        mark = "+" if value >= 0 else MINUS
        return Words(f"{mark}{size.ko}", f"{mark}{size.en}")
    digits = 4 if metric == LOSS or 0 < abs(value) < 0.0005 else 3
    return plain(f"{value:+.{digits}f}".replace("-", MINUS) if value else f"{0:.{digits}f}")


def memory(mb: float | None) -> str:
    if mb is None:
        return MISSING
    return f"{mb / _MB_OF_A_GIB:.2f} GiB" if mb >= _MB_OF_A_GIB / 10 else f"{mb:.0f} MiB"


def value_text(value: Scalar) -> str:
    """As a recipe writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return printable(value) if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)


def range_text(over: Range | tuple[Scalar, ...]) -> Words:
    """Where values were looked for: 1e-05~0.001 (log), or the list."""
    if not isinstance(over, Range):
        return plain(", ".join(map(value_text, over)))
    ends = {"low": value_text(over.low), "high": value_text(over.high)}
    kind = "log" if over.log else "step" if over.step is not None else "plain"
    return say(f"range.{kind}", step=value_text(over.step), **ends)


def beside(over: Range | tuple[Scalar, ...]) -> dict[str, float | int]:
    """Keys that change with this one, and their factors."""
    return over.also if isinstance(over, Range) else {}


def change_interval(metric: str, found: Measured) -> Words:
    low, high = (change_text(metric, end) for end in (found.low, found.high))
    return Words(*(interval(*ends, found, "units.signed_interval").get(tongue) for tongue, ends in
                   (("ko", (low.ko, high.ko)), ("en", (low.en, high.en)))))  # fmt: skip


# -- the conclusion -------------------------------------------------------------------------------
def verdict(search: Search) -> Verdict:
    """Tested better counts as better; whether another seed would undo it is said with it."""
    if search.winner is None:
        return "running" if search.ended == "running" else "unfinished" if numbers.complete(search) else "none"
    if search.winner_is_default:
        return "default" if len(numbers.complete(search)) > 1 else "alone"
    gain = numbers.gain(search)
    if search.final is not None and not search.final.tested:
        return "unpaired"
    if search.final is None:
        return "untested_within_noise" if gain and not gain.is_beyond_noise else "untested"
    first = search.final.tested[0]
    if first.difference.value == first.difference.low == first.difference.high == 0:
        return "equal"
    found = first.verdict
    if found != "better" or gain is None:
        return found
    return "better_beyond_noise" if gain.is_beyond_noise else "better_within_noise"


def conclusion(search: Search) -> Words:
    """Is the setting that was found better than the recipe's own?"""
    return say(f"conclusion.{verdict(search)}", num=len(numbers.complete(search)), metric=metric_of(search))


def metric_of(search: Search) -> Words:
    return figure_name(search.objectives[0].name)


def sentences(search: Search) -> list[Words]:
    """What stands under the conclusion: test, validation, seeds, what became of the trials."""
    return [*_tested(search), *_validation(search), *_noise(search), *course(search)]


def _tested(search: Search) -> list[Words]:
    final = search.final
    return [tested_words(final.tested[0], final.num_test)] if final and final.tested else []


def tested_words(one: Tested, num: int) -> Words:
    shown = {side: figure_text(one.metric, getattr(one, side).value) for side in ("default", "tuned")}
    return say(
        "told.tested", metric=figure_name(one.metric), num=num, change=change_text(one.metric, one.difference.value),
        ends=change_interval(one.metric, one.difference), **shown,
    )  # fmt: skip


def _validation(search: Search) -> list[Words]:
    taken = numbers.trial(search, search.winner) or numbers.best(search)
    if taken is None or not taken.values:
        return []
    values = {"metric": metric_of(search), "number": taken.number, "num": search.num_validation}
    value = {"value": _first(search, taken)}
    own = numbers.default_trial(search)
    if taken.is_default:
        return [say("told.default_on_validation", **values, **value)]
    if own is None:
        return [say("told.on_validation", **values, **value)]
    change = change_text(search.objectives[0].name, taken.values[0] - own.values[0])
    return [say("told.against_default", default=_first(search, own), change=change, **values, **value)]


def _first(search: Search, one: Tried) -> Words:
    return figure_text(search.objectives[0].name, one.values[0])


def _noise(search: Search) -> list[Words]:
    gain, metric = numbers.gain(search), search.objectives[0].name
    if gain is None:
        return []
    shown = {"value": gain.value, "needed": gain.needed, "spread": gain.spread}
    said = {name: change_text(metric, value).ko.removeprefix("+") for name, value in shown.items()}
    kind = "beyond" if gain.is_beyond_noise else "within"
    return [say(f"noise.{kind}", metric=metric_of(search), num=gain.num, **said)]


# -- what became of the trials --------------------------------------------------------------------
def course(search: Search) -> list[Words]:
    """How many came through, why the others did not, why the search ended."""
    counts = Counter(one.state for one in search.tried)
    parts = [say(f"count.{state}", num=counts[state]) for state in ("complete", "pruned", "failed", "running")
             if counts[state] or state == "complete"]  # fmt: skip
    retried = sum(one.retries is not None for one in search.tried)
    parts += [say("count.duplicates", num=search.duplicates)] if search.duplicates else []
    parts += [say("count.retried", num=retried)] if retried else []
    lines = [say("told.counts", num=len(search.tried), counts=joined(parts))]
    lines += [say("told.failed", num=num, reason=reason) for reason, num in reasons(search)]
    minutes = f"{search.timeout_minutes:g}" if search.timeout_minutes else MISSING
    ended = {"asked": search.trials, "seconds": duration(search.seconds), "minutes": minutes}
    return [*lines, say(f"ended.{search.ended}", **ended)]


def reasons(search: Search) -> list[tuple[str, int]]:
    """Why trials failed, the most frequent first; the rest is in the table of trials."""
    said = [" ".join(one.reason.split()) for one in search.tried if one.state == "failed" and one.reason]
    return [(printable(_short(reason)), num) for reason, num in Counter(said).most_common(_MOST_REASONS)]


def _short(reason: str) -> str:
    return reason if len(reason) <= _MOST_CHARACTERS else f"{reason[:_MOST_CHARACTERS]}…"


def joined(parts: list[Words]) -> Words:
    return Words(", ".join(part.ko for part in parts), ", ".join(part.en for part in parts))


def cautions(search: Search) -> list[Words]:
    """What limits the figures: what was noticed on the way and what follows from the record."""
    found = dict.fromkeys(
        (notice.key, tuple(notice.values.items())) for notice in (*search.notices, *notices_of(search))
    )
    return [told(key, dict(values)) or plain(f"{key} {dict(values)}") for key, values in found]


# -- settings -------------------------------------------------------------------------------------
def settings(search: Search, number: int | None) -> list[tuple[str, Words, Words, bool]]:
    """Of every searched key: the recipe's own value, this trial's, and whether they differ."""
    one = numbers.trial(search, number)
    rows = []
    for key in search.space:
        own, other = ({**held}.get(key, ...) for held in (search.defaults, one.params if one else {}))
        shown = [say("unset") if value is ... else plain(value_text(value)) for value in (own, other)]
        rows.append((key, shown[0], shown[1], own != other))
    return rows


def objective_text(one: Objective) -> Words:
    return say(f"objective.{one.direction}", metric=figure_name(one.name))


def importance_text(share: float) -> str:
    return percent(share, 0)


def closing(search: Search) -> list[Words]:
    """The whole in the terminal: the conclusion, what it rests on, what changed, what limits it."""
    lines = [conclusion(search), *sentences(search)]
    if search.winner is not None and not search.winner_is_default:
        changed = [say("told.changed", setting=printable(key), default=own, value=value)
                   for key, own, value, differs in settings(search, search.winner) if differs]  # fmt: skip
        lines += changed
    return [*lines, *(say("told.caution", caution=line) for line in cautions(search))]
