"""Pairs from a file of people's judgements: chosen and rejected, rated answers, or votes between two answers.

Rated: every two answers to one prompt are a pair, as far apart as their ratings (InstructGPT, arXiv:2203.02155, takes
all pairs too). Voted: all votes on the same two answers are one pair, as far apart as the shares of their votes.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from dadeum.core.examples import Turn
from dadeum.core.messages import text
from dadeum.training.preferences.kept import Found, LeftOut, Preference
from dadeum.training.preferences.prompts import Asked, Prompts, Unusable, turns_in
from dadeum.training.preferences.table import read_judgements, words

log = logging.getLogger(__name__)

Row = dict[str, Any]
Usable = list[tuple[str, Asked, Row]]
"""(`<file>:<row>`, its prompt, its cells)."""


def pairs_of_file(path: Path, prompts: Prompts) -> Found:
    """Every pair of the file, and every row that gives none with its reason; DataError where the file is no such."""
    read = read_judgements(path)
    usable: Usable = []
    found: Found = [LeftOut(where, "file", "bad_row", detail) for where, detail in read.broken]
    for where, row in read.rows:
        try:
            usable.append((where, *_asked(row, prompts)))
        except Unusable as error:
            found.append(LeftOut(where, "file", error.reason, error.detail))
    kinds: dict[str, Callable[[Usable], Iterator[Preference | LeftOut]]] = {
        "pairs": _pairs, "ratings": _ratings, "votes": _votes,
    }  # fmt: skip
    return [*found, *kinds[read.kind](usable)]


def _asked(row: Row, prompts: Prompts) -> tuple[Asked, Row]:
    """The row's prompt, and the row with its answers as texts."""
    row = dict(row)
    shared: list[Turn] = []
    if "chosen" in row and "rejected" in row:
        shared, row["chosen"], row["rejected"] = _split(row["chosen"], row["rejected"])
    for name in ("chosen", "rejected", "answer", "a", "b"):
        if name in row:
            row[name] = _answer(row[name])
    if shared:  # a prompt column beside whole conversations says the same once more
        return prompts.by_turns(shared), row
    given = row.get("prompt")
    if given is not None:
        turns = turns_in(given)
        return (prompts.by_text(str(given)) if turns is None else prompts.by_turns(turns)), row
    if "id" in row:
        return prompts.by_id(str(row["id"])), row
    raise Unusable("no_prompt")


def _split(chosen: Any, rejected: Any) -> tuple[list[Turn], Any, Any]:
    """What two conversations begin with, and what is left of each; texts have no such beginning."""
    one, other = turns_in(chosen), turns_in(rejected)
    if not one or not other or one[0]["role"] == "assistant":
        return [], chosen, rejected
    if one[:-1] != other[:-1]:
        raise Unusable("bad_row", "chosen and rejected answer different turns")
    return list(one[:-1]), one[-1:], other[-1:]


def _answer(cell: Any) -> str:
    turns = turns_in(cell)
    if turns is None:
        return str(cell).strip()
    if len(turns) != 1 or turns[0]["role"] != "assistant":
        raise Unusable("bad_row", "an answer is one assistant turn")
    return turns[0]["content"].strip()


def _pairs(rows: Usable) -> Iterator[Preference | LeftOut]:
    for where, asked, row in rows:
        if not row.get("chosen") or not row.get("rejected"):
            yield LeftOut(where, "file", "empty")
            continue
        gap = None
        if "chosen_rating" in row and "rejected_rating" in row:
            better, worse = _number(row["chosen_rating"]), _number(row["rejected_rating"])
            if better is None or worse is None:
                yield LeftOut(where, "file", "bad_row", f"{row['chosen_rating']} / {row['rejected_rating']}")
                continue
            # Scales differ between files of this kind; only a pair that its own ratings contradict is judged by them.
            gap = None if better > worse else 0.0
        yield Preference(where, "file", asked.group, asked.turns, row["chosen"], row["rejected"], "chosen", gap)


