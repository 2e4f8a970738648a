"""A tiny model that answers, and rewards that a test can check."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from tests import tiny

from dadeum.core.examples import Example, to_table

ANSWERS = ("회의 일정 안내드립니다.", "무료 당첨 안내입니다.")


def rows(first: int, number: int) -> list[Example]:
    return [
        Example(
            id=f"talk:{n}",
            source="talk",
            origin="talk",
            group=str(n),
            text=f"회의 일정 {n}",
            prompt=[{"role": "user", "content": "회의 일정 " * (1 + n % 3) + str(n)}],
            completion=[{"role": "assistant", "content": ANSWERS[n % 2]}],
            label="",
            rejected=[],
            extra={},
        )
        for n in range(first, first + number)
    ]


def write_splits(run: Any, sizes: tuple[int, int] = (8, 4)) -> None:
    import pyarrow.parquet as pq

    for split, first, number in (("train", 0, sizes[0]), ("validation", sizes[0], sizes[1])):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(rows(first, number)), run.split_path(split))


def recipe(base: Path | str, method: str, adapter: str = "lora", **stage: Any) -> Any:
    given = {
        "name": method,
        "method": method,
        "rewards": {"letters": 1.0},
        "epochs": 10,
        "batch_size": 8,
        "generations": 4,
        "max_new_tokens": 6,
        "learning_rate": 2e-2,
        "scheduler": "constant",
        "warmup": 0,
        "beta": 0.0,
    }
    return tiny.decide_recipe(
        base,
        task={"type": "chat"},
        model={
            "base": str(base),
            "adapter": {"type": adapter, "r": 8, "alpha": 16} if adapter == "lora" else {"type": "none"},
            "precision": "fp32",
        },
        stages=[given | stage],
    )


def letters(work: Any, asked: list[Example], answers: list[str]) -> np.ndarray:
    """Share of ASCII letters: half of a random tiny model's characters or fewer."""
    return np.array([np.mean([one.isascii() and one.isalpha() for one in answer] or [0]) for answer in answers])


def use_rewards(monkeypatch: Any, **rewards: Any) -> None:
    """Rewards by name, in place of the files."""
    from dadeum.training.rewards import base

    def find(package: str, name: str) -> ModuleType:
        module = ModuleType(name)
        module.rate = rewards[name]  # type: ignore[attr-defined]
        return module

    monkeypatch.setattr(base, "find", find)
