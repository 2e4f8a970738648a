"""Run folders as `evaluate` leaves them, written without a model: every figure of every row is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_json, write_jsonl
from dadeum.evaluation.answers.figures import Resampling
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores, SystemAnswers
from dadeum.evaluation.decide.scorers import Answers, score_system
from dadeum.evaluation.decide.scorers import Resampling as Drawing
from dadeum.evaluation.decide.scores import Sample, Scores

BETTER: dict[str, Any] = {
    "content_rouge_l": "higher", "rouge_1": "higher", "unsupported_numbers": "lower", "length_ratio": "neither",
}  # fmt: skip
RAW: dict[str, Any] = {
    "name": "tiny",
    "task": {"type": "summarize", "instruction": "요약하세요."},
    "model": {"base": "some/base", "adapter": {"type": "lora", "r": 4}},
    "data": {"sources": [{"path": "unused.csv"}]},
    "stages": [{"name": "sft", "method": "sft"}],
}
TRAINED: dict[str, Any] = {
    "num_trainable": 1200, "num_parameters": 100_000, "peak_memory_mb": 2048.0, "seconds": 60.0,
}  # fmt: skip


def columns(figure: float, num: int = 24, noise: float = 0.02, seed: int = 0, **others: float) -> dict[str, np.ndarray]:
    """Values per row around the given means."""
    chance = np.random.default_rng(seed)
    means = {"content_rouge_l": figure, "rouge_1": figure + 0.1} | others
    return {name: mean + noise * chance.normal(size=num) for name, mean in means.items()}


def written_run(
    folder: Path, tuned: dict[str, np.ndarray], systems: dict[str, dict[str, np.ndarray]] | None = None,
    seconds: float | None = 12.0, training: dict[str, Any] | None = TRAINED, ids: list[str] | None = None,
    test_hash: str = "same", answers: list[str] | None = None, manifest: dict[str, Any] | None = None, **sections: Any,
) -> Run:  # fmt: skip
    """A run that answered freely; `tuned` and `systems` give each figure of each row, NaN: not judged."""
    run = Run.create(Recipe.model_validate(RAW | sections), folder)
    all_systems = {"tuned": tuned} | (systems or {})
    num = len(next(iter(tuned.values())))
    ids = ids or [f"talk:{number}" for number in range(num)]
    resampling = Resampling(ids, 1, 200)
    scored = {
        name: SystemAnswers(
            metrics={metric: found for metric, column in values.items() if (found := resampling.mean(metric, column))},
            num_judged={},
            seconds=seconds if name == "tuned" else None,
        )
        for name, values in all_systems.items()
    }
    metrics = {name: better for name, better in BETTER.items() if name in tuned}
    scores = AnswerScores(
        task="summarize", metrics=metrics, num_rows={"train": 1, "validation": 1, "test": num}, num_answered=num,
        num_groups=num, max_new_tokens=64, systems=scored, counted=["content_rouge_l"], comparisons=[], gates=[],
        verdict="no_baseline", test_hash=test_hash, generation=run.recipe().generation,
    )  # fmt: skip
    samples = [
        AnswerSample(
            id=name, source="talk", origin="talk", group=name, question="", reference="",
            answers={"tuned": answers[row] if answers else ""}, cut_off=[],
            metrics={
                system: {metric: None if np.isnan(column[row]) else float(column[row]) for metric, column in of.items()}
                for system, of in all_systems.items()
            },
        )
        for row, name in enumerate(ids)
    ]  # fmt: skip
    write_json(run.scores_path, scores.model_dump(mode="json"))
    write_jsonl(run.samples_path, (sample.model_dump(mode="json") for sample in samples))
    told = {"training": {"sft": training}} if training else {}
    run.write_manifest(run.manifest() | told | (manifest or {}))
    return run


def decided_run(folder: Path, gold: str, predicted: str, test_hash: str = "same") -> Run:
    """A run that decides: `0011` are indices of BLOCK and ALLOW."""
    labels = ("BLOCK", "ALLOW")
    task = {"type": "decide", "instruction": "Is it spam?", "labels": labels, "input_fields": ["subject"]}
    run = Run.create(Recipe.model_validate(RAW | {"task": task}), folder)
    truth, said = (np.array([int(digit) for digit in digits]) for digits in (gold, predicted))
    scores = Scores(
        task="decide", labels=list(labels), positive="BLOCK", num_rows={"train": 0, "validation": 0, "test": len(gold)},
        systems={"tuned": score_system(labels, truth, Answers(said), Drawing(1, 200))}, calibration=None,
        generation=None, comparisons=[], gates=[], verdict="no_baseline", test_hash=test_hash,
    )  # fmt: skip
    write_json(run.scores_path, scores.model_dump(mode="json"))
    samples = [
        Sample(
            id=f"s:{row}", source="s", origin="s", text="", label=labels[g], predicted=labels[p], probabilities={},
            confidence=1.0, baselines={},
        )
        for row, (g, p) in enumerate(zip(truth, said, strict=True))
    ]  # fmt: skip
    write_jsonl(run.samples_path, (sample.model_dump(mode="json") for sample in samples))
    return run
