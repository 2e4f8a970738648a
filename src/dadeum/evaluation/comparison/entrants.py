"""One run in a comparison: how it was trained, what that cost, how it writes, and its figures on the test rows.

What nobody measured stays None and is shown as not measured, never as 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.examples import asked_hash, read_examples
from dadeum.core.measured import Measured
from dadeum.core.model import Lora, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.words import MISSING
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.decide.scores import Scores, SystemScores
from dadeum.evaluation.retrieve.compare import OF_MEANING
from dadeum.evaluation.retrieve.scores import SHOWN, RetrievalScores
from dadeum.evaluation.retrieve.words import joined

AnyScores = Scores | AnswerScores | RetrievalScores
_TIME = re.compile(r"\d{8}-\d{6}(-\d+)?")
OF_DECISIONS = ("accuracy", "macro_f1", "roc_auc", "average_precision", "ece", "brier")


@dataclass(frozen=True)
class Cost:
    """Of all stages together; None: not measured."""

    num_trainable: int | None
    num_parameters: int | None
    peak_memory_mb: float | None
    training_seconds: float | None
    seconds_per_row: float | None
    """Wall time per answered test row."""


@dataclass(frozen=True)
class Entrant:
    name: str
    """The shortest end of the folder's path that tells the runs apart."""
    folder: Path
    recipe: Recipe
    method: str
    """`sft → dpo`: the methods of all stages, or how an ensemble was made."""
    adapter: str
    """`lora r16`, `qlora 4 bit r16`, `full`."""
    cost: Cost
    train_hash: str | None
    """Of what was taught, prompts left out: methods are compared where it is one, data otherwise."""
    machine: str
    """Hardware as the manifest tells it: times of different machines are no comparison."""
    generation: dict[str, str]
    """Settings of writing by name, or of searching; empty for decisions."""
    figures: dict[str, Measured]
    """Ends of an interval are NaN where there is none."""
    baselines: dict[str, dict[str, Measured]]

    @property
    def base(self) -> str:
        return self.recipe.model.base


def names_of(folders: Sequence[Path]) -> list[str]:
    """The last part of each path, or as many as it takes; folders named by their time keep their parents."""
    paths = [folder.resolve() for folder in folders]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        found = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(found)) == len(found) and not (length == 1 and any(map(_TIME.fullmatch, found))):
            return found
    return [str(path) for path in paths]


def entrant(name: str, run: Run, scores: AnyScores) -> Entrant:
    """Read what the run's folder knows; a retriever stands for what it serves."""
    recipe, manifest = run.recipe(), run.manifest()
    num_answered = scores.num_answered if isinstance(scores, AnswerScores) else scores.num_rows["test"]
    ours = scores.served if isinstance(scores, RetrievalScores) else "tuned"
    seconds = scores.systems[ours].seconds
    return Entrant(
        name=name,
        folder=run.folder,
        recipe=recipe,
        method=_method(recipe, manifest),
        adapter=_adapter(recipe),
        cost=_cost(manifest, seconds / num_answered if seconds and num_answered else None),
        train_hash=asked_hash(read_examples(train)) if (train := run.split_path("train")).exists() else None,
        machine=str(sorted((manifest.get("hardware") or {}).items())),
        generation=_settings(recipe, scores),
        figures=_figures(scores, ours) | _of_meaning(scores),
        baselines={system: _figures(scores, system) for system in scores.systems if not system.startswith("tuned")},
    )


def _method(recipe: Recipe, manifest: Mapping[str, Any]) -> str:
    if ensemble := manifest.get("ensemble"):
        return f"{ensemble['how']} ({' + '.join(ensemble['names'])})"
    return " → ".join(stage.method for stage in recipe.stages)


def _adapter(recipe: Recipe) -> str:
    adapter = recipe.model.adapter
    if isinstance(adapter, QLora):
        return f"qlora {adapter.bits} bit r{adapter.r}"
    return f"lora r{adapter.r}" if isinstance(adapter, Lora) else "full"


def _cost(manifest: Mapping[str, Any], seconds_per_row: float | None) -> Cost:
    """Times of the stages add up; memory and sizes are those of the stage that took most."""
    stages = [stage for stage in (manifest.get("training") or {}).values() if isinstance(stage, dict)]
    stages += [manifest["ensemble"]["cost"]] if manifest.get("ensemble") else []

    def all_of(name: str) -> list[Any]:
        found = [stage.get(name) for stage in stages]
        return [] if None in found else found

    trainable, parameters = all_of("num_trainable"), all_of("num_parameters")
    memory, seconds = all_of("peak_memory_mb"), all_of("seconds")
    return Cost(
        num_trainable=max(trainable, default=None),
        num_parameters=max(parameters, default=None),
        peak_memory_mb=max(memory, default=None),
        training_seconds=sum(seconds) if seconds else None,
        seconds_per_row=seconds_per_row or (stages[-1].get("seconds_per_row") if stages else None),
    )


def _settings(recipe: Recipe, scores: AnyScores) -> dict[str, str]:
    """How it wrote, or searched, when it was judged; the limit as it came to be where the recipe left it open."""
    if isinstance(scores, RetrievalScores):
        limit = MISSING if scores.cut is None else str(scores.cut.limit)
        how = {"served": scores.served, "fusion": joined(scores.hybrids["tuned_hybrid"]).en}
        return how | {"max_seq_length": limit, "dimensions": str(scores.dimensions)}
    if not isinstance(scores, AnswerScores):
        return {}
    used = scores.generation.model_dump(mode="json") | {"max_new_tokens": scores.max_new_tokens or None}
    return {name: _setting(value) for name, value in used.items()}


def _setting(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_meaning(scores: AnyScores) -> dict[str, Measured]:
    """Figures of a tuned embedding model without BM25."""
    if not isinstance(scores, RetrievalScores):
        return {}
    return {f"{OF_MEANING}{metric}": scores.systems["tuned"].metrics[metric] for metric in SHOWN}


def _figures(scores: AnyScores, system: str) -> dict[str, Measured]:
    if isinstance(scores, RetrievalScores):
        return {metric: scores.systems[system].metrics[metric] for metric in SHOWN}
    if isinstance(scores, AnswerScores):
        found = scores.systems[system].metrics
        return {metric: found[metric] for metric in scores.metrics if metric in found}
    return _of_decisions(scores.systems[system])


def _of_decisions(system: SystemScores) -> dict[str, Measured]:
    given = {name: getattr(system, name) for name in OF_DECISIONS}
    unknown = float("nan")
    return {
        name: value if isinstance(value, Measured) else Measured(value=value, low=unknown, high=unknown)
        for name, value in given.items()
        if value is not None
    }
