"""Make the synthetic talks of `career-counselling`: ChatML, one conversation a line, the same bytes for the same seed.

Why synthetic: real counselling may not be shipped. Every sentence is written by hand in `demo_counselling/*.yaml`;
planted HTML and double spaces let the cleaning steps show what they do.
Run: python benchmarks/make_demo_counselling.py   (writes src/dadeum/recipes/data/demo_counselling.jsonl)
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

SEED = 2025
TALKS = Path(__file__).with_name("demo_counselling")
RECIPE = Path(__file__).parents[1] / "src/dadeum/recipes/career-counselling.yaml"
OUTPUT = RECIPE.parent / "data/demo_counselling.jsonl"
DIRT = {"<br>": 5, "<p>": 3, "&nbsp;": 3, "  ": 6}
"""What is planted → in how many talks."""


@dataclass(frozen=True)
class Talk:
    """One conversation; the first line is the client's, the next the counsellor's, and so on."""

    topic: str
    lines: tuple[str, ...]
    dirt: str = ""


def load_talks(folder: Path = TALKS, recipe: Path = RECIPE) -> list[Talk]:
    """All talks, file by file; `{handoff}` is the sentence of the recipe."""
    handoff = yaml.safe_load(recipe.read_text(encoding="utf-8"))["task"]["handoff"]
    talks = []
    for path in sorted(folder.glob("*.yaml")):
        part = yaml.safe_load(path.read_text(encoding="utf-8"))
        for paragraph in part["talks"].replace("{handoff}", handoff).strip().split("\n\n"):
            talk = Talk(part["topic"], tuple(line.strip() for line in paragraph.strip().splitlines()))
            if len(talk.lines) % 2:
                raise ValueError(f"{path.name}: a talk must end with the counsellor: {talk.lines[0]}")
            talks.append(talk)
    return talks


def make_talks(seed: int = SEED) -> list[Talk]:
    """All talks in a drawn order, some of them dirty. No talk of a crisis is: there every letter counts."""
    draw = random.Random(seed)
    talks = load_talks()
    draw.shuffle(talks)
    clean = [at for at, talk in enumerate(talks) if "109" not in talk.lines[-1]]
    chosen = iter(draw.sample(clean, sum(DIRT.values())))
    for kind, count in DIRT.items():
        for at in (next(chosen) for _ in range(count)):
            talks[at] = soiled(talks[at], kind, draw)
    return talks


def soiled(talk: Talk, kind: str, draw: random.Random) -> Talk:
    """The talk with a remnant of a web page or of typing in one of its lines, where a sentence ends."""
    at = draw.randrange(len(talk.lines))
    line = talk.lines[at]
    if kind == "<p>":
        line = f"<p>{line}</p>"
    else:
        place = line.find(" ", len(line) // 2)
        line = line[:place] + kind + line[place + (kind != "&nbsp;") :] if place > 0 else line + kind
    return replace(talk, lines=(*talk.lines[:at], line, *talk.lines[at + 1 :]), dirt=kind)


def row(number: int, talk: Talk, system: str) -> dict[str, object]:
    """A line of the file."""
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}]
    messages += [{"role": roles[at % 2], "content": line} for at, line in enumerate(talk.lines)]
    return {"id": f"talk-{number:03}", "topic": talk.topic, "messages": messages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    system = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["task"]["instruction"]
    rows = [row(number, talk, system) for number, talk in enumerate(make_talks(options.seed), start=1)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in rows)
    options.out.write_text(text, encoding="utf-8", newline="\n")
    print(f"{options.out}: {len(rows)} talks")


if __name__ == "__main__":
    main()
