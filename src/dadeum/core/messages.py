"""Sentences that users read, Korean first, from `locales/{ko,en}/<area>.yaml`; the area starts the key.

A large area has several files: `checks.yaml` and `checks.korean.yaml` both hold sentences of `checks`.
`text(key)` gives one language (`DADEUM_LANG`, default `ko`), `both(key)` Korean with English under it.
A `Message` as a value is a part of a sentence that has words of its own; it follows the sentence's language.
A missing key or placeholder is our bug and raises KeyError at once: a test holds both catalogues equal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

LANGUAGES = ("ko", "en")


@dataclass(frozen=True)
class Message:
    """A sentence or phrase not yet in a language: key and the values that fill it."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return text(self.key, **self.values)


def current_language() -> str:
    """`ko` unless DADEUM_LANG says `en`."""
    wanted = os.environ.get("DADEUM_LANG", "ko").lower()
    return "en" if wanted.startswith("en") else "ko"


@cache
def catalogue(language: str) -> dict[str, str]:
    """All messages of one language, nested keys joined with dots."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    messages: dict[str, str] = {}
    for file in resources.files("dadeum").joinpath(f"locales/{language}").iterdir():
        if file.name.endswith(".yaml"):
            area = file.name.split(".")[0]
            messages |= _flatten(yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}, f"{area}.")
    return messages


def _flatten(tree: dict[str, Any], prefix: str) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return flat


def text(key: str, language: str | None = None, /, **values: object) -> str:
    """The message `key` in `language`, placeholders filled."""
    language = language or current_language()
    filled = {
        name: text(value.key, language, **value.values) if isinstance(value, Message) else value
        for name, value in values.items()
    }
    return catalogue(language)[key].format(**filled)


def both(key: str, /, **values: object) -> str:
    """First the user's language, then the other one on the next line."""
    first = current_language()
    second = "en" if first == "ko" else "ko"
    return f"{text(key, first, **values)}\n  {text(key, second, **values)}"
