"""The bank of made mail: rules of the label, origins and topics, styles, and pairs of asks of which one is unwanted.

The Korean stands in `mail/*.yaml`; `rules.yaml` says what makes a mail BLOCK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

LABELS = ("ALLOW", "BLOCK")
_RULES = "rules.yaml"


@dataclass(frozen=True)
class Ask:
    """What a mail asks of its reader. The rule that it falls under decides the label."""

    label: str
    rule: str
    phrase: str
    """May have blanks; ends in a noun that takes 하다."""


@dataclass(frozen=True)
class Topic:
    """One matter that mail of an origin is about."""

    origin: str
    name: str
    senders: tuple[str, ...]
    heads: tuple[str, ...]
    files: tuple[str, ...]
    asks: tuple[tuple[Ask, Ask], ...]
    """Pairs, one ask of each label, in the order of LABELS."""


@dataclass(frozen=True)
class Bank:
    """All that mail is made of."""

    rules: Mapping[str, Mapping[str, str]]
    """Label → rule → what it says."""
    topics: tuple[Topic, ...]
    styles: Mapping[str, tuple[str, ...]]
    """Style → ways to put a subject together."""
    words: Mapping[str, tuple[str, ...]]
    endings: tuple[str, ...]
    """Of file names."""
    advert: str
    """What the law wants an advertisement marked with."""


@cache
def bank() -> Bank:
    """Of all bank files, by file and place."""
    folder = resources.files("dadeum.data.builders").joinpath("mail")
    read = {file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in folder.iterdir()}
    rules = read.pop(_RULES)
    topics = tuple(
        _topic(origin, name, tuple(told["senders"]), topic)
        for _, origins in sorted(read.items())
        for origin, told in origins.items()
        for name, topic in told["topics"].items()
    )
    styles = {name: tuple(lines.strip().splitlines()) for name, lines in rules["styles"].items()}
    words = {name: tuple(choices) for name, choices in rules["words"].items()}
    return Bank(rules["rules"], topics, styles, words, tuple(rules["endings"]), rules["advert"])


def _topic(origin: str, name: str, senders: tuple[str, ...], told: Mapping[str, Any]) -> Topic:
    asks = tuple(_pair(line) for line in told["asks"].strip().splitlines())
    return Topic(origin, name, senders, tuple(told["heads"]), tuple(told["files"]), asks)


def _pair(line: str) -> tuple[Ask, Ask]:
    """`known look it up | secret send the code`: a rule and a phrase of each label, in the order of LABELS."""
    sides = [side.strip().partition(" ") for side in line.split("|")]
    allow, block = (Ask(label, rule, phrase) for label, (rule, _, phrase) in zip(LABELS, sides, strict=True))
    return allow, block
