"""From which value a signal speaks of collapse: one table, each line with its why.

"At risk" begins well above what healthy Korean answers show, "collapsed" where half or more of the answers are hit.
What is no matter of the start (loops, breaking off, another language) can put a model at risk, never collapse it.
Healthy answers: three public Korean sets, 12,251 answers. Collapsed models were made on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.starts.result import Common, FirstTokens, Openings, Reason, Side, State

MIN_PROMPTS = 20
"""Fewer say little: one odd answer of ten is a tenth."""
MIN_TOLD = 20
"""Sentences with a told speech level, on both sides, from which a drift is judged."""
MIN_HIT = 3
"""Answers (all, where there are fewer) that must show a thing: 5 % of 20 are one odd answer."""
MAX_SILENT = 0.5
"""Probability of parts of letters, spaces and openings from which the first token says nothing of the first word."""
_UNTRAINED = 0.9
"""Of the entropy of an even choice: random weights have 0.998, SmolLM2-135M 0.24 to 0.46, tuned models less."""
_AS_TAUGHT = 0.1
"""A form that the training answers have about as often is what was asked for."""

Found = tuple[Measured | None, str]
"""A figure (None: not measurable here) and what it was found on."""


@dataclass(frozen=True)
class Rule:
    """From `at_risk` and from `collapsed` on (None: never); `excused` by training answers that do the same."""

    signal: str
    find: Callable[[Side], Found]
    at_risk: float
    collapsed: float | None
    taught: Callable[[Openings], Measured | None] | None = None
    excused: bool = False


def _exact(value: float) -> Measured:
    return Measured(value=value, low=value, high=value)


def _of(common: Common | None) -> Found:
    return (common.share, common.text) if common else (None, "")


def is_silent(first: FirstTokens) -> bool:
    """More than a third of Hangul syllables share one first byte, and many answers a quotation mark or `<think>`."""
    return first.partial.value + first.form.value > MAX_SILENT


def _top_token(side: Side) -> Found:
    return (None if is_silent(side.first) else _exact(side.first.top_probability)), side.first.top


def _independence(side: Side) -> Found:
    """1 - dependence in bits. Random weights depend on nothing either, and are told so instead."""
    first = side.first
    if is_silent(first) or first.evenness >= _UNTRAINED:
        return None, ""
    return _exact(1 - min(1.0, first.dependence)), f"{first.dependence:.2f}"


RULES = (
    # An even choice among all tokens: random weights, or a learning rate that has destroyed what was there. It
    # explains whatever follows.
    Rule("untrained", lambda side: (_exact(side.first.evenness), ""), 0.8, _UNTRAINED),
    # Healthy answers: 0 of 12,251 begin with a mark that opens nothing. A tenth is no accident.
    Rule("marks", lambda side: (side.answers.marks, ""), 0.1, 0.5, lambda taught: taught.marks),
    Rule("first_token_marks", lambda side: (side.first.marks, ""), 0.1, 0.5, lambda taught: taught.marks),
    # The cap on warnings in the repair of the reference project is 5 %.
    Rule("boilerplate", lambda side: (side.answers.boilerplate, ""), 0.05, 0.5, lambda taught: taught.boilerplate),
    # Healthy: at most 1 %; the broken correction file 6 %.
    Rule(
        "first_sentence", lambda side: _of(side.answers.first_sentence), 0.15, 0.5,
        lambda taught: taught.first_sentence.share if taught.first_sentence else None,
    ),
    # Healthy: 2 to 3 %; the broken correction file 10 %, a public set of summaries 51 % by its form.
    Rule(
        "first_word", lambda side: _of(side.answers.first_word), 0.3, 0.7,
        lambda taught: taught.first_word.share if taught.first_word else None, excused=True,
    ),
    # One token before all questions: the same as one word, if the token is a word.
    Rule(
        "top_token", _top_token, 0.5, 0.9,
        lambda taught: taught.first_word.share if taught.first_word else None, excused=True,
    ),
    Rule("independence", _independence, 0.95, None),
    Rule("empty", lambda side: (side.answers.empty, ""), 0.05, 0.5, lambda taught: taught.empty),
    Rule("ends", lambda side: (side.first.ends, ""), 0.1, 0.5, lambda taught: taught.empty),
    Rule("torn", lambda side: (side.first.torn, ""), 0.05, 0.5),
    Rule("torn_answers", lambda side: (side.answers.torn, ""), 0.05, 0.5, lambda taught: taught.torn),
    # Not the start alone: reasons to look, no collapse.
    Rule("foreign", lambda side: (side.first.foreign, ""), 0.2, None),
    # Nothing was seen of these answers: no verdict without more tokens.
    Rule("reasoning", lambda side: (side.answers.reasoning, ""), 0.5, None),
    Rule("loops", lambda side: (side.answers.loops, ""), 0.2, None, lambda taught: taught.loops),
    Rule("unfinished", lambda side: (side.answers.unfinished, ""), 0.2, None, lambda taught: taught.unfinished),
)  # fmt: skip
OF_ANSWERS = {"marks", "boilerplate", "first_sentence", "first_word", "empty", "torn_answers", "loops"}
LEVEL_DRIFT = 0.3
"""Share of sentences in a level that the training answers hardly use."""


def judge(side: Side, taught: Openings | None, drift: float | None) -> tuple[State, list[Reason]]:
    """The worst state of any reason, and all reasons, the worst first."""
    reasons = [*_reasons(side, taught)]
    if drift is not None and drift >= LEVEL_DRIFT:
        reasons.append(Reason(signal="level_drift", state="at_risk", value=drift, limit=LEVEL_DRIFT, sure=False))
    collapsed = [one for one in reasons if one.state == "collapsed"]
    others = [one for one in reasons if one.state != "collapsed"]
    return ("collapsed" if collapsed else "at_risk" if others else "healthy"), [*collapsed, *others]


def _reasons(side: Side, taught: Openings | None) -> Iterator[Reason]:
    for rule in RULES:
        found, text = rule.find(side)
        if found is None or found.value < rule.at_risk or _is_odd(rule, found, side.answers.num):
            continue
        usual = rule.taught(taught) if taught and rule.taught else None
        # Half of what the model does names the cause; only a form that was taught about as often excuses it.
        is_taught = usual is not None and usual.value >= found.value / 2
        if rule.excused and is_taught and usual is not None and usual.value >= found.value - _AS_TAUGHT:
            continue
        collapsed = rule.collapsed is not None and found.value >= rule.collapsed
        limit = rule.collapsed if collapsed and rule.collapsed is not None else rule.at_risk
        yield Reason(
            signal=rule.signal, state="collapsed" if collapsed else "at_risk", value=found.value, limit=limit,
            sure=found.low >= limit, taught=is_taught, values={"found": text[:60]},
        )  # fmt: skip


def _is_odd(rule: Rule, found: Measured, num: int) -> bool:
    """Too few of the answers to mean anything."""
    return rule.signal in OF_ANSWERS and round(found.value * num) < min(MIN_HIT, num)
