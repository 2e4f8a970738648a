"""Make the synthetic dialogues of `dialogue-summary`: JSONL, the same bytes for the same seed.

Why synthetic: public dialogue sets may not be shipped. Every line is written for this project in
`demo_dialogues/*.yaml`: a matter (what it is about), extras, an opening and a closing that no summary speaks of.
A summary is the sentences of matter and extras with the values drawn for them, so the dialogue says all of it.
Run: python benchmarks/make_demo_dialogues.py   (writes src/dadeum/recipes/data/demo_dialogues.jsonl)
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SEED = 2025
USES = 3
"""Dialogues per matter, each with values, extras, opening and closing of its own."""
EXTRAS = (0, 1, 1, 1, 1, 2)
"""How many extras a dialogue has, drawn from these."""
OPENED, CLOSED, HESITANT = 0.9, 0.8, 0.12
"""Shares of dialogues with small talk before and thanks after, and of lines that begin with a filler word."""
ALIKE = 0.6
"""No two dialogues have character 3-grams this similar (Jaccard)."""
PARTS = Path(__file__).with_name("demo_dialogues")
OUTPUT = Path(__file__).parents[1] / "src/dadeum/recipes/data/demo_dialogues.jsonl"
_SLOT = re.compile(r"\{(\w+?)(\d?)(?:\|([가-힣]+))?\}")
_PARTICLES = {
    "은": "는", "이": "가", "을": "를", "과": "와", "으로": "로", "이라고": "라고", "이라": "라", "이나": "나",
    "이에요": "예요",
}  # fmt: skip
"""After a final consonant → after a vowel. Any other particle has one form."""
_FINAL_DIGITS = "013678"
Line = tuple[str, str]


@dataclass(frozen=True)
class Piece:
    """Lines (speaker X or Y, text) and the sentences of which one tells of them in the summary."""

    lines: tuple[Line, ...]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Style:
    """How one kind of people talk."""

    topics: dict[str, tuple[dict[str, list[str]], list[Piece]]]
    extras: list[Piece]
    openings: list[Piece]
    closings: list[Piece]
    fillers: list[str]


def load_styles(folder: Path = PARTS) -> tuple[list[Style], dict[str, list[str]]]:
    """All styles, and the values that any of them may draw."""
    values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
    styles = []
    for path in sorted(folder.glob("*.yaml")):
        part = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "topics" not in part:
            continue
        topics = {name: (topic["slots"], pieces(topic["matters"])) for name, topic in part["topics"].items()}
        extras, openings, closings = (pieces(part[name]) for name in ("extras", "openings", "closings"))
        styles.append(Style(topics, extras, openings, closings, values["fillers"][part["style"]]))
    return styles, values["slots"]


def pieces(text: str) -> list[Piece]:
    """Paragraphs of `X: …` and `Y: …` lines; a line `= … | …` has what a summary may say of them."""
    found = []
    for paragraph in text.strip().split("\n\n"):
        rows = [row.strip() for row in paragraph.strip().splitlines()]
        lines = tuple((row[0], row[3:]) for row in rows if row[0] in "XY")
        told = next((row[2:].split(" | ") for row in rows if row[0] == "="), [])
        found.append(Piece(lines, tuple(told)))
    return found


# -- words ----------------------------------------------------------------------------------------
def with_particle(word: str, particle: str) -> str:
    """은/는, 이/가, 을/를, … as the word's last sound asks. `#Person1#` is read as 일, `#Person2#` as 이."""
    last = word.rstrip("#")[-1]
    jamo = (ord(last) - 0xAC00) % 28 if "가" <= last <= "힣" else 8 if last in "178" else int(last in _FINAL_DIGITS)
    closed = bool(jamo) and not (particle == "으로" and jamo == 8)
    return word + (particle if closed else _PARTICLES.get(particle, particle))


