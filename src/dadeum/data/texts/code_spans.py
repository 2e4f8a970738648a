"""Code inside a text, where angle brackets and tokens are the subject and not a fault."""

from __future__ import annotations

import re
from collections.abc import Callable

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def blank_code(text: str) -> str:
    """The text with fences and inline code as spaces: every place stays where it was."""
    if "`" not in text:
        return text
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """`change` applied to what lies between fences and inline code; the code stays as it is."""
    if "`" not in text:
        return change(text)
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(text[end:])])
