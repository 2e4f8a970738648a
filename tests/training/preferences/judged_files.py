"""A run of three short dialogues, and files of judgements on them, for the tests beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dadeum.core.examples import Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run

TASK = {"type": "chat", "instruction": "짧게 답하세요."}


def recipe(base: Path | str, **changes: Any) -> Recipe:
    """The task chat on a tiny model; one stage on pairs."""
    raw: dict[str, Any] = {
        "name": "tiny",
        "task": TASK,
        "model": {"base": str(base), "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"},
        "data": {"sources": [{"path": "unused.csv"}]},
        "render": {"max_length_tokens": 200},
        "stages": [stage("dpo", path="pairs.jsonl")],
        "evaluate": {"bootstrap_samples": 100},
    }
    return Recipe.model_validate(raw | changes)


def stage(method: str, name: str = "prefer", **pairs: Any) -> dict[str, Any]:
    settings = {"epochs": 1, "batch_size": 4, "learning_rate": 5e-3, "warmup": 0}
    return {"name": name, "method": method, "pairs": pairs, **settings}


def row(number: int, said: str, answer: str, split: str = "train") -> Example:
    system, user = {"role": "system", "content": TASK["instruction"]}, {"role": "user", "content": said}
    return Example(
        id=f"{split}:{number}",
        source="talk",
        origin="talk",
        group=f"{split}-{number}",
        text=said,
        prompt=[system, user],
        completion=[{"role": "assistant", "content": answer}],
        label="",
    )


def write_run(folder: Path, train: list[Example] | None = None) -> Run:
    """train: 안녕, 날씨, 점심; validation: 시험 전날; test: 이별."""
    import pyarrow.parquet as pq

    taught = [("안녕하세요", "네, 안녕하세요."), ("날씨 어때요?", "맑습니다."), ("점심은요?", "국수요.")]
    splits = {
        "train": train or [row(number, *both) for number, both in enumerate(taught)],
        "validation": [row(0, "내일이 시험이에요", "푹 쉬세요.", "validation")],
        "test": [row(0, "헤어졌어요", "힘드셨겠어요.", "test")],
    }
    run = Run(folder)
    for split, rows in splits.items():
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(rows), run.split_path(split))
    return run


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return path