def filled(text: str, chosen: dict[str, str], lists: dict[str, list[str]], draw: random.Random) -> str:
    """The text with its slots drawn; a slot of the same name keeps its value, `{날2}` is another day than `{날}`."""

    def value(slot: re.Match[str]) -> str:
        name, number, particle = slot.groups()
        key = name + number
        if key not in chosen:
            used = {taken for other, taken in chosen.items() if other.rstrip("0123456789") == name}
            chosen[key] = draw.choice([item for item in lists[name] if item not in used])
        return with_particle(chosen[key], particle) if particle else chosen[key]

    return _SLOT.sub(value, re.sub(r"(\{수2?\}) ", r"\1", text))


# -- dialogues ------------------------------------------------------------------------------------
def make_rows(seed: int = SEED) -> list[dict[str, str]]:
    """All dialogues in a drawn order, no two of them much alike."""
    draw = random.Random(seed)
    styles, values = load_styles()
    used: Counter[str] = Counter()
    rows: list[dict[str, str]] = []
    grams: list[set[str]] = []
    for style in styles:
        for topic, (slots, matters) in style.topics.items():
            for matter in matters:
                for _ in range(USES):
                    row, seen = _unlike(style, matter, values | slots, grams, used, draw)
                    rows.append({"topic": topic, **row})
                    grams.append(seen)
    draw.shuffle(rows)
    return [{"fname": f"demo_{number:03}", **row} for number, row in enumerate(rows, start=1)]


def _unlike(
    style: Style,
    matter: Piece,
    lists: dict[str, list[str]],
    grams: list[set[str]],
    used: Counter[str],
    draw: random.Random,
) -> tuple[dict[str, str], set[str]]:
    """A dialogue that is like none before, and its 3-grams."""
    for _ in range(50):
        row = dialogue(style, matter, lists, used, draw)
        seen = {row["dialogue"][at : at + 3] for at in range(len(row["dialogue"]) - 2)}
        if all(len(seen & other) < ALIKE * len(seen | other) for other in grams):
            return row, seen
    raise ValueError(f"no unlike dialogue in 50 draws: {matter.told[0]}")


def dialogue(
    style: Style, matter: Piece, lists: dict[str, list[str]], used: Counter[str], draw: random.Random
) -> dict[str, str]:
    """One row: dialogue and summary. Of the ways to tell a piece, the one that was used least."""
    extras = draw.sample(style.extras, draw.choice(EXTRAS))
    opening = [draw.choice(style.openings)] if draw.random() < OPENED else []
    closing = [draw.choice(style.closings)] if draw.random() < CLOSED else []
    told = [*opening, matter, *extras, *closing]
    first = told[0].lines[0][0]
    chosen = {"X": "#Person1#", "Y": "#Person2#"} if first == "X" else {"X": "#Person2#", "Y": "#Person1#"}
    lines: list[Line] = []
    for piece in told:
        for speaker, text in piece.lines:
            said = filled(text, chosen, lists, draw)
            if lines and lines[-1][0] == speaker:
                lines[-1] = (speaker, f"{lines[-1][1]} {said}")
                continue
            hesitant = lines and piece is matter and draw.random() < HESITANT
            lines.append((speaker, f"{draw.choice(style.fillers)} {said}" if hesitant else said))
    ways = [min(piece.told, key=lambda way: used[way]) for piece in told if piece.told]
    used.update(ways)
    summary = " ".join(filled(way, chosen, lists, draw) for way in ways)
    return {"dialogue": "\n".join(f"{chosen[who]}: {text}" for who, text in lines), "summary": summary}


def measures(rows: list[dict[str, str]]) -> dict[str, Any]:
    """Distinct words and word pairs per word, and lengths, of dialogues and of summaries."""
    found: dict[str, Any] = {"rows": len(rows), "topics": len({row["topic"] for row in rows})}
    for part in ("dialogue", "summary"):
        words = [row[part].split() for row in rows]
        for n in (1, 2, 3):
            grams = [tuple(text[at : at + n]) for text in words for at in range(len(text) - n + 1)]
            found[f"{part} distinct-{n}"] = round(len(set(grams)) / len(grams), 3)
        found[f"{part} characters"] = sorted(len(row[part]) for row in rows)[len(rows) // 2]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    rows = make_rows(options.seed)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    options.out.write_text(text, encoding="utf-8", newline="\n")
    print(f"{options.out}: {measures(rows)}")


if __name__ == "__main__":
    main()
