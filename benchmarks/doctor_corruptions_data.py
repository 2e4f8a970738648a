"""Seeded faults for the checks on learnability and leakage: real rows in, rows with a known fault out.

Every function gets rows of one data set (no more than about 10,000) and a random source, leaves the given list as it
is, and returns the new list with the ids of the rows that the check should point at. Rows whose split matters have it
in front of their id (`test/chat:12`); `splits_of` takes them apart again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from dadeum.core.examples import SPLITS, Example, Turn, answer_of
from dadeum.data.similar.duplicates import template_groups

Corruption = Callable[[list[Example], random.Random], tuple[list[Example], set[str]]]

SHARE = 0.05
"""Rows that get the fault, where the fault is one of single rows."""
_PARTICLES = {"은": "이", "는": "가", "이": "은", "가": "는", "을": "도", "를": "도", "에": "에는", "도": "은"}
_PARTICLE = re.compile(r"(?<=[가-힣]{2})([은는이가을를에도])(?= )")
_NUMBER = re.compile(r"\d+")
_MIN_CHARACTERS = 30
"""Shorter texts change too much with one particle to be called nearly equal by anybody."""
_LABEL_FORMS: tuple[Callable[[str], str], ...] = (
    lambda label: label + " ",
    lambda label: " " + label,
    lambda label: label[0] + " " + label[1:] if len(label) > 2 else label + "  ",
    lambda label: label.swapcase() if label.swapcase() != label else label + ".",
    lambda label: "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in label) + " ",
)


def splits_of(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Rows by the split in front of their id; train where there is none."""
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for example in examples:
        splits[split_of(example.id)].append(example)
    return splits


def split_of(row_id: str) -> str:
    return next((split for split in SPLITS if row_id.startswith(f"{split}/")), "train")


