"""합쇼체 and 해요체 in one answer: usual in good Korean, so worth knowing; a slip where all other answers keep to one.

"-세요" belongs to both; "감사합니다" and "-답니다" are said in 해요체 too. None of these counts, and no quotation.
"""

from __future__ import annotations

import re
from collections import Counter

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.speech import Sentence
from dadeum.data.context import Context
from dadeum.data.texts.mixture import is_finished, own_sentences
from dadeum.data.texts.sentences import Answer

CODE = "KO113"
NAME = "mixed_politeness"

MIN_SHARE = 0.2
"""Share of the polite answers from which a mix is told, as information."""
CONSISTENT = 0.98
"""Of the answers in one level, how many keep to the same, from which answers in both are slips: a warning ..."""
MAX_SLIPS = 0.2
"""... up to this share of all; more is a style."""
WARN_SHARE = 0.01
"""Share of slips from which they are told."""
MIN_ANSWERS = 50
_FORMULA = re.compile("(?:감사|고맙|죄송|송구|축하|반갑|미안|환영|수고|안녕|사랑)[가-힣]{0,5} ?[가-힣]{0,4}니[다까]")


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve", "text"):  # nothing is written in words of its own
        return []
    found = context.sentences
    kinds: Counter[str] = Counter()
    mixed: list[Answer] = []
    for answer in found.answers:
        levels = Counter(level for sentence in answer.sentences if (level := _level(sentence, answer.text)))
        if len(levels) > 1:
            levels = Counter(level for level, _ in _own(answer))
        kinds["both" if len(levels) > 1 else next(iter(levels), "")] += 1
        mixed += [answer] if len(levels) > 1 else []
    num = kinds["hapsyo"] + kinds["haeyo"] + kinds["both"]
    if num < MIN_ANSWERS:
        return []
    share, kept = kinds["both"] / num, max(kinds["hapsyo"], kinds["haeyo"])
    is_slip = kept >= CONSISTENT * (num - kinds["both"]) and WARN_SHARE <= share < MAX_SLIPS
    if not is_slip and share < MIN_SHARE:
        return []
    severity: Severity = "warn" if is_slip else "info"
    hits = [_hit(answer, "hapsyo" if kinds["hapsyo"] < kinds["haeyo"] else "haeyo") for answer in mixed]
    values = {"share": share, "answers": num, "rows": found.num_rows}
    values |= {kind: kinds[kind] for kind in ("hapsyo", "haeyo", "both")}
    return context.finding(CODE, NAME, severity, hits, values, found.num_sampled)


def _own(answer: Answer) -> list[tuple[str, Sentence]]:
    """The writer's own whole sentences that tell, with their levels."""
    own = [sentence for sentence in own_sentences(answer) if is_finished(sentence, answer.text)]
    return [(level, sentence) for sentence in own if (level := _level(sentence, answer.text))]


def _level(sentence: Sentence, text: str) -> str:
    """hapsyo or haeyo; empty for others and for what is said in both."""
    if sentence.level == "haeyo":
        return "" if sentence.ending.endswith("세요") else "haeyo"
    if sentence.level == "hapsyo":
        is_told = sentence.ending.endswith(("답니다", "랍니다"))
        return "" if is_told or _FORMULA.search(text, sentence.start, sentence.end) else "hapsyo"
    return ""


def _hit(answer: Answer, rarer: str) -> Hit:
    """The first sentence in the level that the data set uses less."""
    first = next(sentence for level, sentence in _own(answer) if level == rarer)
    facts = {"level": rarer, "usual": "haeyo" if rarer == "hapsyo" else "hapsyo"}
    return Hit(answer.row, answer.part, first.start, first.end, facts)
