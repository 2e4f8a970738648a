"""Files of votes, of as many votes as there are, into one ranking; and the ranking in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dadeum.core.messages import Message, text
from dadeum.evaluation.comparison.votes_files import find_key, read_key
from dadeum.evaluation.comparison.votes_result import judge_votes
from dadeum.monitoring.pairwise import MIN_RATERS, Ballot, Ranking, ballots


def read_ballots(files: Sequence[Path]) -> list[Ballot]:
    """Each file is found its key; a file's name is the rater's, so one person names his files alike."""
    by_key: dict[Path, list[Path]] = {}
    for file in files:
        by_key.setdefault(find_key(file), []).append(file)
    found = []
    for path, given in by_key.items():
        key = read_key(path)
        found += ballots(key, judge_votes(key, given)[1])
    return found


def sentences(found: Ranking, language: str) -> list[str]:
    unit = Message(f"monitoring.pairwise.unit.{found.drawn}")
    told = {"votes": found.num_votes, "raters": found.num_raters, "models": len(found.models)}
    lines = [text("monitoring.pairwise.head", language, unit=unit, **told)]
    for place, one in enumerate(found.models, 1):
        figures = {"strength": one.strength.value, "low": one.strength.low, "high": one.strength.high}
        lines.append(
            text("monitoring.pairwise.line", language, place=place, name=one.name, chance=one.chance, **figures)
        )
    side = {"bias": found.side.value, "low": found.side.low, "high": found.side.high}
    lines.append(text("monitoring.pairwise.place", language, **side))
    lines.append(text("monitoring.pairwise.ties", language, share=found.tie_share))
    if found.is_separated:
        lines.append(text("monitoring.pairwise.separated", language))
    if found.num_raters < MIN_RATERS:
        lines.append(text("monitoring.pairwise.few_raters", language, raters=found.num_raters))
    return lines
