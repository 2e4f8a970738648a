"""What in a text is the writer's own prose, and what is code, a link, a quotation or a line of a list or dialogue.

Everything here keeps the length of the text, so that a place found in the result is the same place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CODE = re.compile(
    r"```.*?(?:```|\Z)"  # a fence, closed or running to the end
    r"|`[^`\n]*`"
    r"|\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)"  # formulas
    r"|https?://[^\s)>\]가-힣]+|www\.[^\s)>\]가-힣]+"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|</?[A-Za-z][^<>\n]*>",
    re.DOTALL,
)
_HAS_CODE = re.compile(r"[`$\\@<]|://|www\.")
_QUOTED = re.compile(
    r"“[^”]*”|‘[^’\n]*’|「[^」]*」|『[^』]*』|《[^》]*》|〈[^〉]*〉"
    r"|(?<![\w\"])\"[^\"\n]+\"|(?<![\w'])'[^'\n]+'"
    r"|[(（\[][^()（）\[\]\n]*[)）\]]"
)
_HAS_QUOTE = re.compile(r"[“‘「『《〈\"'(（\[]")
_ASIDE_LINE = re.compile(
    r"^[ \t]*(?:"
    r"[-*•·▶▷■□●○◦※>|✓✔→①-⑳ⓐ-ⓩ]|#+\s"  # items, quotations, tables, headings
    r"|\d{1,3}[.)]|[가-힣A-Za-z][.)](?=\s)|[ⅰ-ⅻⅠ-Ⅻ]"
    r"|[^\s:：][^:：\n.?!]{0,14}[:：]"  # a speaker, or a term that is explained
    r").*$",
    re.MULTILINE,
)


def without_code(text: str) -> str:
    """The text with code, formulas, tags, links and addresses as spaces."""
    return _CODE.sub(_blank, text) if _HAS_CODE.search(text) else text


def without_quotations(text: str) -> str:
    """The text with what stands in quotation marks and brackets, marks included, as spaces."""
    return _QUOTED.sub(_blank, text) if _HAS_QUOTE.search(text) else text


def own_prose(text: str) -> str:
    """The text with code, quotations, list items, headings and lines of speakers as spaces."""
    return _ASIDE_LINE.sub(_blank, without_quotations(without_code(text)))


def sentences(text: str) -> Iterator[re.Match[str]]:
    """Stretches between sentence marks and line breaks, by punctuation alone: quick, and good enough to count."""
    return _SENTENCE.finditer(text)


_SENTENCE = re.compile(r"[^\s.!?…。](?:[^.!?…。\n]+|\.(?=\w))*")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())
