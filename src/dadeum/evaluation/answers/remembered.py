"""What is asked of models that training does not change, kept in the run folder for as long as the question is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, fingerprint, read_json, write_json

_WEIGHTS = (".safetensors", ".bin", ".pt", ".json")


def remembered(run: Run, name: str, asked: Any, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """evaluation/<name>.json where it was made for the same `asked` (anything JSON can hold), else made now."""
    path = run.scores_path.parent / f"{name}.json"
    key = fingerprint(asked)
    stored: dict[str, Any] = read_json(path) if path.exists() else {}
    if stored.get("key") != key:
        stored = {"key": key} | work()
        write_json(path, stored)
    return {field: value for field, value in stored.items() if field != "key"}


def given_weights(recipe: Recipe) -> Path | None:
    """What training goes on from; None where it begins with the untuned model."""
    from dadeum.models.started import weights_of

    return weights_of(recipe.model)


def weights_hash(weights: Path | None) -> list[str]:
    """Of every file that makes the weights what they are."""
    if weights is None:
        return []
    files = sorted(file for file in weights.rglob("*") if file.suffix in _WEIGHTS and file.is_file())
    return [file_hash(file) for file in files]
