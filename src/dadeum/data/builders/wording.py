"""Facts about words: drawn from the banks of no_warning/language.yaml, one function per `facts` named there."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from dadeum.core.korean_writing import fitting, native

Bank = Mapping[str, Any]
Facts = dict[str, Any]

_NUM_SORTED, _NUM_KIN = 5, 3


def row(bank: Bank, draw: Random) -> Facts:
    """A whole row of the bank."""
    return dict(draw.choice(bank["rows"]))


def counters(bank: Bank, draw: Random) -> Facts:
    noun, counter, did = draw.choice(bank["things"])
    n = draw.randint(2, 29)
    return {"noun": noun, "counter": counter, "did": did, "n": n, "words": native(n)}


def honorifics(bank: Bank, draw: Random) -> Facts:
    return dict(draw.choice(bank["acts"])) | {"who": draw.choice(bank["who"])}


def josa(bank: Bank, draw: Random) -> Facts:
    noun = draw.choice(bank["nouns"])
    one, two = draw.choice(bank["pairs"])
    right = fitting(noun, one)
    because = bank["because"][right == one].format(last=noun[-1])
    wrong = two if right == one else one
    row = {"noun": noun, "one": one, "two": two, "right": right, "because": because}
    return row | {"joined": noun + right, "mistaken": noun + wrong}


def sorting(bank: Bank, draw: Random) -> Facts:
    given = draw.sample(bank["nouns"], _NUM_SORTED)
    ordered = sorted(given)  # the order of Hangul syllables is that of dictionaries
    joined = {"given": ", ".join(given), "ordered": ", ".join(ordered)}
    return joined | {"first": ordered[0], "final": ordered[-1]}


def odd(bank: Bank, draw: Random) -> Facts:
    kind, other_kind = draw.sample(list(bank["kinds"]), 2)
    kin, stranger = draw.sample(bank["kinds"][kind], _NUM_KIN), draw.choice(bank["kinds"][other_kind])
    given = draw.sample([*kin, stranger], _NUM_KIN + 1)
    names = {"stranger": stranger, "kind": kind, "other_kind": other_kind}
    return names | {"given": ", ".join(given), "others": ", ".join(word for word in given if word != stranger)}


def polite(bank: Bank, draw: Random) -> Facts:
    plain, formal = draw.choice(bank["acts"])
    return {"when": draw.choice(bank["when"]), "who": draw.choice(bank["who"]), "plain": plain, "polite": formal}


def notices(bank: Bank, draw: Random) -> Facts:
    old, new = draw.sample(bank["places"], 2)
    return {"old": old, "new": new} | {name: draw.choice(bank[name]) for name in ("event", "day", "time")}