# -- repetition -----------------------------------------------------------------------------------
def duplicate(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Copies: word for word, or with another space, particle, number, or end of the sentence."""
    changes: list[Callable[[str, random.Random], str]] = [_same, _space, _particle, _number, _ending]
    return _copied(rows, chance, changes, "copy")


def repeat_ids(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Rows that carry the id of another row: both are pointed at."""
    rows = list(rows)
    ids = set()
    for place, other in zip(*_two_samples(rows, chance), strict=True):
        rows[place] = replace(rows[place], id=rows[other].id)
        ids.add(rows[other].id)
    return rows, ids


def give_many_answers(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Every row gets one of 5 to 30 prompts and one of 5 to 40 answers, drawn apart from each other."""
    prompts = chance.sample(rows, min(chance.randint(5, 30), len(rows)))
    answers = [row.completion for row in chance.sample(rows, min(chance.randint(5, 40), len(rows)))]
    changed = []
    for row in rows:
        asked = chance.choice(prompts)
        changed.append(replace(row, text=asked.text, prompt=asked.prompt, completion=chance.choice(answers)))
    return changed, {row.id for row in changed}


def give_one_answer(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """A quarter of the rows gets one of three canned answers: the longest of thirty that the data set has."""
    canned = sorted(map(answer_of, chance.sample(rows, min(30, len(rows)))), key=len)[-3:]
    chosen = set(chance.sample(range(len(rows)), len(rows) // 4))
    changed = [_answering(row, chance.choice(canned)) if place in chosen else row for place, row in enumerate(rows)]
    return changed, {rows[place].id for place in chosen}


def copy_inputs(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Answers that are the input: all of it, without its last word, or with a few words around it."""
    forms: list[Callable[[str], str]] = [
        lambda text: text,
        lambda text: text.rsplit(" ", 1)[0],
        lambda text: f"네, {text}",
        lambda text: f"{text}\n",
    ]
    chosen = _long(rows, chance, least=15)
    changed = list(rows)
    for place in chosen:
        changed[place] = _answering(rows[place], chance.choice(forms)(rows[place].prompt[-1]["content"]))
    return changed, {rows[place].id for place in chosen}


# -- labels ---------------------------------------------------------------------------------------
def flip_labels(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Labels replaced by another label of the set."""
    labels = sorted({row.label for row in rows})
    chosen = chance.sample(range(len(rows)), int(SHARE * len(rows)))
    changed = list(rows)
    for place in chosen:
        other = chance.choice([label for label in labels if label != rows[place].label])
        changed[place] = replace(rows[place], label=other)
    return changed, {rows[place].id for place in chosen}


def misspell_labels(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Labels with a space, another case, full-width letters or a full stop; rare beside the right spelling."""
    chosen = chance.sample(range(len(rows)), max(len(rows) // 200, 3))
    changed = list(rows)
    for place in chosen:
        changed[place] = replace(rows[place], label=chance.choice(_LABEL_FORMS)(rows[place].label))
    return changed, {rows[place].id for place in chosen}


def contradict(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Rows said again under another label: the row and its copy are pointed at."""
    labels = sorted({row.label for row in rows})
    chosen = chance.sample(rows, int(SHARE * len(rows)))
    copies = [
        replace(row, id=f"{row.id}/again", label=chance.choice([label for label in labels if label != row.label]))
        for row in chosen
    ]
    return _mixed([*rows, *copies], chance), {row.id for row in (*chosen, *copies)}


# -- splits ---------------------------------------------------------------------------------------
def leak(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """A split 8 : 1 : 1, and copies of training rows in validation and test, slightly changed.

    Rows that are alike already stay together (`template_groups`), so that the planted leaks are the only ones.
    """
    group_of = dict(zip((row.id for row in rows), template_groups([row.text for row in rows]).tolist(), strict=True))
    placed = _split(rows, chance, lambda row: str(group_of[row.id]))
    changes: list[Callable[[str, random.Random], str]] = [_same, _space, _particle, _number, _ending]
    train = [row for row in placed if split_of(row.id) == "train"]
    copies, ids = [], set()
    for row in chance.sample(train, int(SHARE * len(train))):
        split = chance.choice(SPLITS[1:])
        copy = _said(row, chance.choice(changes)(_asked(row), chance), f"{split}/{row.id.partition('/')[2]}/leak")
        copies.append(copy)
        ids.add(copy.id)
    return [*placed, *copies], ids


def leak_documents(rows: list[Example], chance: random.Random) -> tuple[list[Example], set[str]]:
    """Rows get documents of about four rows each, split by document; a fifth of the test asks about known ones."""
    documents = [f"doc-{number:05d}" for number in range(max(len(rows) // 4, 20))]
    about = {row.id: chance.choice(documents) for row in rows}
    placed = _split(rows, chance, lambda row: about[row.id])
    known = sorted({about[row.id.partition("/")[2]] for row in placed if split_of(row.id) == "train"})
    changed, ids = [], set()
    for row in placed:
        document = about[row.id.partition("/")[2]]
        if split_of(row.id) != "train" and chance.random() < 0.2:
            document = chance.choice([f"{chance.choice(known)}\n{document}", chance.choice(known)])
            ids.add(row.id)
        changed.append(replace(row, extra={**row.extra, "document": document}))
    return changed, ids


def _split(rows: list[Example], chance: random.Random, group: Callable[[Example], str]) -> list[Example]:
    names = sorted({group(row) for row in rows})
    place = {name: chance.choices(SPLITS, (8, 1, 1))[0] for name in names}
    return [replace(row, id=f"{place[group(row)]}/{row.id}") for row in rows]


# -- changes of a text ----------------------------------------------------------------------------
def _same(text: str, chance: random.Random) -> str:
    return text


def _space(text: str, chance: random.Random) -> str:
    """One space more, or one fewer."""
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    if not spaces:
        return text + " "
    place = chance.choice(spaces)
    return text[:place] + chance.choice(["", "  "]) + text[place + 1 :]


def _particle(text: str, chance: random.Random) -> str:
    found = list(_PARTICLE.finditer(text))
    if not found:
        return _ending(text, chance)
    match = chance.choice(found)
    return text[: match.start()] + _PARTICLES[str(match.group())] + text[match.end() :]


def _number(text: str, chance: random.Random) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return _space(text, chance)
    match = chance.choice(found)
    return text[: match.start()] + str(chance.randint(1, 10 ** len(match.group()))) + text[match.end() :]


def _ending(text: str, chance: random.Random) -> str:
    return text.rstrip(" .!?~") + chance.choice([".", "!", "?", "..", "~", ""])


# -- rows -----------------------------------------------------------------------------------------
def _copied(
    rows: list[Example], chance: random.Random, changes: Sequence[Callable[[str, random.Random], str]], mark: str
) -> tuple[list[Example], set[str]]:
    copies = []
    for place in _long(rows, chance):
        row = rows[place]
        copies.append(_said(row, chance.choice(changes)(_asked(row), chance), f"{row.id}/{mark}"))
    # Copies stand behind all rows, so that it is they and not the rows that repeat.
    return [*rows, *copies], {row.id for row in copies}


def _long(rows: list[Example], chance: random.Random, least: int = _MIN_CHARACTERS) -> list[int]:
    places = [place for place, row in enumerate(rows) if len(_asked(row)) >= least]
    return chance.sample(places, min(len(places), max(int(SHARE * len(rows)), 3)))


def _asked(row: Example) -> str:
    return row.text if row.label else row.prompt[-1]["content"]


def _said(row: Example, text: str, row_id: str) -> Example:
    """The row with another text of its input."""
    if row.label:
        return replace(row, id=row_id, text=text)
    turns: list[Turn] = [*row.prompt[:-1], {"role": "user", "content": text}]
    return replace(row, id=row_id, prompt=turns, text=row.text.replace(row.prompt[-1]["content"], text))


def _answering(row: Example, answer: str) -> Example:
    return replace(row, completion=[{"role": "assistant", "content": answer}])


def _two_samples(rows: list[Example], chance: random.Random) -> tuple[list[int], list[int]]:
    num = int(SHARE * len(rows))
    places = chance.sample(range(len(rows)), 2 * num)
    return places[:num], places[num:]


def _mixed(rows: list[Example], chance: random.Random) -> list[Example]:
    return chance.sample(rows, len(rows))


CORRUPTIONS: dict[str, Corruption] = {
    "duplicates": duplicate,
    "schema": repeat_ids,
    "many_answers": give_many_answers,
    "many_prompts": give_one_answer,
    "answer_copied": copy_inputs,
    "label_noise": flip_labels,
    "label_spelling": misspell_labels,
    "conflicting_labels": contradict,
    "split_leakage": leak,
    "group_leakage": leak_documents,
}
"""Check → what puts its fault into rows. Labels are needed by those named after labels and by conflicting_labels."""
