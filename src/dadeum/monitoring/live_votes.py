"""A blind vote over live answers: what people asked, answered by two versions, one of them unseen (shadow).

The files are those of `dadeum votes make`; read and ranked the same way. Contents are masked as the log keeps them.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dadeum.core.errors import RunError
from dadeum.core.examples import Turn
from dadeum.evaluation.comparison.votes import Key, KeyRow, Shown, System, Vote, fields, row_hash
from dadeum.evaluation.comparison.votes_files import write_vote
from dadeum.gateway.experiments import Experiment
from dadeum.gateway.store.entries import Entry, Store
from dadeum.training.preferences.prompts import Unusable, turns_in


@dataclass(frozen=True)
class Pair:
    """One question and what both versions said."""

    id: str
    user: str
    question: str
    first: str
    second: str


def pairs(store: Store, experiment: Experiment, first: str, second: str) -> tuple[list[Pair], str, int]:
    """(pairs of these two versions, task, pairs without content). Either one may have been the visible answer."""
    seen: dict[str, Entry] = {}
    found, without, task = [], 0, ""
    for entry in store.entries(since=experiment.since):
        if entry.experiment != experiment.name or entry.version not in (first, second):
            continue
        if not entry.shadow_of:
            seen[entry.request_id] = entry
            continue
        shown = seen.get(entry.shadow_of)
        if shown is None or shown.version == entry.version:
            continue
        if not (shown.question and shown.answer and entry.answer):
            without += 1
            continue
        texts = (shown.answer, entry.answer) if shown.version == first else (entry.answer, shown.answer)
        found.append(Pair(shown.request_id, shown.user or shown.request_id, shown.question, *texts))
        task = shown.task
    return found, task, without


def draw_live_vote(
    store: Store, experiment: Experiment, first: str, second: str, number: int = 50, seed: int = 42
) -> Vote:
    """`number` questions that two versions answered differently, one per user before a second of any.

    RunError where no such pair was logged.
    """
    known, task, without = pairs(store, experiment, first, second)
    differing = [pair for pair in known if pair.first.split() != pair.second.split()]
    if not differing:
        told = {"experiment": experiment.name, "first": first, "second": second, "num": without}
        raise RunError("monitoring.live.votes.none", **told)
    drawn = _drawn(differing, number, seed)
    sides = _sides(len(drawn), seed)
    name = "v" + row_hash({"pairs": json.dumps([[pair.id, pair.first, pair.second] for pair in drawn])})[:7]
    rows, keys = [], []
    for place, (pair, left) in enumerate(zip(drawn, sides, strict=True), 1):
        texts = (pair.first, pair.second) if left == "a" else (pair.second, pair.first)
        prompt = [{"role": turn["role"], "content": turn["content"]} for turn in _turns(pair.question)]
        said = [turn["content"] for turn in prompt if turn["role"] != "system"]
        asked = said[0] if len(said) == 1 else pair.question
        shown = Shown(f"{name}-{place:03d}", asked, {}, *texts)
        hashed = row_hash(fields(shown))
        keys.append(
            KeyRow(row=shown.row, id=pair.id, hash=hashed, left=left, prompt=prompt, a=pair.first, b=pair.second)
        )
        rows.append(shown)
    same, rest = len(known) - len(differing), len(differing) - len(drawn)
    key = Key(vote=name, task=task, a=first, b=second, seed=seed, num_same=same, num_not_drawn=rest, rows=keys)
    return Vote(rows, key)


def write_live_vote(
    store: Store, experiment: Experiment, versions: tuple[str, str], path: Path, number: int = 50, seed: int = 42
) -> tuple[Path, Path]:
    """`votes.csv`, its page and its key, as `dadeum votes make` writes them; (page, key)."""
    return write_vote(draw_live_vote(store, experiment, *versions, number, seed), path)


def _drawn(known: Sequence[Pair], number: int, seed: int) -> list[Pair]:
    shuffled = list(known)
    random.Random(seed).shuffle(shuffled)
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int, Pair]] = []
    for pair in shuffled:
        seen[pair.user] += 1
        turns.append((seen[pair.user], len(turns), pair))
    return [pair for _, _, pair in sorted(turns, key=lambda turn: turn[:2])][:number]


def _turns(question: str) -> list[Turn]:
    """A conversation stands in the log as JSON of its turns; a question as it is."""
    try:
        found = turns_in(question)
    except Unusable:
        found = None
    return found or [{"role": "user", "content": question}]


def _sides(number: int, seed: int) -> list[System]:
    """Each version left half of the time."""
    chance = random.Random(f"left {seed}")
    sides: list[System] = ["a" if place % 2 else "b" for place in range(number)]
    chance.shuffle(sides)
    return sides
