"""Line breaks undone: whether two lines are parted by a space, by nothing, or by a hyphen that goes.

Korean is broken inside words as often as between them. What the file says comes first (a space written at the end of
the line, a line that had room for more); then Kiwi: where it needs the two halves as one word, they are one. Where it
finds the same words either way the halves are two, unless the document itself writes them as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dadeum.core.morphemes import kiwi

HYPHEN = "-"
"""A joint whose hyphen belongs to the line break."""
_MAY_GO_ON = re.compile(r"[가-힣A-Za-z0-9%)\]」』’”]$")
"""A particle may follow."""
_HANGUL_START = re.compile(r"^[가-힣(]")
_WORD_END = re.compile("[A-Za-z]{2,}-$")
_WORD_START = re.compile("^[a-z]{2,}")
_OPEN_END = re.compile(r"[(\[{「『【〈《‘“/~·]$")
_CLOSE_START = re.compile(r"^[)\]}」』】〉》’”,.;:?!/~·%]")
_STRIPPED = "()[]{}「」『』【】〈〉《》‘’“”'\",.;:?!…"
_ONE_WORD = -1.0
"""Kiwi's log likelihood with a space less the one without, below which the halves are one word.

Of 2,175 breaks made in welfare texts after every 40 letters, 98 % at a space kept it and 88 % inside a word lost it;
most of the rest are compound nouns, which orthography leaves open.
"""
_WORDS_ALONE = ("MA", "MM", "IC")
_CONTEXT = 2
"""Words on each side that Kiwi sees."""
_SAMPLE = 200
_MAX_BROKEN = 0.03
"""Share of breaks inside words up to which a document is set to break between words only."""
_FEWEST = 5
_MIN_TOLD = 0.25
"""Share of spaces written at line ends from which a document is known to write them."""


@dataclass(frozen=True)
class Joint:
    """The end of a line and the beginning of the next one of the same paragraph."""

    left: str
    right: str
    space_is_written: bool = False
    had_room: bool = False
    """A letter would have fitted, the next word did not: the document was broken between words here."""
    is_narrow: bool = False
    """In a table cell: what holds for the document's paragraphs need not hold here."""


def decided(joints: Sequence[Joint], vocabulary: set[str]) -> list[str]:
    """Per joint " ", "" or HYPHEN."""
    found: list[str | None] = [_plain(joint) for joint in joints]
    open_wide = [index for index, how in enumerate(found) if how is None and not joints[index].is_narrow]
    if _writes_spaces(joints):
        _fill(joints, found, open_wide, vocabulary, is_written=True)
        open_wide = []
    tell = [index for index in open_wide if not _stands_close(joints[index])]
    sample = tell[:: max(len(tell) // _SAMPLE, 1)]
    _fill(joints, found, sample, vocabulary)
    broken = sum(found[index] == "" for index in sample) / max(len(sample), 1)
    if broken <= _MAX_BROKEN and len(sample) >= _FEWEST:
        for index in open_wide:
            found[index] = " "
    for index, joint in enumerate(joints):
        # Only what breaks inside words parts a number from its unit, or a word from its bracket.
        if found[index] is None and broken > _MAX_BROKEN and _stands_close(joint):
            found[index] = ""
    _fill(joints, found, [index for index, how in enumerate(found) if how is None], vocabulary)
    return [" " if how is None else how for how in found]


def _plain(joint: Joint) -> str | None:
    """What needs no Korean; None where the next line begins with Hangul that may belong to the word before."""
    if _WORD_END.search(joint.left) and _WORD_START.match(joint.right):
        return HYPHEN
    if joint.space_is_written or joint.had_room:
        return " "
    if _OPEN_END.search(joint.left) or _CLOSE_START.match(joint.right):
        return ""
    return None if _MAY_GO_ON.search(joint.left) and _HANGUL_START.match(joint.right) else " "


def _stands_close(joint: Joint) -> bool:
    """A number and its unit, a word and its bracket: Kiwi cannot tell, Korean mostly writes them together."""
    return joint.left[-1:].isdigit() or joint.right.startswith("(")


def _writes_spaces(joints: Sequence[Joint]) -> bool:
    """A document that writes the space at the end of a line wherever there is one tells it by its absence too."""
    wide = [joint for joint in joints if not joint.is_narrow and not joint.had_room]
    return bool(wide) and sum(joint.space_is_written for joint in wide) >= _MIN_TOLD * len(wide)


def _fill(
    joints: Sequence[Joint],
    found: list[str | None],
    places: Iterable[int],
    vocabulary: set[str],
    is_written: bool = False,
) -> None:
    """Ask Kiwi; with `is_written` only an adverb or its like, which begins a word always, has a space before it."""
    asked = list(places)
    ends = [(joints[index].left.split()[-_CONTEXT:], joints[index].right.split()[:_CONTEXT]) for index in asked]
    texts = [f"{' '.join(left)}{space}{' '.join(right)}" for left, right in ends for space in ("", " ")]
    distinct = list(dict.fromkeys(texts))
    read = dict(zip(distinct, (found[0] for found in kiwi().analyze(distinct)), strict=True)) if distinct else {}
    for number, (index, (left, right)) in enumerate(zip(asked, ends, strict=True)):
        (_, without), (tokens, with_space) = (read[text] for text in texts[2 * number : 2 * number + 2])
        if with_space - without < _ONE_WORD:
            found[index] = ""
        elif is_written:
            start = len(" ".join(left)) + 1
            found[index] = " " if any(t.start == start and t.tag.startswith(_WORDS_ALONE) for t in tokens) else ""
        else:
            found[index] = "" if (left[-1] + right[0]).strip(_STRIPPED) in vocabulary else " "


def words_of(lines: Iterable[str]) -> set[str]:
    """Words that no line break touches."""
    return {word.strip(_STRIPPED) for line in lines for word in line.split()[1:-1]}


def joined(lines: Sequence[str], hows: Sequence[str], changes: Counter[str]) -> str:
    """The lines as one text; counts what was done."""
    text = lines[0]
    for line, how in zip(lines[1:], hows, strict=True):
        changes[{" ": "lines_with_space", "": "lines_without_space", HYPHEN: "hyphens"}[how]] += 1
        text = text[:-1] + line if how == HYPHEN else text + how + line
    return text
