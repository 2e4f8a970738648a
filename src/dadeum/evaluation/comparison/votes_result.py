"""What people voted: wins of run B over run A with an exact test, whether voters agree, and whether a side won.

Several voters on one row are one judgement: the row goes to whoever most of them took. Rows are what the test and the
interval count, since votes on one row are not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.measured import Part
from dadeum.evaluation.agreement import cohen_kappa, krippendorff_alpha, sign_test
from dadeum.evaluation.comparison.votes import Key, KeyRow, row_hash
from dadeum.evaluation.comparison.votes_files import VOTE, read_cells, vote_words

_Z = 1.959963984540054
"""Of a 95 % interval."""
_SHOWN = 5
Given = Literal["a", "b", "tie"]
_CODES: dict[Given, int] = {"a": -1, "tie": 0, "b": 1}


class Standing(Part):
    """Run B against run A."""

    wins: int
    losses: int
    ties: int
    share: float | None
    """Of the rows that were decided, those that B won; None where none was."""
    low: float | None
    """Wilson's 95 % interval of it."""
    high: float | None
    p: float
    """Exact two-sided sign test over the decided rows."""


class Voter(Part):
    """One file; its name is the voter's."""

    name: str
    num_votes: int
    standing: Standing
    left: int
    """Votes for the answer that stood left."""
    right: int
    side_p: float
    """Sign test of left against right: a voter who likes a side tells little about the answers."""
    missing: list[str]
    """Rows without a vote."""


class VoteResult(Part):
    vote: str
    a: str
    b: str
    num_rows: int
    num_same: int
    """Rows that nobody saw, since both runs answered the same."""
    standing: Standing
    """Over rows: the majority of their voters."""
    voters: list[Voter]
    alpha: float | None = None
    """Krippendorff's ordinal alpha over all voters; None with one voter, or where all votes are the same."""
    kappa: float | None = None
    """Cohen's kappa of two voters on the rows that both judged."""
    unvoted: list[str]
    """Rows that nobody voted on."""


Votes = dict[str, Given]
"""row → whom the voter took."""


def read_votes(key: Key, paths: Sequence[Path]) -> VoteResult:
    """DataError where a file was edited, belongs to another vote, or holds votes that mean nothing."""
    result, _ = judge_votes(key, paths)
    return result


def judge_votes(key: Key, paths: Sequence[Path]) -> tuple[VoteResult, list[tuple[str, Votes]]]:
    """The result, and (voter, votes) of each file."""
    given = [(path.stem, *_votes_of(key, path)) for path in _different(paths)]
    voters = [
        Voter(
            name=name,
            num_votes=len(votes),
            standing=standing(list(votes.values())),
            left=sides.count("left"),
            right=sides.count("right"),
            side_p=sign_test(sides.count("left"), sides.count("right")),
            missing=[row.row for row in key.rows if row.row not in votes],
        )
        for name, votes, sides in given
    ]
    by_row = [found for row in key.rows if (found := majority([votes.get(row.row) for _, votes, _ in given]))]
    several = [votes for _, votes, _ in given]
    result = VoteResult(
        vote=key.vote,
        a=key.a,
        b=key.b,
        num_rows=len(key.rows),
        num_same=key.num_same,
        standing=standing(by_row),
        voters=voters,
        alpha=_alpha(key, several),
        kappa=_kappa(several),
        unvoted=[row.row for row in key.rows if not any(row.row in votes for votes in several)],
    )
    return result, [(name, votes) for name, votes, _ in given]


def preferences(key: Key, given: Sequence[tuple[str, Votes]]) -> list[dict[str, object]]:
    """Rows of a preference file of votes: prompt, answers of A and B, who won, who voted."""
    rows = {row.row: row for row in key.rows if row.prompt}
    return [
        {"prompt": rows[row].prompt, "a": rows[row].a, "b": rows[row].b, "winner": vote, "voter": name}
        for name, votes in given
        for row, vote in votes.items()
        if row in rows
    ]


def majority(votes: Sequence[Given | None]) -> Given | None:
    """Whom more voters took; as many on both sides is a tie, no vote at all None."""
    cast = [vote for vote in votes if vote]
    if not cast:
        return None
    balance = sum(_CODES[vote] for vote in cast)
    return "b" if balance > 0 else "a" if balance < 0 else "tie"


