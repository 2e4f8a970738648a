"""A hub on localhost for the real client, and runs that are ready to be pushed without a training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.findings import Finding, write_findings
from dadeum.core.run import Run
from dadeum.models import network
from tests.serving.hub_server import TOKEN, Hub, serving
from tests.tiny import decide_recipe


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The client talks to this hub as it would to the real one; large files go by LFS."""
    from huggingface_hub import constants

    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # Whoever loads a base meanwhile would look for the real hub, and go offline.
        monkeypatch.setattr(network, "is_reached", lambda endpoint: True)
        monkeypatch.setattr(network, "_missed", [])
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        yield hub


MEASURED = {"value": 0.9123, "low": 0.88, "high": 0.94}
SECRET_ROW = "김다솜 고객님 무료 당첨 안내 010-1234-5678"


def ready_run(
    folder: Path,
    base: str = "acme/tiny-base",
    gate_passed: bool = True,
    scores: bool = True,
    severity: str = "warn",
    format: str = "adapter",
    **changes: Any,
) -> tuple[Any, Run]:
    """A run as `dadeum run` leaves it, its weights replaced by a few bytes: pushing it needs no torch."""
    from dadeum.serving.export import _state

    recipe = decide_recipe(base, **changes)
    run = Run.create(recipe, folder)
    weights = run.adapter_folder(recipe)
    weights.mkdir(parents=True)
    (weights / "adapter_model.safetensors").write_bytes(b"weights" * 1000)
    run.record(
        "data", {"rows_in": 40, "used": {"train": 20, "validation": 6, "test": 8}, "removed": {"near_duplicate": 6}}
    )
    rows = [{"id": "mail:1", "text": SECRET_ROW}]
    values = {"phrase": SECRET_ROW}
    write_findings(run.findings_path, [Finding("DA999", "shown_phrase", severity, 3, 40, values, rows)])  # type: ignore[arg-type]
    if scores:
        write_scores(run, gate_passed)
    exported = run.export_folder / format
    exported.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "second.safetensors"):
        (exported / name).write_bytes(name.encode() * 500)
    (exported / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "r": 4}))
    (exported / "tokenizer.json").write_text("{}")
    # What must stay at home although it lies here.
    (exported / "rows.jsonl").write_text(SECRET_ROW)
    (exported / "training_args.bin").write_bytes(b"pickle")
    run.record("exports", {format: _state(recipe, run)})
    return recipe, run


def write_scores(run: Run, gate_passed: bool) -> None:
    run.scores_path.parent.mkdir(parents=True, exist_ok=True)
    systems = {
        "tuned": {"accuracy": MEASURED, "macro_f1": MEASURED, "ece": 0.1, "per_class": {}},
        "base_model": {"accuracy": MEASURED | {"value": 0.5}, "macro_f1": {"value": None, "low": None, "high": None}},
    }
    gate = {"metric": "accuracy", "condition": ">= 0.95", "value": 0.9123, "target": 0.95, "passed": gate_passed}
    warnings = [{"key": "evaluate.notices.all_right", "values": {"num": 8, "percent": 31}}]
    run.scores_path.write_text(json.dumps({"systems": systems, "gates": [gate], "warnings": warnings}))
