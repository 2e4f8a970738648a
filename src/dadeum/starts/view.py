"""view(found): an examination as a page or a report shows it, every sentence in both languages.

`dadeum/templates/starts_parts.html.j2` draws it; `dadeum doctor` and the report of a run use both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dadeum.core.measured import Measured
from dadeum.core.pages import visible
from dadeum.core.words import MISSING, Html, Words, percent, plain, wording, wording_or
from dadeum.starts.result import Common, FirstTokens, Openings, Side, Starts
from dadeum.starts.verdict import LEVEL_DRIFT, RULES, Rule
from dadeum.starts.words import reason_sentence

Cell = Words | Html
_LEAST = 0.0001
"""Probability under which digits say nothing."""
_QUESTION_CHARACTERS = 160


@dataclass(frozen=True)
class Row:
    """A figure of the model, of its base, of the training answers, and from where on it is judged."""

    name: Words
    note: Words
    cells: list[Cell]
    limits: Words
    state: str
    """Of the model by this figure: `healthy` where no threshold was reached or there is none."""


def view(found: Starts) -> dict[str, Any]:
    """What the macros of `starts_parts.html.j2` loop over."""
    lead, *rest = wording(f"starts.verdict.{found.verdict}", num=found.num_prompts).sentences()
    return {
        "state": found.verdict,
        "lead": lead,
        "rest": rest,
        "reasons": [(reason.state, _both(partial(reason_sentence, reason))) for reason in found.reasons],
        "cause": wording("starts.taught") if any(reason.taught for reason in found.reasons) else None,
        "base": wording(f"starts.base.{found.base_verdict}") if found.base_verdict else None,
        "columns": _columns(found),
        "rows": _rows(found),
        "compared": _compared(found),
        "tokens": _tokens(found),
        "answers": _answers(found),
        "notices": [wording(notice.key, **notice.values) for notice in found.notices],
    }


def _both(say: Callable[[str], str]) -> Words:
    return Words(say("ko"), say("en"))


def _columns(found: Starts) -> list[Words]:
    shown = ["model", *(["base"] if found.base else []), *(["taught"] if found.taught else [])]
    return [wording(f"starts.page.column.{name}") for name in shown]


def _compared(found: Starts) -> list[Words]:
    """How far the model is from its base."""
    said = []
    if found.divergence is not None:
        said.append(wording("starts.divergence", bits=f"{found.divergence:.2f}"))
    if found.level_drift is not None:
        said.append(wording(f"starts.drift.{found.level_reference}", share=percent(found.level_drift, 0)))
    return said


# -- the table -------------------------------------------------------------------------------------
OfFirst = Callable[[FirstTokens], Cell]
OfAnswers = Callable[[Openings], Cell]
_FIRST: tuple[tuple[str, OfFirst, str], ...] = (
    ("entropy", lambda first: _bits(first.entropy), ""),
    ("own_entropy", lambda first: _bits(first.own_entropy), "untrained"),
    ("dependence", lambda first: _bits(first.dependence), "independence"),
    ("top", lambda first: _named(first.top, percent(first.top_probability, 0)), "top_token"),
    ("same_choice", lambda first: _share(first.same_choice), ""),
    ("first_marks", lambda first: _share(first.marks), "first_token_marks"),
    ("ends", lambda first: _share(first.ends), "ends"),
    ("torn", lambda first: _share(first.torn), "torn"),
    ("foreign", lambda first: _share(first.foreign), "foreign"),
)
_ANSWERS: tuple[tuple[str, OfAnswers, str], ...] = (
    ("marks", lambda answers: _share(answers.marks), "marks"),
    ("boilerplate", lambda answers: _share(answers.boilerplate), "boilerplate"),
    ("warnings", lambda answers: _share(answers.warnings), ""),
    ("first_word", lambda answers: _common(answers.first_word), "first_word"),
    ("first_sentence", lambda answers: _common(answers.first_sentence), "first_sentence"),
    ("empty", lambda answers: _share(answers.empty), "empty"),
    ("torn_answers", lambda answers: _share(answers.torn), "torn_answers"),
    ("loops", lambda answers: _share(answers.loops), "loops"),
    ("unfinished", lambda answers: _share(answers.unfinished), "unfinished"),
    ("cut_off", lambda answers: _share(answers.cut_off), ""),
    ("reasoning", lambda answers: _share(answers.reasoning), "reasoning"),
    ("levels", lambda answers: _levels(answers.levels), "level_drift"),
)


def _rows(found: Starts) -> dict[str, list[Row]]:
    """`first` and `answers`, each with its rows."""
    sides: list[Side] = [found.model, *([found.base] if found.base else [])]
    answers = [side.answers for side in sides] + ([found.taught] if found.taught else [])
    none: list[Cell] = [plain(MISSING)] if found.taught else []
    states = {reason.signal: reason.state for reason in found.reasons}

    def row(name: str, cells: list[Cell], signal: str) -> Row:
        named, note = wording(f"starts.page.figure.{name}"), wording(f"starts.page.note.{name}")
        return Row(named, note, cells, _limits(signal), states.get(signal, "healthy"))

    return {
        "first": [row(name, [cell(side.first) for side in sides] + none, signal) for name, cell, signal in _FIRST],
        "answers": [row(name, [cell(each) for each in answers], signal) for name, cell, signal in _ANSWERS],
    }


_RULES: dict[str, Rule] = {rule.signal: rule for rule in RULES}


def _limits(signal: str) -> Words:
    """From where on a model is at risk, and collapsed."""
    if signal == "level_drift":
        return wording("starts.page.limit.drift", limit=percent(LEVEL_DRIFT, 0))
    rule = _RULES.get(signal)
    if rule is None:
        return plain(MISSING)
    if signal == "independence":
        return wording("starts.page.limit.bits", limit=f"{1 - rule.at_risk:.2f}")
    values = {"at_risk": percent(rule.at_risk, 0), "collapsed": percent(rule.collapsed, 0)}
    kind = "risk_only" if rule.collapsed is None else "evenness" if signal == "untrained" else "both"
    return wording(f"starts.page.limit.{kind}", **values)


def _bits(value: float) -> Cell:
    return wording("starts.page.bits", value=f"{value:.2f}")


def _share(found: Measured | None) -> Cell:
    """14 %, its interval small below it where there is one."""
    if found is None:
        return plain(MISSING)
    low, high = round(100 * found.low), round(100 * found.high)
    interval = f" <small>{low}~{high}%</small>" if low != high else ""
    value = percent(found.value, 0) if found.value == 0 or found.value >= _LEAST else f"&lt;{percent(_LEAST, 2)}"
    return Html(f"{value}{interval}")


def _common(found: Common | None) -> Cell:
    return _named(found.text, percent(found.share.value, 0)) if found else plain(MISSING)


def _named(text: str, share: str) -> Cell:
    return Html(f'{share} <small class="quoted">{visible(text[:60])}</small>')


def _levels(levels: dict[str, float]) -> Cell:
    if not levels:
        return plain(MISSING)
    said = [(wording_or(f"page.kinds.{level}", level), percent(share, 0)) for level, share in levels.items()]
    return Words(*(", ".join(f"{name.get(language)} {share}" for name, share in said) for language in ("ko", "en")))


# -- tokens and answers ----------------------------------------------------------------------------
def _tokens(found: Starts) -> list[dict[str, Any]]:
    """The likeliest tokens of each model; one scale for both."""
    sides = [("model", found.model), *([("base", found.base)] if found.base else [])]
    most = max((one.probability for _, side in sides for one in side.first.likeliest), default=1.0)
    return [
        {
            "name": wording(f"starts.page.column.{name}"),
            "bars": [
                {
                    "token": visible(one.token),
                    "share": percent(one.probability, 1),
                    "width": f"{one.probability / most:.3f}",
                }
                for one in side.first.likeliest
            ],
        }
        for name, side in sides
        if side.first.likeliest
    ]


def _begun(question: str) -> str:
    return question if len(question) <= _QUESTION_CHARACTERS else question[:_QUESTION_CHARACTERS].rstrip() + "…"


def _answers(found: Starts) -> list[dict[str, Any]]:
    """Each question with what the models began to write."""
    written = [found.model.answers.shown, *([found.base.answers.shown] if found.base else [])]
    columns = _columns(found)
    return [
        {
            "question": visible(_begun(question)),
            "said": [
                (columns[place], visible(texts[at]) if texts[at] else None)
                for place, texts in enumerate(written)
                if at < len(texts)
            ],
        }
        for at, question in enumerate(found.questions)
    ]
