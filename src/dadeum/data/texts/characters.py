"""HTML and invisible characters: patterns that find them, for checks, and functions that remove them, for cleaning.

Tags and entities only where they are HTML: "<치매 진단금>" in a subject is Korean punctuation and stays.
"""

from __future__ import annotations

import html
import re

from dadeum.core.korean import squash

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
TAG = re.compile(rf"<(/?)({_NAMES})((?:{_ATTRIBUTE})*)\s*/?>", re.IGNORECASE | re.ASCII)
_DOCTYPE = re.compile(r"<!doctype[^<>]*>", re.IGNORECASE)
_HIDDEN = tuple(
    (re.compile(f"{opens}.*?{closes}", re.IGNORECASE | re.DOTALL), re.compile(closes, re.IGNORECASE))
    for opens, closes in (
        ("<!--", "-->"),
        (r"<script\b[^<>]*>", r"</script\s*>"),
        (r"<style\b[^<>]*>", r"</style\s*>"),
    )
)
"""Comments, scripts and styles: (all of it, its end)."""
# Only with a semicolon: "INV &copy.html" is a file name.
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
BARE_ENTITY = re.compile(r"&(?:nbsp|quot|lt|gt|amp)(?![A-Za-z0-9;=_])")
"""Those that browsers read without their semicolon and that are no words: a name of `?a=1&lt=2` goes on."""
_CUT_NAMES = "|".join(sorted(set(_BLOCK.split()) & {
    "blockquote", "br", "button", "dd", "div", "dl", "dt", "h1", "h2", "h3", "hr", "html", "iframe", "img", "li", "ol",
    "script", "tbody", "td", "textarea", "th", "thead", "tr", "ul",
} | {"em", "font", "span", "strong"}, key=len, reverse=True))  # fmt: skip
CUT_TAG = re.compile(
    rf"""<(?:{_NAMES})\s+[a-z-]+\s*=[^<>\n]{{0,300}}\Z|<(?:{_CUT_NAMES})[\s/]*\Z|</[a-z]{{1,10}}\s*\Z"""
    r"""|\A[a-z]{0,10}\s?(?:(?:style|class|href|src|alt|target|align)=(?:"[^"<>\n]{0,300}"|'[^'<>\n]{0,300}')\s*)+/?>""",
    re.IGNORECASE | re.ASCII,
)
"""A tag that the end or the beginning of a text cuts through; without attributes only where its name is no word."""
_BLOCKS = frozenset(_BLOCK.split())


def strip_html(value: str) -> str:
    """Real HTML tags, comments, scripts and styles removed, entities read; other angle brackets untouched.

    A tag that parts lines or cells leaves a space. `<B>` alone may be a label in Korean text, so a tag of one
    letter without attributes goes only when its closing tag is there too.
    """
    if "<" in value or ">" in value:
        value = CUT_TAG.sub("", TAG.sub(lambda tag: _replacement(tag, value), without_hidden(value)))
    if "&" not in value:
        return value
    return BARE_ENTITY.sub(_read, ENTITY.sub(_read, value))


def _read(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def hidden_spans(value: str) -> list[tuple[int, int]]:
    """Where comments, scripts, styles and the doctype stand: (start, end), in their order."""
    spans = [match.span() for match in _DOCTYPE.finditer(value)]
    for hidden, closes in _HIDDEN:
        ends = [match.end() for match in closes.finditer(value)]
        if ends:  # After the last end nothing is hidden, and looking for one from every opening would take squares.
            spans += [match.span() for match in hidden.finditer(value, 0, ends[-1])]
    return sorted(spans)


def without_hidden(value: str) -> str:
    """A space in place of every hidden span."""
    parts, end = [], 0
    for start, stop in hidden_spans(value):
        if start >= end:
            parts.append(value[end:start])
        end = max(end, stop)
    return " ".join([*parts, value[end:]])


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
INVISIBLE = re.compile(f"[{_INVISIBLE_SET}]")
# A joiner between two emoji is part of the emoji.
_EMOJI = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
JOINER = re.compile(f"(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])")
# It says how a symbol or a keycap is drawn: after a letter, a space or a full stop it says nothing.
STRAY_SELECTOR = re.compile(r"(?<![^\sA-Za-z\u3131-\u3163\uac00-\ud7a3.,!?~:;()\[\]'\"/-])[\ufe0e\ufe0f]+")
_FILLER = "\u3164"
_BRAILLE_BLANK = re.compile("(?<![\u2800-\u28ff])\u2800+(?![\u2800-\u28ff])")
UNSEEN = re.compile(f"[{_INVISIBLE_SET}\u200d{_FILLER}\u2800\ufe0e\ufe0f]")


_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n{3,}")


def squash_spaces(value: str) -> str:
    """Invisible characters removed, every run of white space one space, ends trimmed."""
    return squash(_visible(value))


def squash_lines(value: str) -> str:
    """As `squash_spaces`, line by line: line ends, indentation and one blank line stay, for lists, verse and code."""
    lines = _LINE_END.sub("\n", _visible(value)).split("\n")
    return _BLANK_LINES.sub("\n\n", "\n".join(map(_squashed_line, lines))).strip()


def _squashed_line(line: str) -> str:
    words = line.lstrip()
    return line[: len(line) - len(words)] + squash(words) if words else ""


def _visible(value: str) -> str:
    if not (value.isascii() and value.isprintable()) and UNSEEN.search(value):
        seen = _BRAILLE_BLANK.sub(" ", value.replace(_FILLER, " "))
        return STRAY_SELECTOR.sub("", JOINER.sub("", INVISIBLE.sub("", seen)))
    return value
