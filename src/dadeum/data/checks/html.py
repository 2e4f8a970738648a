"""No HTML left over from a web page or a mail: tags, comments, scripts, entities.

HTML that is the subject stays: in code, and in a text that speaks of it. So do marks of prompts (<article>…</article>),
`<br>` in a Markdown table and Korean angle brackets.
"""

from __future__ import annotations

import html.entities
import re

from dadeum.core.findings import Severity, Span
from dadeum.data.texts.characters import BARE_ENTITY, CUT_TAG, ENTITY, TAG, hidden_spans, without_hidden
from dadeum.data.texts.code_spans import blank_code

CODE = "DA115"
NAME = "html"
SEVERITY: Severity = "warn"
PARTS = "all"

_ABOUT = re.compile(
    r"\bX?HTML\b|\bCSS\b|\bXML\b|\bJSX\b|\bDOM\b|자바스크립트|javascript|마크업|마크다운|태그|웹\s?(?:페이지|사이트|개발)|크롤링"
    r"|브라우저|엔티티|selector|밑줄",
    re.IGNORECASE,
)
_PROMPT_MARKS = frozenset({
    "article", "body", "caption", "details", "footer", "header", "input", "label", "legend", "link", "main", "map",
    "meta", "object", "option", "q", "s", "section", "select", "source", "style", "summary", "table", "title",
})  # fmt: skip
"""Words of their own: without attributes they count only beside a tag that is nothing but HTML."""
_TABLE_LINE = re.compile(r"^\s*\|.*$", re.MULTILINE)


def find(text: str) -> list[Span]:
    """Kinds `tag`, `cut_tag`, `entity` and `hidden` (comment, script, style, doctype)."""
    if "<" not in text and "&" not in text and ">" not in text:
        return []
    prose = blank_code(text)
    hidden = hidden_spans(prose) if "<" in prose else []
    spans = [Span(start, end, "hidden") for start, end in hidden]
    spans += [Span(*match.span(), "entity") for match in ENTITY.finditer(prose) if _is_entity(match[0])]
    if "&" in prose:
        spans += [Span(*match.span(), "entity") for match in BARE_ENTITY.finditer(prose)]
    spans += [Span(*match.span(), "cut_tag") for match in CUT_TAG.finditer(prose)]
    for tag in _tags(prose):
        if not any(start <= tag.start() < end for start, end in hidden):
            spans.append(Span(*tag.span(), "tag"))
    return sorted(spans) if spans and not _ABOUT.search(_without_tags(prose)) else []


def _without_tags(text: str) -> str:
    """What a reader reads: `<meta name="css">` does not speak of CSS."""
    return TAG.sub(" ", without_hidden(text))


def _tags(text: str) -> list[re.Match[str]]:
    if "<" not in text:
        return []
    tables = [match.span() for match in _TABLE_LINE.finditer(text)] if "|" in text else []
    small = text.lower()
    tags = [match for match in TAG.finditer(text) if not _in_table(match, tables) and not _is_label(match, small)]
    sure = [match for match in tags if match[3] or match[2].lower() not in _PROMPT_MARKS]
    return tags if sure else []


def _in_table(tag: re.Match[str], tables: list[tuple[int, int]]) -> bool:
    return tag[2].lower() == "br" and any(start <= tag.start() < end for start, end in tables)


def _is_label(tag: re.Match[str], small: str) -> bool:
    """`<B>` alone, as in "<B> 동": no attributes, and no closing tag in the text (given in small letters)."""
    bare = len(tag[2]) == 1 and not tag[1] and not tag[3]
    return bare and f"</{tag[2].lower()}" not in small


def _is_entity(entity: str) -> bool:
    return entity.startswith("&#") or entity[1:] in html.entities.html5
