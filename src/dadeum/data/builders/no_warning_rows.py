"""Clean answers that begin with a full sentence: every answer is a function of its question, none twice.

Topics take turns, so that each has the same share as long as it has something new to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from dadeum.data.builders import reckoning, wording
from dadeum.data.builders.made_topics import Draw, MadeRow, drawn, topics

DRAWS: dict[str, Draw] = {
    function.__name__: function
    for function in (
        reckoning.units, reckoning.discount, reckoning.change, reckoning.bulk, reckoning.travel, reckoning.share,
        reckoning.average, reckoning.dates, reckoning.countdown, reckoning.plan, reckoning.more, reckoning.reading,
        reckoning.scale, wording.row, wording.counters, wording.honorifics, wording.josa, wording.sorting, wording.odd,
        wording.polite, wording.notices,
    )
}  # fmt: skip
"""What a bank file may name under `facts`."""


def no_warning(num: int, seed: int) -> list[MadeRow]:
    """Up to `num` rows, shuffled; fewer where the banks have no more that are new."""
    streams = {topic.name: drawn(topic, DRAWS[topic.facts], seed) for topic in topics()}
    rows: list[MadeRow] = []
    said: set[str] = set()
    while streams and len(rows) < num:
        for name in list(streams):
            row = _new(streams[name], said)
            if row is None:
                del streams[name]
            elif len(rows) < num:
                said.update(row.turns)
                rows.append(row)
    Random(seed).shuffle(rows)
    return rows


def _new(stream: Iterator[MadeRow], said: set[str]) -> MadeRow | None:
    """The next row of which no other topic has said a part; None at the end."""
    return next((row for row in stream if said.isdisjoint(row.turns)), None)
