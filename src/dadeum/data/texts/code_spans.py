"""Code inside a text, where angle brackets and tokens are the subject and not a fault."""

from __future__ import annotations

import re

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def blank_code(text: str) -> str:
    """The text with fences and inline code as spaces: every place stays where it was."""
    if "`" not in text:
        return text
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
