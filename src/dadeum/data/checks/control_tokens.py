"""No token of a chat template is typed into a message: the template adds its own, and a model ends where it should not.

Tokens in code are the subject of a text and stay. `<s>` is also HTML's strike-through.
"""

from __future__ import annotations

import re

from dadeum.core.findings import Severity, Span
from dadeum.data.texts.code_spans import blank_code

CODE = "DA116"
NAME = "control_tokens"
SEVERITY: Severity = "warn"
PARTS = "all"

_MAY_HAVE = re.compile(r"[<\[#]")
_TOKEN = re.compile(
    # ChatML, Llama 3, EXAONE 4, Phi, GPT-2: <|...|>, and DeepSeek's full-width bars.
    r"(?P<special><\s?[|｜][A-Za-z0-9_▁ .-]{1,40}[|｜]\s?>)"
    r"|(?P<exaone>\[\|(?:system|user|assistant|endofturn|tool)\|\])"
    r"|(?P<gemma></?(?:start_of_turn|end_of_turn|start_of_image)>)"
    r"|(?P<llama>\[/?INST\]|<</?SYS>>)"
    r"|(?P<edge><(?:bos|eos|pad|unk|sep|cls|mask)>|\[(?:BOS|EOS|PAD|UNK|CLS|SEP)\]|<\|?endoftext\|?>)"
)
_STRIKE = re.compile(r"</?s>")
_BLOCK = re.compile(
    r"^[ \t]*#{2,4}[ \t]?"
    r"(?P<name>instruction|input|response|output|human|user|assistant|지시문|지시|명령어|명령|입력|출력|응답|답변)"
    r"(?:[ \t]*(?P<colon>[:：])|[ \t]*$)",
    re.MULTILINE | re.IGNORECASE,
)
_SURE_BLOCKS = frozenset({"instruction", "지시문", "명령어"})
"""Headings that no document has; the others need a colon and a second one beside them."""


def find(text: str) -> list[Span]:
    """Kinds `special`, `exaone`, `gemma`, `llama`, `edge` (<bos>, </s>) and `block` (### Instruction:)."""
    if _MAY_HAVE.search(text) is None:
        return []
    text = blank_code(text)
    spans = [Span(*match.span(), match.lastgroup or "") for match in _TOKEN.finditer(text)]
    return sorted([*spans, *_edges(text), *_blocks(text)])


def _edges(text: str) -> list[Span]:
    """`<s>` and `</s>` at the edge of a line, beside each other or beside [INST]; between words they strike through."""
    if "s>" not in text:
        return []
    opened = "<s>" in text
    found = []
    for match in _STRIKE.finditer(text):
        before, after = text[: match.start()].rstrip(" \t"), text[match.end() :].lstrip(" \t")
        if match[0] == "<s>":
            is_edge = after.startswith("[INST]") or (not before and not 0 < text.find("</s>") < len(text.rstrip()) - 4)
        else:
            is_edge = not opened or not after.strip() or after.startswith("<s>")
        if is_edge:
            found.append(Span(*match.span(), "edge"))
    return found


def _blocks(text: str) -> list[Span]:
    if "##" not in text:
        return []
    matches = list(_BLOCK.finditer(text))
    names = {match["name"].lower() for match in matches}
    with_colon = {match["name"].lower() for match in matches if match["colon"]}
    if not names & _SURE_BLOCKS and len(with_colon) < 2:
        return []
    return [Span(match.start(), match.end(), "block") for match in matches]
