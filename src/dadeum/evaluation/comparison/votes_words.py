"""The result of a vote in sentences, the conclusion last; what limits it stands before that."""

from __future__ import annotations

from collections.abc import Sequence

from dadeum.core.messages import text
from dadeum.evaluation.comparison.significance import SIGNIFICANT
from dadeum.evaluation.comparison.votes_result import Standing, Voter, VoteResult

_RELIABLE = 0.4
"""Alpha from which voters look at the same thing; Krippendorff asks for 0.667 where conclusions are drawn from it."""
_SHOWN = 10


def sentences(found: VoteResult, language: str | None = None) -> list[str]:
    head = {"a": found.a, "b": found.b, "num": found.num_rows, "voters": len(found.voters), "same": found.num_same}
    lines = [text("compare.votes.head", language, **head)]
    lines += [_voter(each, language) for each in found.voters]
    lines += [_missing(each, language) for each in found.voters if each.missing and len(found.voters) > 1]
    if found.unvoted:
        rows = _some(found.unvoted)
        lines.append(text("compare.votes.unvoted", language, num=len(found.unvoted), rows=rows))
    lines += _agreement(found, language)
    for each in found.voters:
        if each.side_p < SIGNIFICANT:
            side = {"name": each.name, "left": _left(each), "p": each.side_p}
            lines.append(text("compare.votes.side_bias", language, **side))
    return [*lines, _standing(found.standing, language), text(f"compare.votes.{_verdict(found.standing)}", language)]


def _standing(found: Standing, language: str | None) -> str:
    if found.share is None or found.low is None or found.high is None:
        return text("compare.votes.undecided", language, ties=found.ties)
    return text("compare.votes.standing", language, **found.model_dump())


def _verdict(found: Standing) -> str:
    if found.p >= SIGNIFICANT:
        return "unsure"
    return "better_b" if found.wins > found.losses else "better_a"


def _voter(each: Voter, language: str | None) -> str:
    counts = {"wins": each.standing.wins, "losses": each.standing.losses, "ties": each.standing.ties}
    side = {"left": _left(each), "p": each.side_p}
    return text("compare.votes.voter_line", language, name=each.name, num=each.num_votes, **counts, **side)


def _left(each: Voter) -> float:
    return each.left / (each.left + each.right) if each.left + each.right else 0.5


def _missing(each: Voter, language: str | None) -> str:
    rows = _some(each.missing)
    return text("compare.votes.missing", language, name=each.name, num=len(each.missing), rows=rows)


def _agreement(found: VoteResult, language: str | None) -> list[str]:
    if found.alpha is None:
        return []
    kappa = "" if found.kappa is None else text("compare.votes.and_kappa", language, kappa=found.kappa)
    lines = [text("compare.votes.agreement", language, alpha=found.alpha, kappa=kappa)]
    return [*lines, text("compare.votes.little_agreement", language, least=_RELIABLE)][: 1 + (found.alpha < _RELIABLE)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
