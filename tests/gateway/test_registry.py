"""Names that lead to versions: moved only by what passed its gates, back again, by two at once, and by a kill."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from dadeum.cli_promote import app
from dadeum.core.errors import DadeumError, ModelError, Problems, RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_json
from dadeum.gateway.catalogue import Catalogue, ServedModel, served
from dadeum.gateway.registry import Registry, overruled, unfit

GATES = {"macro_f1": ">= 0.8", "brier": "<= 0.2"}
RAW: dict[str, Any] = {
    "name": "mail",
    "task": {"type": "decide", "instruction": "Is it spam?", "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"]},
    "model": {"base": "some/base", "adapter": {"type": "lora", "r": 4}},
    "data": {"sources": [{"path": "unused.csv"}]},
    "stages": [{"name": "sft", "method": "sft"}],
}


def gate(metric: str, passed: bool = True, value: float | None = 0.5) -> dict[str, Any]:
    return {"metric": metric, "condition": GATES[metric], "value": value, "target": 0.8, "passed": passed}


def version(
    folder: Path,
    digest: str,
    gates: list[dict[str, Any]] | None = None,
    wanted: dict[str, str] | None = None,
    steps: dict[str, Any] | None = None,
) -> ServedModel:
    """A run that was judged as `gates` say (None: never) under a recipe that wants `wanted`."""
    recipe = Recipe.model_validate(RAW | {"evaluate": {"gates": GATES if wanted is None else wanted}})
    run = Run.create(recipe, folder / digest)
    if gates is not None:
        write_json(run.scores_path, {"gates": gates})
    if steps:
        run.record("steps", steps)
    return ServedModel("mail", f"mail@{digest}", recipe, run.folder, run.folder / "adapter", "some--base")


def good(folder: Path, digest: str) -> ServedModel:
    return version(folder, digest, [gate("macro_f1"), gate("brier")])


@pytest.fixture(autouse=True)
def outside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest asks git for its revision, which takes seconds in a large tree."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "serve" / "registry.json")


def test_a_version_whose_gates_passed_becomes_champion_and_the_reason_stays(tmp_path: Path, registry: Registry) -> None:
    first, second = good(tmp_path, "a" * 12), good(tmp_path, "b" * 12)
    registry.promote(first, "처음")
    move = registry.promote(second, "더 낫습니다")
    assert (move.before, move.version) == (first.version, second.version)
    assert registry.version("mail") == second.version
    assert [(one.version, one.reason) for one in registry.content().history] == [
        (first.version, "처음"), (second.version, "더 낫습니다"),
    ]  # fmt: skip
    with pytest.raises(RunError) as error:
        registry.promote(second, "again")
    assert error.value.key == "gateway.variants.there_already"


@pytest.mark.parametrize(
    ("gates", "wanted", "steps", "key"),
    [
        (None, None, None, "unjudged"),
        ([gate("macro_f1", passed=False), gate("brier")], None, None, "gate_failed"),
        ([gate("macro_f1", passed=False, value=None), gate("brier")], None, None, "gate_failed"),
        ([gate("macro_f1")], None, None, "gates_unjudged"),
        ([gate("macro_f1"), gate("brier")], GATES | {"brier": "<= 0.1"}, None, "gates_unjudged"),
        (
            [gate("macro_f1"), gate("brier")],
            None,
            {"train": {"finished": "2026-11-02T00:00:00"}, "evaluate": {"status": "done", "finished": "2026-11-01"}},
            "judged_before",
        ),
        ([gate("macro_f1"), gate("brier")], None, {"evaluate": {"status": "running"}}, "judged_before"),
    ],
)
def test_nothing_is_promoted_that_did_not_pass(
    tmp_path: Path, registry: Registry, gates: Any, wanted: Any, steps: Any, key: str
) -> None:
    model = version(tmp_path, "c" * 12, gates, wanted, steps)
    with pytest.raises(RunError) as error:
        registry.promote(model, "")
    assert error.value.key == f"gateway.variants.{key}"
    assert registry.version("mail") is None and not registry.path.exists()
    assert "{" not in str(overruled(unfit(model)))
    move = registry.promote(model, "급합니다", force=True)
    assert move.forced and registry.version("mail") == model.version


def test_every_failed_gate_is_told(tmp_path: Path, registry: Registry) -> None:
    model = version(tmp_path, "d" * 12, [gate("macro_f1", passed=False), gate("brier", passed=False)])
    with pytest.raises(Problems) as error:
        registry.promote(model, "")
    assert {one.values["metric"] for one in error.value.problems} == {"macro_f1", "brier"}
    assert ">= 0.8" in str(error.value)


def test_a_base_was_never_judged_and_a_recipe_without_gates_demands_nothing(tmp_path: Path) -> None:
    free = version(tmp_path, "e" * 12, [], wanted={})
    assert unfit(free) == []
    base = ServedModel("some--base", "some--base", free.recipe, free.run, None, None)
    assert [error.key for error in unfit(base)] == ["gateway.variants.base_unjudged"]


def test_rolling_back_goes_one_further_each_time(tmp_path: Path, registry: Registry) -> None:
    first = good(tmp_path, "a" * 12)
    versions = [replace(first, version=f"mail@{letter}") for letter in "abc"]
    for model in versions:
        registry.promote(model, "")
    assert registry.rollback("mail", "느립니다").version == versions[1].version
    assert registry.rollback("mail", "그래도").version == versions[0].version
    with pytest.raises(RunError) as error:
        registry.rollback("mail", "")
    assert error.value.key == "gateway.variants.nothing_before"
    registry.promote(versions[2], "")
    assert registry.rollback("mail", "").version == versions[0].version


def test_names_cannot_be_paths(tmp_path: Path, registry: Registry) -> None:
    model = good(tmp_path, "a" * 12)
    for name, alias in (("../mail", "champion"), ("mail", "a/b"), ("mail", "")):
        with pytest.raises(ModelError):
            registry.promote(model, "", alias, name)


def test_many_at_once_lose_no_move(tmp_path: Path, registry: Registry) -> None:
    one = good(tmp_path, "a" * 12)
    models = [replace(one, version=f"mail@{number:012d}") for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda model: registry.promote(model, model.version), models))
    history = registry.content().history
    assert {move.version for move in history} == {model.version for model in models}
    assert [move.before for move in history[1:]] == [move.version for move in history[:-1]]
    assert registry.version("mail") == history[-1].version


def test_the_catalogue_follows_and_tells_what_is_not_loaded(tmp_path: Path, registry: Registry) -> None:
    here, elsewhere = good(tmp_path, "a" * 12), good(tmp_path, "b" * 12)
    catalogue = Catalogue()
    catalogue.add(here)
    registry.promote(here, "")
    registry.promote(elsewhere, "", "challenger")
    assert registry.apply(catalogue) == [f"mail@challenger → {elsewhere.version}"]
    assert catalogue.find("mail@champion") is here and catalogue.find("mail@challenger") is None


def test_a_broken_file_is_said_and_left_alone(registry: Registry) -> None:
    registry.path.parent.mkdir(parents=True)
    registry.path.write_text('{"aliases": 3}', encoding="utf-8")
    with pytest.raises(RunError):
        registry.content()
    assert registry.path.read_text(encoding="utf-8") == '{"aliases": 3}'


def test_the_command_line_promotes_refuses_and_takes_back(tmp_path: Path) -> None:
    place = ["--registry", str(tmp_path / "registry.json")]
    folders = []
    for letter in "ab":
        model = version(tmp_path, letter * 12, [gate("macro_f1", passed=letter == "a"), gate("brier")])
        assert model.run is not None
        adapter = Run(model.run).adapter_folder(model.recipe)
        adapter.mkdir(parents=True)
        save_file({"w": np.full(2, ord(letter), dtype=np.float32)}, adapter / "adapter_model.safetensors")
        folders.append(model.run)
    runner = CliRunner()
    first = runner.invoke(app, ["promote", str(folders[0]), "--reason", "첫 버전", *place])
    assert first.exit_code == 0, first.output
    refused = runner.invoke(app, ["promote", str(folders[1]), *place])
    assert isinstance(refused.exception, DadeumError)
    assert refused.exception.key == "gateway.variants.gate_failed"
    forced = runner.invoke(app, ["promote", str(folders[1]), "--force", *place])
    assert forced.exit_code == 0
    [told] = [line for line in forced.output.splitlines() if "--force" in line]
    assert "macro_f1 >= 0.8 (0.500)" in told and len(forced.output.splitlines()) == 2, forced.output
    back = runner.invoke(app, ["rollback", "mail", *place])
    assert back.exit_code == 0
    content = json.loads((tmp_path / "registry.json").read_text(encoding="utf-8"))
    assert content["aliases"]["mail"]["champion"] == served(folders[0]).version
