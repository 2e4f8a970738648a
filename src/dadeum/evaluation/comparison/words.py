"""A comparison in sentences: what was compared, who is best, who cannot be told from it, which run to take and why."""

from __future__ import annotations

import math

from dadeum.core.words import MISSING, Words, plain, wording
from dadeum.evaluation.answers.words import change, figure, figure_interval
from dadeum.evaluation.comparison.selection import NOISE
from dadeum.evaluation.comparison.several import CLOSE, Comparison
from dadeum.evaluation.comparison.significance import MIN_GROUPS
from dadeum.evaluation.comparison.table import baseline_name, change_interval, name_of, order, seconds
from dadeum.evaluation.report_words import p_value


def conclusion(found: Comparison) -> Words:
    """The run to take, and why, with numbers."""
    chosen = found.entrants[found.choice.chosen]
    others = [found.entrants[place].name for place in found.choice.equals if place != found.choice.chosen]
    values = {"name": chosen.name, "others": ", ".join(others), "metric": name_of(found.main)}
    values["value"] = figure(found.main, chosen.figures[found.main].value)
    if found.choice.reason == "time" and chosen.cost.seconds_per_row is not None:
        values["cost"] = seconds(chosen.cost.seconds_per_row)
    if found.choice.reason == "memory" and chosen.cost.peak_memory_mb is not None:
        values["cost"] = f"{chosen.cost.peak_memory_mb / 1024:.2f} GiB"
    return wording(f"compare.take.{found.choice.reason}", **values)


def rule() -> Words:
    """How the run was chosen, the same for every comparison."""
    return wording("compare.rule", percent=round(100 * (NOISE - 1)), close=round(100 * CLOSE))


def sentences(found: Comparison) -> list[Words]:
    """What was compared and how each run stands to the best one."""
    best = found.entrants[found.best]
    given = {"num": found.num_rows, "groups": found.num_groups, "runs": len(found.entrants)}
    value = best.figures[found.main]
    said = [
        wording("compare.compared", metric=name_of(found.main), **given),
        wording(
            "compare.highest", name=best.name, metric=name_of(found.main), value=figure(found.main, value.value),
            ends=figure_interval(found.main, value),
        ),
    ]  # fmt: skip
    for place in order(found):
        against = found.against_best[place]
        if against is None:
            continue
        name = found.entrants[place].name
        if math.isnan(against.pair.value):
            said.append(wording("compare.against.unknown", name=name))
            continue
        key = "worse" if against.is_sure else "equal" if against.p_holm is not None else "undecided"
        p = plain(MISSING if against.p_holm is None else p_value(against.p_holm))
        difference = {
            "difference": change(found.main, against.pair.value),
            "ends": change_interval(found.main, against),
        }
        said.append(wording(f"compare.against.{key}", name=name, p=p, least=MIN_GROUPS, **difference))
    return said


def gain(found: Comparison) -> Words:
    """The first run, an ensemble, against the best of the others, its members. One of the two is the best of all."""
    member = next(place for place in order(found) if place != 0)
    of_member = found.best == 0
    against = found.against_best[member if of_member else 0]
    assert against is not None
    if of_member:
        against = against.turned()
    p = plain(MISSING if against.p_holm is None else p_value(against.p_holm))
    key = "undecided"
    if against.p_holm is not None:
        key = "equal" if not against.is_sure else "better" if of_member else "worse"
    return wording(
        f"ensemble.gain.{key}", name=found.entrants[member].name, metric=name_of(found.main), p=p,
        difference=change(found.main, against.pair.value), ends=change_interval(found.main, against),
    )  # fmt: skip


def cautions(found: Comparison) -> list[Words]:
    """What limits the conclusion."""
    said = [
        wording(
            "compare.unfaithful", name=found.entrants[found.choice.chosen].name, other=found.entrants[place].name,
            metric=name_of(metric), difference=change(metric, pair.value), low=change(metric, pair.low),
            high=change(metric, pair.high),
        )
        for place, metric, pair in found.unfaithful
    ]  # fmt: skip
    said += _near_baselines(found)
    if len({each.train_hash for each in found.entrants}) > 1:
        said.append(wording("compare.other_training_rows"))
    if not found.choice.times_compared and len(found.choice.equals) > 1:
        said.append(wording("compare.times_not_compared"))
    return said


def _near_baselines(found: Comparison) -> list[Words]:
    """Baselines that reach into the interval of the best run."""
    best = found.entrants[found.best].figures[found.main]
    higher = found.metrics[found.main] == "higher"
    return [
        wording(
            "compare.near_baseline", baseline=baseline_name(found, each), metric=name_of(found.main),
            value=figure(found.main, each.figures[found.main].value),
        )
        for each in found.baselines
        if found.main in each.figures
        and (each.figures[found.main].value >= best.low if higher else each.figures[found.main].value <= best.high)
    ]  # fmt: skip
