"""What a run was made with and how it answered its test rows: the histograms that traffic is compared with.

Made once from the run folder and kept there (`monitoring/reference.json`); made anew when rows or samples change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example, answer_of, read_examples
from dadeum.core.measured import Notice, Part
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, fingerprint, read_jsonl, write_json
from dadeum.core.task import Chat
from dadeum.gateway.catalogue import served, slug
from dadeum.monitoring.drift import Histogram, bins_of, named
from dadeum.monitoring.tally import CONFIDENCE

LABEL = "label"
_VERSION = 1
_MOST_RENDERED = 2000
"""Rows whose tokens are counted: evenly spread ones, enough for tenths."""
FILE = Path("monitoring") / "reference.json"


class Feature(Part):
    histogram: Histogram
    source: str
    """`train`: rows of training; `test`: what the model said to the test rows."""


class Reference(Part):
    """One run as traffic should look."""

    name: str
    """As clients ask for it."""
    version: str | None
    """None where the weights are not here: every version of the name is compared."""
    folder: str
    task: str
    made: datetime
    inputs: str
    """Hash of what it was made from."""
    features: dict[str, Feature]
    notices: list[Notice] = Field(default_factory=list)


def reference_of(folder: Path) -> Reference:
    """As it stands in the folder, made where it is missing or of other rows. RunError without data or recipe."""
    run = Run.open(folder)
    recipe = run.recipe()
    train = run.require(run.split_path("train"), "data build")
    inputs = fingerprint([_VERSION, file_hash(train), file_hash(run.samples_path) if run.samples_path.exists() else ""])
    kept = _kept(run.folder / FILE)
    if kept is not None and kept.inputs == inputs:
        return kept.model_copy(update={"folder": str(folder), "version": _version(run, recipe)})
    made = _made(run, recipe, inputs)
    try:
        write_json(run.folder / FILE, made.model_dump(mode="json"))
    except OSError:
        told = Notice(key="monitoring.notices.reference_not_kept", values={"folder": str(folder)})
        made = made.model_copy(update={"notices": [*made.notices, told]})
    return made


def _kept(path: Path) -> Reference | None:
    """None for what is missing, damaged or older: it is made anew."""
    try:
        return Reference.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None


def _version(run: Run, recipe: Recipe) -> str | None:
    folder = run.adapter_folder(recipe)
    return served(run.folder).version if any(folder.rglob("*.safetensors")) else None


def _made(run: Run, recipe: Recipe, inputs: str) -> Reference:
    rows = read_examples(run.split_path("train"))
    samples = read_jsonl(run.samples_path)
    features = {"input_characters": _numbers([_asked(recipe, row) for row in rows], "train")}
    tokens, notices = _tokens(recipe, rows)
    features["prompt_tokens"] = _numbers(tokens, "train")
    features |= _said(recipe, rows, samples)
    if not samples:
        notices.append(Notice(key="monitoring.notices.no_samples", values={"folder": str(run.folder)}))
    return Reference(
        name=slug(recipe.export.name or recipe.name),
        version=_version(run, recipe),
        folder=str(run.folder),
        task=recipe.task.type,
        made=datetime.now(UTC),
        inputs=inputs,
        features={name: feature for name, feature in features.items() if feature is not None},
        notices=notices,
    )


def _asked(recipe: Recipe, row: Example) -> int:
    """Characters as the gateway counts them: of a conversation every turn that a client sends, else of the input."""
    if not isinstance(recipe.task, Chat):
        return len(row.text)
    sent = [turn for turn in row.prompt if (turn["role"], turn["content"]) != ("system", recipe.task.instruction)]
    return sum(len(turn["content"]) for turn in sent)


def _said(recipe: Recipe, rows: Sequence[Example], samples: Sequence[dict[str, Any]]) -> dict[str, Feature | None]:
    """What the model answers: its own answers to the test rows, else the answers that it was taught."""
    if recipe.task.type == "retrieve":
        return {}
    if recipe.task.type == "decide":
        if not samples:
            return {LABEL: _counted(Counter(row.label for row in rows), "train")}
        return {
            LABEL: _counted(Counter(str(row["predicted"]) for row in samples), "test"),
            CONFIDENCE: _numbers([float(row["confidence"]) for row in samples], "test"),
        }
    spoken = [len(row["answers"]["tuned"]) for row in samples if "tuned" in row.get("answers", {})]
    taught = [len(answer_of(row)) for row in rows if row.completion]
    return {"output_characters": _numbers(spoken, "test") if spoken else _numbers(taught, "train")}


def _tokens(recipe: Recipe, rows: Sequence[Example]) -> tuple[list[int], list[Notice]]:
    """Of prompts as the model reads them; a base that is not here costs this one figure."""
    if recipe.task.type == "retrieve":
        return [], []
    from dadeum.models.seq2seq_render import load_renderer

    step = max(1, len(rows) // _MOST_RENDERED)
    try:
        renderer = load_renderer(recipe)
        return [len(renderer.prompt_ids(row.prompt)) for row in rows[::step]], []
    except ModelError as error:
        return [], [Notice(key="monitoring.notices.no_tokenizer", values={"detail": str(error)})]


def _numbers(values: Sequence[float], source: str) -> Feature | None:
    return Feature(histogram=bins_of(values), source=source) if values else None


def _counted(counts: Counter[str], source: str) -> Feature | None:
    return Feature(histogram=named(counts), source=source) if counts else None
