"""The conversations written one by one for this project, by category; a part of them is drawn evenly."""

from __future__ import annotations

from functools import cache
from importlib import resources
from random import Random

import yaml

from dadeum.core.errors import DataError
from dadeum.data.builders.made_topics import MadeRow


@cache
def conversations() -> dict[str, tuple[MadeRow, ...]]:
    """Category → its conversations, by file name."""
    folder = resources.files("dadeum.data.builders").joinpath("korean_sft")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    banks = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return {
        bank["category"]: tuple(
            MadeRow(bank["category"], tuple(turn.strip() for turn in turns)) for turns in bank["conversations"]
        )
        for bank in banks
    }


def korean_sft(num: int | None, seed: int) -> list[MadeRow]:
    """`num` conversations (None: all), as many of each category as there are; DataError when there are fewer."""
    draw = Random(seed)
    by_category = [draw.sample(rows, len(rows)) for rows in conversations().values()]
    total = sum(map(len, by_category))
    if num is not None and num > total:
        raise DataError("data.made.too_many", num=num, total=total, categories=len(by_category))
    draw.shuffle(by_category)
    longest = max(map(len, by_category), default=0)
    in_turns = [rows[place] for place in range(longest) for rows in by_category if place < len(rows)]
    chosen = in_turns[:num]
    draw.shuffle(chosen)
    return chosen
