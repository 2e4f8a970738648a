"""Rows to remove so that a phrase, a label or a source does not outweigh the rest, and answers not to learn from.

Each function gives the rows to remove by their index, with a detail that names no words of ours. What is drawn
hangs on the seed and on the rows' order only.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from dadeum.core.errors import DataError
from dadeum.core.korean import nfc, squash
from dadeum.core.korean_phrases import listed_phrase
from dadeum.data.nearest import nearest
from dadeum.data.repairs.row_kinds import RowKind
from dadeum.data.rows import Row
from dadeum.data.texts.boilerplate import find_phrases, folded

Gone = dict[int, str]
"""Index of a row to remove → detail."""


# -- answers --------------------------------------------------------------------------------------
def with_phrases(rows: Sequence[Row], kind: RowKind, phrases: Sequence[str]) -> Gone:
    """Rows whose answer has one of the phrases → the first such phrase."""
    wanted = {_plain(phrase): phrase for phrase in phrases}
    gone: Gone = {}
    for index, answers in enumerate(_answers(rows, kind, "drop_phrases")):
        said = "\n".join(map(_plain, answers))
        found = next((phrase for plain, phrase in wanted.items() if plain in said), None)
        if found is not None:
            gone[index] = found
    return gone


def _plain(text: str) -> str:
    return squash(nfc(text)).casefold()


def over_share(rows: Sequence[Row], kind: RowKind, share: float, seed: int) -> Gone:
    """Rows with a boilerplate phrase, drawn until these are at most `share` of all that is left → the phrase."""
    answers = _answers(rows, kind, "cap_phrase_share")
    phrase_of = _phrases([text for texts in answers for text in texts])
    having = {
        index: next(phrase_of[text] for text in texts if text in phrase_of)
        for index, texts in enumerate(answers)
        if any(text in phrase_of for text in texts)
    }
    kept = most_kept(len(rows) - len(having), share)
    return {index: having[index] for index in _drawn(list(having), kept, f"{seed}:cap_phrase_share")}


def _phrases(texts: Sequence[str]) -> dict[str, str]:
    """Answer → a boilerplate phrase in it: a listed one, else the commonest that this data set repeats."""
    mined = [phrase.text for phrase in find_phrases(texts)]
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        place = listed_phrase(text)
        if place is not None:
            found[text] = text[place[0] : place[1]]
        elif mined:
            said = folded(text)
            found[text] = next((phrase for phrase in mined if phrase in said), "")
    return {text: phrase for text, phrase in found.items() if phrase}


def most_kept(num_others: int, share: float) -> int:
    """Largest k with k / (num_others + k) ≤ share; exact, `share` taken as it is written in decimals."""
    exact = Fraction(str(share))
    return math.floor(exact * num_others / (1 - exact))


def mixed_speech(rows: Sequence[Row], kind: RowKind) -> Gone:
    """Rows with an answer that the check of this name would report → its polite and plain sentences."""
    from dadeum.core.speech import analyse
    from dadeum.data.texts.mixture import mixture
    from dadeum.data.texts.sentences import Answer

    answers = _answers(rows, kind, "trim_mixed_speech")
    distinct = list(dict.fromkeys(text for texts in answers for text in texts))
    mixed: dict[str, str] = {}
    for text, analysis in zip(distinct, analyse(distinct), strict=True):
        hit = mixture(Answer(0, "", text, analysis))
        if hit is not None and hit.found is not None:
            mixed[text] = f"{hit.found['polite']} / {hit.found['plain']}"
    found = {index: next((mixed[text] for text in texts if text in mixed), "") for index, texts in enumerate(answers)}
    return {index: detail for index, detail in found.items() if detail}


def _answers(rows: Sequence[Row], kind: RowKind, step: str) -> list[list[str]]:
    """The answers of every row. Raises DataError when no row has any: the step would do nothing, and say nothing."""
    answers = [kind.answers(row) for row in rows]
    if rows and not any(answers):
        raise DataError("data.repairs.no_answers", step=step, num_rows=len(rows))
    return answers


# -- numbers --------------------------------------------------------------------------------------
def balanced(rows: Sequence[Row], ratio: float, seed: int) -> Gone:
    """Drawn from every label (source, where no row has a label) with more than `ratio` × the rarest → its rows."""
    has_labels = any(row.label for row in rows)
    groups = _by(row.label if has_labels else row.source for row in rows)
    if not groups:
        return {}
    most = math.floor(Fraction(str(ratio)) * min(map(len, groups.values())))
    return _cut(groups, dict.fromkeys(groups, most), f"{seed}:balance")


def over_size(rows: Sequence[Row], sizes: Mapping[str, int], known: Sequence[str], seed: int) -> Gone:
    """Drawn from every source with more rows than its size → its rows. Raises DataError for an unknown source."""
    for name in sizes:
        if name not in known:
            raise DataError("data.repairs.unknown_source", name=name, near=nearest(name, known), known=", ".join(known))
    return _cut(_by(row.source for row in rows), sizes, f"{seed}:resample")


def _by(keys: Iterable[str]) -> dict[str, list[int]]:
    """Key → indices of its rows."""
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups


def _cut(groups: Mapping[str, list[int]], most: Mapping[str, int], seed: str) -> Gone:
    """What is too much of each group → `<rows it may have> / <rows it had>`."""
    gone: Gone = {}
    for name, indices in groups.items():
        for index in _drawn(indices, most.get(name, len(indices)), f"{seed}:{name}"):
            gone[index] = f"{most[name]:,} / {len(indices):,}"
    return gone


def _drawn(indices: Sequence[int], num_kept: int, seed: str) -> list[int]:
    """All of `indices` but `num_kept` of them, drawn by seed."""
    return random.Random(seed).sample(indices, max(0, len(indices) - num_kept))
