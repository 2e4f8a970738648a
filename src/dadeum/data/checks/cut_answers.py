"""Answers come to their end: cut ones (a token limit, a lost line) teach a model to stop in the middle of a sentence.

The grammar of the last words tells, and the habit: where sentences before it have full stops, one without is cut.
Answers that end in code, a list, a table, a link or a short line say nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dadeum.core.endings import breaks_off
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context
from dadeum.data.texts.prose import own_prose

CODE = "KO112"
NAME = "cut_answers"

MIN_SHARE = 0.005
"""Share of the answers from which cut ones are reported. Of 11,823 chat answers, 600 summaries and 7,000 made answers
none is taken for cut; of answers cut at random two in three are seen."""
WARN_SHARE = 0.02
MIN_CUT = 2
"""One answer may be an oversight of its writer."""
MIN_WORDS = 4
"""Of an answer's only sentence: "그럴 리가" is not cut."""
HABIT = 0.8
"""Share of answers that end with a mark, from which one without is unusual."""
_STOPS = ".!?…。！？~～^"
_CLOSING = " \t\n\"'”’」』》〉)）]}*_"
_STOP = re.compile(r"[.!?…。]+[\"'”’)」』]*\s")


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve", "text"):  # nothing is written in words of its own
        return []
    found = context.sentences
    answers = [answer for answer in found.answers if answer.text.strip()]
    texts = list(dict.fromkeys(answer.text for answer in answers))
    cut = dict(zip(texts, _cut(texts), strict=True))
    hits = [Hit(answer.row, answer.part, *place) for answer in answers if (place := cut[answer.text])]
    share = len(hits) / max(len(answers), 1)
    if len(hits) < MIN_CUT or share < MIN_SHARE:
        return []
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    values = {"share": share, "answers": len(answers), "cut": len(hits), "rows": found.num_rows}
    return context.finding(CODE, NAME, severity, hits, values, found.num_sampled)


def _cut(texts: Sequence[str]) -> list[tuple[int, int] | None]:
    """For every answer the place of its last sentence where that breaks off; None where it does not."""
    unmarked = [text for text in texts if not _is_marked(text)]
    by_habit = len(texts) - len(unmarked) >= HABIT * len(texts)
    last = {text: place for text in unmarked if (place := _last_sentence(text))}
    broken = dict(zip(last, breaks_off(list(last)), strict=True))
    return [
        last[text] if text in last and _is_cut(text, last[text][0], broken[text], by_habit) else None for text in texts
    ]


def _is_cut(text: str, start: int, broken: float, by_habit: bool) -> bool:
    """`broken`: of `breaks_off`. A noun at the end is a cut sentence only where whole ones end with marks."""
    if broken == 0:
        return False
    own_habit = _STOP.search(text, 0, start) is not None
    is_long = len(text[start:].split()) >= MIN_WORDS
    if own_habit and by_habit:
        return True
    return is_long and broken == 1 and (own_habit or by_habit)


def _is_marked(text: str) -> bool:
    """The answer ends with a mark, a symbol, laughter or code, whatever closes after it."""
    end = text.rstrip(_CLOSING)
    last = end[-1:]
    return not last or last in _STOPS or last == "`" or unicodedata.category(last) in ("So", "Sk", "Sm", "Mn")


def _last_sentence(text: str) -> tuple[int, int] | None:
    """Where the last sentence stands if it is prose; None for an item of a list, code, a heading, a quotation."""
    end = len(text.rstrip())
    line = text.rfind("\n", 0, end) + 1
    stops = list(_STOP.finditer(text, line, end))
    start = stops[-1].end() if stops else line
    return (start, end) if own_prose(text)[end - 1 : end].strip() else None
