"""Wording that translations have and Korean writers rarely: a rate beside that of native text, never a verdict.

Reference: 1,504 lines of SmileStyle, formal native style against the translator columns of the same lines.
"에 의해" and "되어지-" are too rare in both to tell.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from dadeum.core.examples import parts
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context
from dadeum.data.texts.prose import own_prose, sentences

CODE = "KO105"
NAME = "translationese"

MIN_LIFT = 2.0
"""Times the native rate from which a cue counts; translation made 1.6 (-들) to 17 (당신) of them."""
MIN_CUES = 3
"""Cues that must be lifted: formal prose has many "에 대해" without being translated."""
MIN_SENTENCES = 100
"""Below, a rate of one in a hundred is chance."""
MIN_TIMES = 5
"""Sentences with a cue below which its rate is chance."""
MAX_ROWS = 20_000
"""Rows looked at without `full`."""
_MIN_SENTENCE_CHARACTERS = 5


@dataclass(frozen=True)
class Cue:
    """An expression, and how often sentences have it."""

    name: str
    pattern: re.Pattern[str]
    native: float
    """Share of native sentences; at least 0.2 %, below which 1,504 lines cannot measure."""


CUES = (
    Cue("당신·그녀·그들", re.compile("당신|그녀|그들(?!먹)"), 0.013),
    Cue("나는·저는", re.compile("^(?:나는|저는) "), 0.031),
    Cue("가지고 있-", re.compile("가지고 있"), 0.002),
    Cue("에 대해", re.compile("에 대(?:해|한|하여)"), 0.007),
    Cue("-는 것은", re.compile("는 것[은이](?![가-힣])"), 0.018),
    Cue("-들", re.compile("[가-힣]들(?:은|이|을|의|에게|과|도)(?![가-힣])"), 0.049),
)


@dataclass
class _Seen:
    """What was counted over all sentences."""

    num_sentences: int = 0
    times: Counter[str] = field(default_factory=Counter)
    """Sentences by name of the cue that they have."""
    hits: list[Hit] = field(default_factory=list)

    def add(self, row: int, part: str, text: str) -> None:
        for match in sentences(own_prose(text)):
            sentence = match.group().strip()
            if len(sentence) < _MIN_SENTENCE_CHARACTERS:
                continue
            self.num_sentences += 1
            for cue in CUES:
                if found := cue.pattern.search(sentence):
                    start = match.start() + found.start()
                    self.times[cue.name] += 1
                    self.hits.append(Hit(row, part, start, start + len(found.group()), {"cue": cue.name}))

    def rate(self, name: str) -> float:
        return self.times[name] / self.num_sentences


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve"):  # nothing is written in words of its own
        return []
    seen = _Seen()
    rows = context.sample(range(context.num_rows), MAX_ROWS)
    texts = {text: (row, part) for row in reversed(rows) for part, text in _answers(context, row)}
    for text, (row, part) in reversed(texts.items()):
        seen.add(row, part, text)
    if seen.num_sentences < MIN_SENTENCES:
        return []
    lifts = {cue.name: seen.rate(cue.name) / cue.native for cue in CUES if seen.times[cue.name] >= MIN_TIMES}
    lifted = {name: lift for name, lift in lifts.items() if lift >= MIN_LIFT}
    if len(lifted) < MIN_CUES:
        return []
    cues = ", ".join(f"{name} {seen.rate(name):.1%} (×{lift:.1f})" for name, lift in lifted.items())
    hits = [hit for hit in seen.hits if hit.found and hit.found["cue"] in lifted]
    values = {"cues": cues, "sentences": seen.num_sentences, "rows": context.num_rows}
    return context.finding(CODE, NAME, "info", hits, values, len(rows))


def _answers(context: Context, row: int) -> list[tuple[str, str]]:
    roles = ("user", "assistant") if context.task == "text" else ("assistant",)
    return [(part.name, part.text) for part in parts(context.placed[row][1]) if part.role in roles]
