"""JSON objects in what a model wrote, whatever stands around them: a fence, a sentence, thinking aloud."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


def without_thought(reply: str) -> str:
    """What a model said after it had thought aloud."""
    return _THOUGHT.sub("", reply)


def objects_in(reply: str) -> Iterator[dict[str, Any]]:
    """JSON objects in their order, outer ones only."""
    text = without_thought(reply)
    decoder, start = json.JSONDecoder(), text.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(found, dict):
                yield found
        start = text.find("{", end)
