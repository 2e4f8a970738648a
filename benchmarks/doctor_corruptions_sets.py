"""Faults of whole data sets, of conversations and of files, for the checks that no single corrupted text can set off.

SETS: rows in, rows of a faulty data set out; the check must speak of it and be silent on the rows as they were.
ROWS: rows in; new rows and the ids of the faulty ones out. LINES: a line of JSONL in, an unreadable one out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from dadeum.core.examples import Example, Turn

_CUES: tuple[tuple[str, str], ...] = (
    (r"^", "당신은 이것에 대해 "),
    (r"^", "그녀는 "),
    (r"^", "나는 "),
    (r"([가-힣]{2,})(을|를) ", r"\1에 대한 것을 "),
    (r"(사람|친구|시간|일)", r"\1들"),
    (r"([가-힣]+)(이|가) 있", r"\1을 가지고 있"),
    (r"^", "중요한 것은 이것입니다. "),
)


# -- whole data sets --------------------------------------------------------------------------------
def single_class(rows: list[Example], chance: random.Random) -> list[Example]:
    kept = chance.choice(sorted({row.label for row in rows}))
    return [row for row in rows if row.label == kept]


def imbalance(rows: list[Example], chance: random.Random) -> list[Example]:
    """One row of the rare label for 11 to 40 of the other."""
    rare = chance.choice(sorted({row.label for row in rows}))
    common = [row for row in rows if row.label != rare]
    return common + [row for row in rows if row.label == rare][: max(1, len(common) // chance.randint(11, 40))]


def few_texts(rows: list[Example], chance: random.Random) -> list[Example]:
    """3 to 10 % of the rows, drawn over and over."""
    few = chance.sample(rows, max(2, len(rows) * chance.randint(3, 10) // 100))
    return [replace(chance.choice(few), id=row.id) for row in rows]


def source_shortcut(rows: list[Example], chance: random.Random) -> list[Example]:
    return [replace(row, source=f"file of {row.label}") for row in rows]


def field_shortcut(rows: list[Example], chance: random.Random) -> list[Example]:
    """One label comes at office hours, the other at any; 3 % exceptions."""
    office = chance.choice(sorted({row.label for row in rows}))
    timed = []
    for row in rows:
        is_office = (row.label == office) != (chance.random() < 0.03)
        hour = chance.randint(9, 17) if is_office else chance.choice((*range(0, 8), *range(20, 24)))
        timed.append(
            replace(row, extra={"time": f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)} {hour:02}:15:00"})
        )
    return timed


def translationese(rows: list[Example], chance: random.Random) -> list[Example]:
    """Cues that translations have more of, in two answers of five."""
    return [_translated(row, chance) if chance.random() < 0.4 else row for row in rows]


def _translated(row: Example, chance: random.Random) -> Example:
    text = row.completion[-1]["content"]
    for pattern, instead in chance.sample(_CUES, 3):
        text = re.sub(pattern, instead, text, count=1)
    return replace(row, completion=[{"role": "assistant", "content": text}])


# -- rows -------------------------------------------------------------------------------------------
def roles(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """System in the middle, two user turns in a row, an answer in the prompt without a question, an empty turn."""
    faulty = {row.id for row in chance.sample(rows, len(rows) // 20)}
    return [replace(row, prompt=_misordered(row.prompt, chance)) if row.id in faulty else row for row in rows], faulty


def _misordered(prompt: list[Turn], chance: random.Random) -> list[Turn]:
    user = prompt[-1]
    return chance.choice(
        [
            [user, {"role": "system", "content": "친절하게 답하세요."}, user],
            [user, user],
            [{"role": "assistant", "content": "네."}, user],
            [{"role": "user", "content": " "}, {"role": "assistant", "content": "네."}, user],
            [{"role": "bot", "content": "안녕하세요."}, user],
        ]
    )


def repeated_ids(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """A row gets the id of another one."""
    pairs = chance.sample(rows, len(rows) // 10)
    others = dict(zip([row.id for row in pairs[::2]], pairs[1::2], strict=True))
    new = [replace(row, extra={"id": others[row.id].extra["id"]}) if row.id in others else row for row in rows]
    return new, {*others, *(row.id for row in others.values())}


# -- lines of a file --------------------------------------------------------------------------------
def unreadable(line: str, chance: random.Random) -> str:
    """Cut off, a missing quote, a list, an answer that is a number or missing, a key twice."""
    return chance.choice(
        [
            line[: chance.randint(5, len(line) - 2)],
            line.replace('"', "", 1),
            f"[{line}]",
            re.sub(r'"answer": ".*"', '"answer": 3.5', line),
            re.sub(r', "answer": ".*"', "", line),
            line.replace("{", '{"question": "?", ', 1),
        ]
    )


SETS: dict[str, Callable[[list[Example], random.Random], list[Example]]] = {
    "single_class": single_class,
    "imbalance": imbalance,
    "few_texts": few_texts,
    "source_shortcut": source_shortcut,
    "field_shortcut": field_shortcut,
    "translationese": translationese,
}
ROWS = {"roles": roles, "repeated_ids": repeated_ids}
