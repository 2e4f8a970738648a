"""Facts that are reckoned: a drawn situation in numbers, and everything that questions and answers say of it.

One function per `facts` of no_warning/reckoning.yaml, which holds the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

from dadeum.core.korean_writing import sino

Bank = Mapping[str, Any]
Facts = dict[str, Any]

_YEAR = 2026
_DAY_MINUTES, _NOON_HOUR = 1440, 12


def units(bank: Bank, draw: Random) -> Facts:
    unit = draw.choice(bank["units"])
    n = draw.randint(2, 60)
    row = {"small": unit["small"], "large": unit["large"], "factor": unit["factor"]}
    return row | {"thing": draw.choice(unit["things"]), "n": n, "result": n * unit["factor"]}


def discount(bank: Bank, draw: Random) -> Facts:
    good, price = draw.choice(bank["goods"])
    pct = draw.randrange(5, 65, 5)
    off = price * pct // 100
    return {
        "good": good,
        "price": price,
        "pct": pct,
        "off": off,
        "pay": price - off,
        "shop": draw.choice(bank["shops"]),
    }


def change(bank: Bank, draw: Random) -> Facts:
    (one, p), (two, q) = draw.sample(bank["goods"], 2)
    a, b = draw.randint(2, 6), draw.randint(2, 6)
    total = a * p + b * q
    paid = (total // 10_000 + 1) * 10_000
    sums = {"x": a * p, "y": b * q, "total": total, "paid": paid, "left": paid - total}
    return {"one": one, "two": two, "p": p, "q": q, "a": a, "b": b} | sums


def bulk(bank: Bank, draw: Random) -> Facts:
    n1, n2 = sorted(draw.sample([3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30], 2))
    u1, u2 = (unit * 10 for unit in draw.sample(range(25, 190), 2))
    best = n1 if u1 < u2 else n2
    prices = {"p1": n1 * u1, "p2": n2 * u2, "u1": u1, "u2": u2, "gap": abs(u1 - u2)}
    return {"good": draw.choice(bank["goods"]), "n1": n1, "n2": n2, "best": best} | prices


def travel(bank: Bank, draw: Random) -> Facts:
    vehicle, slowest, fastest = draw.choice(bank["vehicles"])
    speed, hours, has_half = draw.randrange(slowest, fastest + 1, 2), draw.randint(1, 7), draw.randrange(2)
    span = bank["spans"][has_half].format(h=hours)
    return {"vehicle": vehicle, "v": speed, "span": span, "d": speed * hours + has_half * speed // 2}


def share(bank: Bank, draw: Random) -> Facts:
    thing, counter = draw.choice(bank["things"])
    k, q = draw.randint(3, 12), draw.randint(2, 9)
    r = draw.randrange(1, k)
    counts = {"n": k * q + r, "k": k, "q": q, "r": r, "used": k * q}
    return {"thing": thing, "counter": counter, "group": draw.choice(bank["groups"])} | counts


def average(bank: Bank, draw: Random) -> Facts:
    subject, unit, least, most = draw.choice(bank["subjects"])
    mean, low, high = draw.randint(least, most), draw.randint(1, 9), draw.randint(1, 9)
    a, b, c = draw.sample([mean - low, mean + high, mean + low - high], 3)
    row = {"who": draw.choice(bank["who"]), "subject": subject, "unit": unit}
    return row | {"a": a, "b": b, "c": c, "total": 3 * mean, "mean": mean}


def dates(bank: Bank, draw: Random) -> Facts:
    event, goal = draw.choice(list(zip(bank["events"], bank["goals"], strict=True)))
    start, n = _day(draw), draw.randint(9, 120)
    end = start + timedelta(days=n)
    # Years are texts: numbers are written with a comma.
    row = {"event": event, "goal": goal, "year": str(start.year), "year2": str(end.year), "n": n}
    row |= {"m": start.month, "d": start.day, "m2": end.month, "d2": end.day}
    return row | {"weekday": bank["weekdays"][end.weekday()]}


def countdown(bank: Bank, draw: Random) -> Facts:
    """From March to the end of the year: the length of February is not told."""
    n = 7 * draw.randint(1, 12) + draw.randint(1, 6)
    start = date(_YEAR, 3, 1) + timedelta(days=draw.randrange(306 - n))
    end = start + timedelta(days=n)
    row = {"event": draw.choice(bank["events"]), "n": n, "weeks": n // 7, "rest": n % 7}
    return row | {"m": start.month, "d": start.day, "m2": end.month, "d2": end.day}


def _day(draw: Random) -> date:
    return date(_YEAR, 1, 1) + timedelta(days=draw.randrange(365))


def plan(bank: Bank, draw: Random) -> Facts:
    a, b, c = draw.sample(bank["todo"], 3)
    ta, tb, tc = (draw.randrange(10, 65, 5) for _ in range(3))
    start = draw.randrange(7 * 60, 20 * 60, 10)
    row = {"a": a, "b": b, "c": c, "ta": ta, "tb": tb, "tc": tc, "total": ta + tb + tc}
    times = {"start": start, "second": start + ta, "third": start + ta + tb, "end": start + ta + tb + tc}
    return row | {name: _clock(bank, minutes) for name, minutes in times.items()}


def _clock(bank: Bank, minutes: int) -> str:
    hour, minute = divmod(minutes % _DAY_MINUTES, 60)
    half = bank["halves"][hour >= _NOON_HOUR]
    hour = (hour - 1) % _NOON_HOUR + 1
    return str(bank["clock" if minute else "full"].format(half=half, h=hour, m=minute))


def more(bank: Bank, draw: Random) -> Facts:
    who, other = draw.sample(bank["who"], 2)
    thing, counter, did = draw.choice(bank["things"])
    a, b = draw.sample(range(6, 60), 2)
    winner, loser = (who, other) if a > b else (other, who)
    row = {"who": who, "other": other, "thing": thing, "counter": counter, "did": did, "a": a, "b": b}
    return row | {
        "winner": winner,
        "loser": loser,
        "high": max(a, b),
        "low": min(a, b),
        "gap": abs(a - b),
        "total": a + b,
    }


def reading(bank: Bank, draw: Random) -> Facts:
    thing, unit, digits = draw.choice(bank["things"])
    step = 10 ** (digits - draw.randint(3, 4))
    number = draw.randrange(10 ** (digits - 1), 10**digits, step)
    return {"thing": thing, "unit": unit, "number": number, "words": sino(number)}


def scale(bank: Bank, draw: Random) -> Facts:
    dish, (a, x, ux), (b, y, uy), (c, z, uz) = draw.choice(bank["dishes"])
    n = draw.randint(2, 15)
    row = {"dish": dish, "n": n, "a": a, "b": b, "c": c, "ux": ux, "uy": uy, "uz": uz}
    return row | {"x": x, "y": y, "z": z, "nx": n * x, "ny": n * y, "nz": n * z}
