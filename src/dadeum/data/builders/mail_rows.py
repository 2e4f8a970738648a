"""Made mail with ALLOW or BLOCK, in pairs: one frame, sender, style, files, hour and weekday, and two things asked.

Nothing but what is asked of the reader tells the label, in every origin and every style. See mail/rules.yaml.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from random import Random
from typing import Any

from dadeum.data.builders.made_topics import alike, shingles
from dadeum.data.builders.mail_bank import Ask, Topic, bank

MOST_PER_COMBINATION = 3
"""Pairs made of one head and one pair of asks, each time in another style."""
_FILE_COUNTS = (0, 0, 0, 1, 1, 2)
_BLANK = re.compile(r"\{(\w+)\}")
_NEW_YEAR, _DAYS, _WEEK = datetime(2025, 1, 1), 365, timedelta(days=7)
_MIDDLE_OF_MONTH = 14

Pair = tuple["MailRow", "MailRow"]


@dataclass(frozen=True)
class MailRow:
    """One mail. Its `rule` is not written: it is the label by another name."""

    label: str
    rule: str
    origin: str
    topic: str
    style: str
    subject: str
    attachments: tuple[str, ...]
    received: datetime

    @property
    def said(self) -> str:
        """What a model reads by the recipe spam-agent."""
        return "\n".join((self.subject, *self.attachments))

    def as_json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "attachments": list(self.attachments),
            "label": self.label,
            "origin": self.origin,
            "style": self.style,
            "topic": self.topic,
            "received": f"{self.received.isoformat()}+09:00",
        }


@dataclass(frozen=True)
class _Frame:
    """What the two mails of a pair share."""

    topic: Topic
    style: str
    line: str
    words: dict[str, str]
    files: tuple[str, ...]
    received: datetime

    def mail(self, ask: Ask, received: datetime) -> MailRow:
        words = self.words | {"ask": _filled(ask.phrase, self.words)}
        return MailRow(
            ask.label, ask.rule, self.topic.origin, self.topic.name, self.style,
            _filled(self.line, words), self.files, received,
        )  # fmt: skip


def mail(num: int, seed: int) -> list[MailRow]:
    """Up to `num` rows by the time they came; fewer where nothing new is left. An odd number cuts the last pair."""
    topics = list(bank().topics)
    order = Random(f"{seed} mail")
    order.shuffle(topics)
    by_origin: dict[str, list[Iterator[Pair]]] = defaultdict(list)
    for topic in topics:
        by_origin[topic.origin].append(_pairs(topic, seed))
    pairs = _in_turn([_in_turn(drawn) for drawn in by_origin.values()])
    rows: list[MailRow] = []
    for pair in pairs:
        rows += pair
        if len(rows) >= num:
            break
    return sorted(rows[:num], key=lambda row: (row.received, row.subject))


def _in_turn(sources: list[Iterator[Pair]]) -> Iterator[Pair]:
    """One of each as long as they last, so that every origin and topic has its share."""
    return (pair for pair in chain.from_iterable(zip_longest(*sources)) if pair is not None)


def _pairs(topic: Topic, seed: int) -> Iterator[Pair]:
    """Pairs of a topic until heads, asks and styles have nothing new."""
    draw = Random(f"{seed} {topic.origin} {topic.name}")
    kept: list[frozenset[str]] = []
    styles: list[str] = []
    for head, asks in _combinations(topic, draw):
        if not styles:
            styles = sorted(bank().styles)
            draw.shuffle(styles)
        frame = _frame(topic, head, styles[-1], draw)
        received = [frame.received, _another_week(frame.received, draw)]
        draw.shuffle(received)
        pair = (frame.mail(asks[0], received[0]), frame.mail(asks[1], received[1]))
        ours = [shingles(row.said) for row in pair]
        if alike(*ours) or any(alike(one, other) for one in ours for other in kept):
            continue
        styles.pop()
        kept += ours
        # Not always the wanted one first: an odd number of rows cuts a pair.
        yield pair if draw.random() < 0.5 else pair[::-1]


def _combinations(topic: Topic, draw: Random) -> Iterator[tuple[str, tuple[Ask, Ask]]]:
    """Every head with every pair of asks, shuffled, and then again; asks take turns."""
    for _ in range(MOST_PER_COMBINATION):
        turns = []
        for asks in topic.asks:
            heads = list(topic.heads)
            draw.shuffle(heads)
            turns.append([(head, asks) for head in heads])
        for turn in zip(*turns, strict=True):
            yield from draw.sample(turn, len(turn))


def _frame(topic: Topic, head: str, style: str, draw: Random) -> _Frame:
    received = _NEW_YEAR + timedelta(days=draw.randrange(_DAYS), seconds=draw.randrange(86_400))
    words = {name: draw.choice(choices) for name, choices in bank().words.items()}
    words |= {"month": str(received.month), "d4": str(draw.randint(1000, 9999))}
    words |= {"sender": draw.choice(topic.senders), "short": topic.name, "head": _filled(head, words)}
    stems = draw.sample(topic.files, draw.choice(_FILE_COUNTS))
    files = tuple(f"{stem}_{draw.randint(10, 99)}.{draw.choice(bank().endings)}" for stem in stems)
    return _Frame(topic, style, draw.choice(bank().styles[style]), words, files, received)


def _another_week(received: datetime, draw: Random) -> datetime:
    """The same hour and weekday of the same month, which the subject may name."""
    weeks = draw.choice((1, 2)) * (1 if received.day <= _MIDDLE_OF_MONTH else -1)
    return received.replace(minute=draw.randrange(60), second=draw.randrange(60)) + weeks * _WEEK


def _filled(line: str, words: dict[str, str]) -> str:
    return _BLANK.sub(lambda match: words[match[1]], line)