def _ratings(rows: Usable) -> Iterator[Preference | LeftOut]:
    by_prompt: dict[str, dict[str, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    asked_by: dict[str, Asked] = {}
    for where, asked, row in rows:
        rating = _number(row.get("rating"))
        if not row.get("answer"):
            yield LeftOut(where, "file", "empty")
        elif rating is None:
            yield LeftOut(where, "file", "bad_row", f"rating: {row.get('rating')}")
        else:
            asked_by[asked.key] = asked
            by_prompt[asked.key][row["answer"]].append((where, rating))
    width = _scale([one for answers in by_prompt.values() for given in answers.values() for _, one in given])
    for key, answers in by_prompt.items():
        rated = [_mean(answer, given) for answer, given in answers.items()]
        if len(rated) == 1:
            yield LeftOut(rated[0][0], "file", "alone")
        for pair in combinations(rated, 2):
            (worse_at, worse, less), (better_at, better, more) = sorted(pair, key=lambda one: one[2])
            asked, why = asked_by[key], f"rated {more:g} > {less:g}"
            where, gap = f"{better_at}+{worse_at}", (more - less) / width
            yield Preference(where, "file", asked.group, asked.turns, better, worse, why, gap)


def _mean(answer: str, given: list[tuple[str, float]]) -> tuple[str, str, float]:
    """(rows, answer, mean rating) of an answer that several people may have rated."""
    return "+".join(where for where, _ in given), answer, sum(one for _, one in given) / len(given)


def _scale(ratings: list[float]) -> float:
    """What counts as a gap of 1: 1, or what the file spans where ratings go beyond 0 to 1, which is said."""
    if not ratings or (min(ratings) >= 0 and max(ratings) <= 1):
        return 1.0
    low, high = min(ratings), max(ratings)
    log.warning(text("train.preferences.scaled", low=f"{low:g}", high=f"{high:g}"))
    return (high - low) or 1.0


def _votes(rows: Usable) -> Iterator[Preference | LeftOut]:
    counted: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    asked_by: dict[str, Asked] = {}
    for where, asked, row in rows:
        if not row.get("a") or not row.get("b"):
            yield LeftOut(where, "file", "empty")
            continue
        votes = _votes_of(row)
        if votes is None:
            said = row.get("winner", f"{row.get('votes_a')} / {row.get('votes_b')}")
            yield LeftOut(where, "file", "bad_row", f"winner: {said}")
            continue
        # Which of them stood left says nothing.
        swapped = row["a"] > row["b"]
        one, other = (row["b"], row["a"]) if swapped else (row["a"], row["b"])
        pair = (asked.key, one, other)
        counted[pair] = [sum(each) for each in zip(counted[pair], votes[::-1] if swapped else votes, strict=True)]
        places[pair].append(where)
        asked_by[asked.key] = asked
    for (key, one, other), (wins, losses) in counted.items():
        where, asked = "+".join(places[key, one, other]), asked_by[key]
        if wins == losses:
            yield LeftOut(where, "file", "tie", f"{wins:g}:{losses:g}")
            continue
        chosen, rejected = (one, other) if wins > losses else (other, one)
        why, gap = f"votes {max(wins, losses):g}:{min(wins, losses):g}", abs(wins - losses) / (wins + losses)
        yield Preference(where, "file", asked.group, asked.turns, chosen, rejected, why, gap)


def _votes_of(row: Row) -> tuple[float, float] | None:
    """Votes for a and for b; half each for a tie."""
    if "votes_a" in row and "votes_b" in row:
        one, other = _number(row["votes_a"]), _number(row["votes_b"])
        return None if one is None or other is None or min(one, other) < 0 else (one, other)
    said = str(row.get("winner", "")).strip().lower()
    winner = next((side for side, known in words()["winners"].items() if said in known), "")
    return {"a": (1.0, 0.0), "b": (0.0, 1.0), "tie": (0.5, 0.5)}.get(winner)


def _number(cell: Any) -> float | None:
    try:
        found = float(cell)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
