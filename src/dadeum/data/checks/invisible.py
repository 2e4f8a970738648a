"""No character that nobody sees: zero-width spaces, marks of direction, fillers, controls, soft hyphens, tags.

Where they mean something they stay: joiners of emoji and Indic scripts, marks of direction in Arabic and Hebrew.
A no-break space is only worth knowing.
"""

from __future__ import annotations

import re
from itertools import groupby

from dadeum.core.findings import Finding, Hit, Span
from dadeum.data.checks._kinds import judge_kinds
from dadeum.data.context import Context
from dadeum.data.texts.characters import JOINER, STRAY_SELECTOR

CODE = "DA114"
NAME = "invisible"
PARTS = "all"

_KINDS = {
    "zero_width": "\u200b\u2060-\u2064\u180e\u034f",
    "joiner": "\u200c\u200d",
    "bom": "\ufeff",
    "direction": "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "filler": "\u115f\u1160\u3164\uffa0\u2800",
    "selector": "\ufe0e\ufe0f",
    "control": "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u206a-\u206f",
    "soft_hyphen": "\xad",
    "tag": "\U000e0000-\U000e007f",
    "line_separator": "\u2028\u2029",
    "nbsp": "\xa0\u202f",
}
MINOR = frozenset({"nbsp", "line_separator"})
"""White space after all; squash_spaces makes plain spaces of them."""
_ANY = re.compile(f"[{''.join(_KINDS.values())}]")
_KIND = {kind: re.compile(f"[{characters}]") for kind, characters in _KINDS.items()}
_RIGHT_TO_LEFT = re.compile("[\u0590-\u061b\u061d-\u08ff]")
_BRAILLE = re.compile("[\u2801-\u28ff]")
_JOINED_SCRIPT = re.compile("[\u0600-\u0dff]")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+")
_MISREAD_BEFORE, _MISREAD_AFTER = re.compile("[\xa0-\xff][\x80-\x9f]*$"), re.compile("[\x80-\x9f]*[\xa0-\xff]")


def find(text: str) -> list[Span]:
    """One Span per run of one kind (`_KINDS`)."""
    if _ANY.search(text) is None:
        return []
    flags = [match.span() for match in _FLAG.finditer(text)]
    found = []
    for match in _ANY.finditer(text):
        at = match.start()
        kind = next(kind for kind, pattern in _KIND.items() if pattern.match(match[0]))
        if not _is_meant(text, at, kind) and not any(start <= at < end for start, end in flags):
            found.append((at, kind))
    # Neighbours of one kind have one difference between place and number.
    runs = groupby(enumerate(found), key=lambda item: (item[1][1], item[1][0] - item[0]))
    return [Span((places := [place for _, (place, _) in run])[0], places[-1] + 1, kind) for (kind, _), run in runs]


def judge(context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    return judge_kinds(context, CODE, NAME, hits, num_rows, MINOR)


def _is_meant(text: str, at: int, kind: str) -> bool:
    if kind == "joiner":
        around = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
        is_in_emoji = text[at] == "\u200d" and JOINER.match(text, at) is None
        return is_in_emoji or _JOINED_SCRIPT.search(around) is not None
    if kind == "direction":
        return _RIGHT_TO_LEFT.search(text) is not None
    if kind == "selector":
        return STRAY_SELECTOR.match(text, at) is None
    if text[at] == "\u2800":
        return _BRAILLE.search(text) is not None
    # A control inside ì•ˆ belongs to `mojibake`.
    is_c1 = kind == "control" and text[at] > "\x7f"
    return is_c1 and bool(_MISREAD_BEFORE.search(text, max(0, at - 3), at) or _MISREAD_AFTER.match(text, at + 1))
