"""Prompt and lists of words for expanding examples, out of expanding.yaml."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Any

import yaml


def matching(name: str, text: str, but: Collection[str] = ()) -> str:
    """What the first pattern of that list finds in a text, those of `but` left out; empty for nothing."""
    found = (one.search(text) for pattern, one in _patterns(name).items() if pattern not in but)
    return next((match.group().strip() for match in found if match), "")


@cache
def _patterns(name: str) -> dict[str, re.Pattern[str]]:
    return {pattern: re.compile(pattern, re.IGNORECASE) for pattern in words()[name]}


@cache
def words() -> dict[str, Any]:
    """Prompt and lists of expanding.yaml."""
    file = resources.files("dadeum.data.builders").joinpath("expanding.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
