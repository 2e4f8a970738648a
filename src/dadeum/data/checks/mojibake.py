"""No text was decoded with the wrong encoding: ¾È³ç, ì•ˆë…•, characters lost to U+FFFD."""

from __future__ import annotations

from dadeum.core.findings import Severity, Span
from dadeum.core.mojibake import find_mojibake

CODE = "DA111"
NAME = "mojibake"
SEVERITY: Severity = "warn"
PARTS = "all"


def find(text: str) -> list[Span]:
    return find_mojibake(text)
