"""The clean steps of a recipe, by name. A step changes fields in place or throws rows out with a reason.

NFC and never NFKC; tags and entities only where they are HTML: "<치매 진단금>" in a subject is Korean
punctuation and stays.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import Any

from dadeum.core.korean import nfc, squash
from dadeum.core.plugins import find
from dadeum.core.recipe import CleanStep, Recipe
from dadeum.data.duplicates import near_copies
from dadeum.data.fingerprints import Memory
from dadeum.data.rows import Removed, Row, Value, remove

Clean = Callable[[str], str]

# -- HTML -----------------------------------------------------------------------------------------
_INLINE = "a abbr b big cite code del dfn em font i ins kbd mark o:p q s small span strike strong sub sup tt u"
_BLOCK = (
    "address article aside blockquote body br button center col colgroup dd div dl dt fieldset figcaption figure "
    "footer form frame h1 h2 h3 h4 h5 h6 head header hr html iframe img input label legend li link main map area "
    "meta nav object ol option p param pre section select source style script summary table tbody td textarea tfoot "
    "th thead title tr ul video audio"
)
_ATTRIBUTE = r"""\s+[a-z_:@][\w:.\-]*(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))?"""
_NAMES = "|".join(sorted(f"{_INLINE} {_BLOCK}".split(), key=len, reverse=True))
_TAG = re.compile(rf"<(/?)({_NAMES})((?:{_ATTRIBUTE})*)\s*/?>", re.IGNORECASE | re.ASCII)
_HIDDEN = re.compile(r"<!--.*?-->|<(script|style)\b[^<>]*>.*?</\1\s*>|<!doctype[^<>]*>", re.IGNORECASE | re.DOTALL)
# Only with a semicolon: "INV &copy.html" is a file name.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BLOCKS = frozenset(_BLOCK.split())


def strip_html(value: str) -> str:
    """Real HTML tags, comments, scripts and styles removed, entities read; other angle brackets untouched.

    A tag that parts lines or cells leaves a space. `<B>` alone may be a label in Korean text, so a tag of one
    letter without attributes goes only when its closing tag is there too.
    """
    if "<" in value:
        value = _TAG.sub(lambda tag: _replacement(tag, value), _HIDDEN.sub(" ", value))
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), value) if "&" in value else value


def _replacement(tag: re.Match[str], value: str) -> str:
    closing, name, attributes = tag[1], tag[2].lower(), tag[3]
    if len(name) == 1 and not closing and not attributes and f"</{name}" not in value.lower():
        return tag[0]
    return " " if name in _BLOCKS else ""


# -- spaces ---------------------------------------------------------------------------------------
# C0 and C1 controls except tab and line ends, soft hyphen, zero-width and direction marks, byte order mark,
# Hangul fillers, tag characters: nothing that a reader sees, much that a filter is fooled with.
_INVISIBLE_SET = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\uffa0\U000e0000-\U000e007f"
)
_INVISIBLE = re.compile(f"[{_INVISIBLE_SET}]")
# A joiner between two emoji is part of the emoji.
_EMOJI = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_JOINER = re.compile(f"(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])")
_FILLER = "\u3164"
_UNSEEN = re.compile(f"[{_INVISIBLE_SET}\u200d{_FILLER}]")


def squash_spaces(value: str) -> str:
    """Invisible characters removed, every run of white space one space, ends trimmed."""
    if not (value.isascii() and value.isprintable()) and _UNSEEN.search(value):
        value = _JOINER.sub("", _INVISIBLE.sub("", value.replace(_FILLER, " ")))
    return squash(value)


# -- steps ----------------------------------------------------------------------------------------
_TEXT_STEPS: dict[str, Clean] = {"nfc": nfc, "strip_html": strip_html, "squash_spaces": squash_spaces}


def apply_step(step: CleanStep, rows: list[Row], recipe: Recipe, memory: Memory) -> tuple[list[Row], list[Removed]]:
    """(rows that remain, in their order; the rest with reason and detail) after one step of `data.clean`."""
    if step in _TEXT_STEPS:
        _change_text(rows, _TEXT_STEPS[step], recipe)
        return rows, []
    if step == "drop_empty":
        return _part(rows, {index: "" for index, row in enumerate(rows) if not row.text.strip()}, "empty")
    if step == "drop_exact_duplicates":
        return _part(rows, _exact_copies(rows), "exact_duplicate")
    return _part(rows, _near_copies(rows, recipe.data.near_duplicate_similarity, memory), "near_duplicate")


def _change_text(rows: Iterable[Row], change: Clean, recipe: Recipe) -> None:
    task = recipe.task
    plain_text = find("tasks", task.type).plain_text
    for row in rows:
        fields = {name: _changed(value, change) for name, value in row.fields.items()}
        if fields != row.fields:
            row.fields, row.text = fields, plain_text(task, fields)
        row.reason = change(row.reason) if row.reason is not None else None


def _changed(value: Value, change: Clean) -> Value:
    if isinstance(value, str):
        return change(value)
    return [item for item in map(change, value) if item]


def _exact_copies(rows: list[Row]) -> dict[int, str]:
    """Index of every row whose text and label stood before → id of the first one."""
    first: dict[tuple[str, str], str] = {}
    copies = {}
    for index, row in enumerate(rows):
        kept = first.setdefault((row.text, row.label), row.id)
        if kept != row.id:
            copies[index] = kept
    return copies


def _near_copies(rows: list[Row], similarity: float, memory: Memory) -> dict[int, str]:
    """Index of every row that is nearly an earlier kept row of its label → id of that row and the similarity."""
    memory.of([row.text for row in rows])
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_label.setdefault(row.label, []).append(index)
    copies = {}
    for indices in by_label.values():
        for copy, (kept, value) in near_copies([rows[index].text for index in indices], similarity, memory).items():
            copies[indices[copy]] = f"{rows[indices[kept]].id} ({value:.2f})"
    return copies


def _part(rows: list[Row], gone: dict[int, Any], reason: str) -> tuple[list[Row], list[Removed]]:
    kept = [row for index, row in enumerate(rows) if index not in gone]
    return kept, [remove(rows[index], reason, detail) for index, detail in sorted(gone.items())]
