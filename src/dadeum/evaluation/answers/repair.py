"""A run that goes on from given weights, in words: did it heal, what did it cost, and what to do now?

Figures of before and after say it; these sentences stand first, in the report and on the terminal.
"""

from __future__ import annotations

from dadeum.core.measured import Measured
from dadeum.core.words import Words, percent, plain, rows, wording
from dadeum.evaluation.ability.words import sentences as ability_sentences
from dadeum.evaluation.answers.gates import STATES
from dadeum.evaluation.answers.repair_scores import Held, StartScores
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.answers.words import change, figure, metric_name
from dadeum.evaluation.report_words import interval, points, points_interval, say, signed


def origin(scores: AnswerScores) -> str:
    """Whom the tuned model is held against first: what it went on from, else the untuned model."""
    return "before" if "before" in scores.systems else "base_model"


def is_repair(scores: AnswerScores) -> bool:
    return origin(scores) == "before"


def headline_parts(scores: AnswerScores, standing: str) -> list[Words]:
    """What a repair is for comes first: starts where they were examined, else closeness to people's answers."""
    healed = healing(scores.starts)
    wrote = "loss" if scores.counted == ["loss"] else "written"
    first = [say(f"repair.starts.{healed}")] if healed else [say(f"repair.standing.{wrote}.{standing}")]
    return [*first, *([say(f"repair.cost.{scores.regression.verdict}")] if scores.regression else [])]


def healing(starts: StartScores | None) -> str | None:
    """`was_healthy`, `healed`, `better`, `same`, `worse`; None where one of the two was not examined."""
    if starts is None or starts.before is None:
        return None
    before, after = STATES[starts.before.verdict], STATES[starts.tuned.verdict]
    if after == 0:
        return "was_healthy" if before == 0 else "healed"
    if after == before:
        return "same"
    return "better" if after < before else "worse"


def sentences(scores: AnswerScores) -> list[Words]:
    """Under the headline: how answers begin, what was lost figure by figure, what to do."""
    said = [_states(scores.starts)] if scores.starts else []
    if scores.regression:
        said += [*cost_heads(scores), *map(held_sentence, scores.regression.figures)]
    healed = healing(scores.starts)
    if healed and scores.regression:
        kind = healed if healed in ("same", "worse", "better") else f"whole.{scores.regression.verdict}"
        said.append(say(f"repair.advice.{kind}"))
    return said


def has_advice(scores: AnswerScores) -> bool:
    """Whether these sentences say what to do; the usual advice is for a first training."""
    return bool(healing(scores.starts) and scores.regression)


def state_words(state: str) -> Words:
    """The name of a state."""
    return wording(f"starts.page.state.{state}")


def _states(starts: StartScores) -> Words:
    now = state_words(starts.tuned.verdict)
    num = starts.tuned.num_prompts
    if starts.before is None:
        return say("repair.now", now=now, num=num)
    return say("repair.from_to", before=state_words(starts.before.verdict), now=now, num=num)


def says_all(scores: AnswerScores, baseline: str) -> bool:
    """Whether the sentences on the cost say every difference to this baseline: no row was left out of them."""
    return baseline == "before" and scores.regression is not None and not scores.regression.left_out


def cost_heads(scores: AnswerScores) -> list[Words]:
    """What it cost all in all, and which rows do not count for that."""
    found = scores.regression
    if found is None:
        return []
    values = {"total": rows(found.num_rows), "left_out": rows(sum(found.left_out.values()))}
    made = [say("repair.left_out", **values)] if found.left_out else []
    return [say(f"repair.rests_on.{found.verdict}", total=values["total"]), *made]


def held_sentence(held: Held) -> Words:
    """One figure before and after, its difference, and what the tolerance makes of it."""
    return say(
        "repair.held",
        metric=held_name(held.metric),
        before=held_value(held, held.before),
        tuned=held_value(held, held.tuned),
        difference=difference(held),
        interval=difference_interval(held),
        tolerance=tolerance(held),
        outcome=say(f"repair.outcome.{held.outcome}"),
    )


def more_lines(scores: AnswerScores) -> list[Words]:
    """For the terminal, after the three lines: starts and cost, where they were looked at."""
    said = [_states(scores.starts)] if scores.starts else []
    if scores.regression:
        values = {"total": rows(scores.regression.num_rows)}
        said.append(say(f"repair.rests_on.{scores.regression.verdict}", **values))
    if scores.ability:
        tuned = scores.ability.systems["tuned"]
        said.append(Words(*(ability_sentences(tuned, "tuned", language)[0] for language in ("ko", "en"))))
    return said


# -- figures --------------------------------------------------------------------------------------
def held_name(metric: str) -> Words:
    return say("repair.ability") if metric == "ability" else metric_name(metric)


def held_value(held: Held, value: float) -> str:
    return percent(value, 0) if held.metric == "ability" else figure(held.metric, value)


def difference(held: Held) -> Words:
    return points(held.value) if held.metric == "ability" else plain(change(held.metric, held.value))


def difference_interval(held: Held) -> Words:
    measured = Measured(value=held.value, low=held.low, high=held.high)
    if held.metric == "ability":
        return points_interval(measured)
    low, high = (change(held.metric, end) for end in (held.low, held.high))
    return interval(low, high, measured, "units.signed_interval")


def tolerance(held: Held) -> Words:
    """+0.034 of a loss, −5.0 points of a share: the side that would be a loss."""
    sign = 1 if held.metric == "loss" else -1
    return points(sign * held.tolerance) if held.metric == "ability" else plain(signed(sign * held.tolerance))