def standing(votes: Sequence[Given]) -> Standing:
    """Wins of B; its share of the decided with Wilson's interval.

    By hand: 8 wins, 2 losses: share 0.8, interval (0.8 + z²/20 ± z·√(0.8·0.2/10 + z²/400)) / (1 + z²/10),
    which is 0.490 to 0.943.
    """
    wins, losses = votes.count("b"), votes.count("a")
    decided = wins + losses
    share = low = high = None
    if decided:
        share, square = wins / decided, _Z**2
        middle = share + square / (2 * decided)
        reach = _Z * math.sqrt(share * (1 - share) / decided + square / (4 * decided**2))
        low, high = (max(0.0, min(1.0, (middle + sign * reach) / (1 + square / decided))) for sign in (-1, 1))
    p = sign_test(wins, losses)
    return Standing(wins=wins, losses=losses, ties=votes.count("tie"), share=share, low=low, high=high, p=p)


def _alpha(key: Key, given: Sequence[Votes]) -> float | None:
    if len(given) < 2:
        return None
    coded = [[_CODES[votes[row.row]] if row.row in votes else np.nan for row in key.rows] for votes in given]
    return _finite(krippendorff_alpha(np.array(coded, dtype=float)))


def _kappa(given: Sequence[Votes]) -> float | None:
    if len(given) != 2:
        return None
    both = [row for row in given[0] if row in given[1]]
    return _finite(cohen_kappa([given[0][row] for row in both], [given[1][row] for row in both]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- files ----------------------------------------------------------------------------------------
def _different(paths: Sequence[Path]) -> Sequence[Path]:
    """The same votes given twice would agree with themselves."""
    seen: dict[str, Path] = {}
    for path in paths:
        if path.stem in seen:
            raise DataError("compare.votes.same_voter", path=path, name=path.stem)
        seen[path.stem] = path
    return paths


def _votes_of(key: Key, path: Path) -> tuple[Votes, list[str]]:
    """(whom the voter took, by row; the sides that were taken)."""
    cells = read_cells(path)
    rows = {row.row: row for row in key.rows}
    _require_own(path, key, rows, cells)
    votes: Votes = {}
    sides: list[str] = []
    wrong: list[str] = []
    for line in cells:
        said = line[VOTE].strip().lower()
        side = vote_words().get(said)
        if said and side is None:
            wrong.append(f"{line['row']}: {line[VOTE].strip()[:20]}")
        if side is None:
            continue
        sides.append(side)
        votes[line["row"]] = _whom(rows[line["row"]], side)
    if wrong:
        known = " | ".join(dict.fromkeys(vote_words().values()))
        raise DataError("compare.votes.bad_votes", path=path, num=len(wrong), rows=_some(wrong), known=known)
    return votes, sides


def _whom(row: KeyRow, side: str) -> Given:
    if side == "tie":
        return "tie"
    return row.left if side == "left" else "b" if row.left == "a" else "a"


def _require_own(path: Path, key: Key, rows: dict[str, KeyRow], cells: list[dict[str, str]]) -> None:
    names = [line["row"] for line in cells]
    if not any(name in rows for name in names):
        found = names[0].rpartition("-")[0] if names else "-"
        raise DataError("compare.votes.other_key", path=path, vote=key.vote, found=found)
    if unknown := [name for name in names if name not in rows]:
        raise DataError("compare.votes.unknown_rows", path=path, num=len(unknown), rows=_some(unknown))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError("compare.votes.twice", path=path, num=len(twice), rows=_some(twice))
    edited = [line["row"] for line in cells if _hash(line) != rows[line["row"]].hash]
    if edited:
        raise DataError("compare.votes.edited", path=path, num=len(edited), rows=_some(edited))


def _hash(line: dict[str, str]) -> str:
    """Of what the voter was shown; columns that people added (a remark) are theirs."""
    shown = ("row", "question", "shown", "shown_left", "shown_right", "left", "right")
    return row_hash({name: line[name] for name in shown if name in line})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
