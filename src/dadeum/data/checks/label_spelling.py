"""One label has one spelling: "2   " beside "2", or a rare 스팸메일 beside 스팸, is a class by accident."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA108"
NAME = "label_spelling"

MAX_RARE_SHARE = 0.01
"""Rows of a near-miss per row of the label it resembles; real classes that rare are seldom nearly namesakes."""
MIN_SIMILARITY = 0.8
"""Of two labels that differ by a slip: one letter of five (difflib's ratio)."""
MIN_SLIP_CHARACTERS = 3
"""Shorter labels differ by one letter on purpose: "1" and "2", 긍정 and 부정."""
MAX_LABELS = 500
"""More labels than this are no classes, and comparing all pairs would take long."""
_WHOLE = re.compile(r"-?\d+\.0+")
"""pandas writes 1 as 1.0 once the column has a gap."""
_OPPOSITES = re.compile(r"(?i)^(?:비|불|미|무|반|안|못|아닌|not|non|no|un|in|dis)|(?:아님|아닌|안함|없음|x)$")


def check(context: Context) -> list[Finding]:
    if context.task != "decide" or not 2 <= len(context.labels) <= MAX_LABELS:
        return []
    like = _slips(context.labels) | _same(context.labels)
    hits = [
        Hit(row, found={"label": repr(example.label), "like": repr(like[example.label])})
        for row, (_, example) in enumerate(context.placed)
        if example.label in like
    ]
    pairs = ", ".join(
        f"{label!r} {context.labels[label]} ≈ {other!r} {context.labels[other]}" for label, other in like.items()
    )
    return context.finding(CODE, NAME, "warn", hits, {"pairs": pairs, "labels": len(like)})


def _same(labels: Counter[str]) -> dict[str, str]:
    """Label → the commonest label that differs from it by case, space, width or punctuation only."""
    commonest: dict[str, str] = {}
    found = {}
    for label, _ in labels.most_common():
        other = commonest.setdefault(_bare(label), label)
        if other != label:
            found[label] = other
    return found


def _bare(label: str) -> str:
    # NFKC only to compare: ２ and 2, Ａ and A are one label. "C" and "C++" are not.
    plain = unicodedata.normalize("NFKC", label).casefold()
    if _WHOLE.fullmatch(plain.strip()):
        return plain.strip().partition(".")[0]
    return re.sub(r"[\s_.-]+", "", plain) or plain


def _slips(labels: Counter[str]) -> dict[str, str]:
    """Rare label → the common one that it nearly is."""
    found = {}
    for label, count in labels.items():
        for other, common in labels.most_common():
            if count <= MAX_RARE_SHARE * common and _is_slip(_bare(label), _bare(other)):
                found[label] = other
                break
    return found


def _is_slip(label: str, other: str) -> bool:
    short, long = sorted((label, other), key=len)
    if short and len(short) > 1 and (long.startswith(short) or long.endswith(short)):
        rest = long.removeprefix(short) if long.startswith(short) else long.removesuffix(short)
        return not _OPPOSITES.search(rest) and not re.search(r"\d", rest)
    if len(short) < MIN_SLIP_CHARACTERS or re.sub(r"\D", "", label) != re.sub(r"\D", "", other):
        return False
    return SequenceMatcher(None, label, other, autojunk=False).ratio() >= MIN_SIMILARITY
