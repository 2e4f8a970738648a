"""What `--adapter` takes over from an adapter and from a run, and what stays the recipe's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from dadeum.continuing import load_continuing
from dadeum.core.errors import ModelError, RecipeError
from dadeum.core.model import QLora
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run

RECIPE: dict[str, Any] = {
    "name": "repair",
    "task": {"type": "chat", "instruction": "레시피의 말"},
    "model": {"base": "acme/base", "adapter": {"type": "lora", "r": 16, "alpha": 32}},
    "data": {
        "sources": [
            {"path": "own.jsonl", "name": "data", "map": {"prompt": "q"}},
            {"make": "no-warning", "rows": 10},
            {"make": "correction", "rows": 10},
        ],
        "split": {"train_only": ["no-warning", "correction"]},
    },
    "stages": [{"name": "sft", "method": "sft"}],
    "profiles": {"gpu": {"model": {"adapter": {"type": "qlora", "bits": 8}}}},
}
SHAPE = {"peft_type": "LORA", "r": 4, "lora_alpha": 12, "lora_dropout": 0.1, "target_modules": ["v_proj", "q_proj"]}


def save_weights(folder: Path, **settings: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps(SHAPE | settings))
    save_file({"q_proj.lora_A.weight": np.zeros(2, np.float32)}, folder / "adapter_model.safetensors")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(**sections: Any) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(RECIPE | sections, allow_unicode=True), encoding="utf-8")
        return str(path)

    return written


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A trained run of two files, one of them called as a source of the repair, and made rows of two kinds."""
    raw = RECIPE | {
        "name": "first",
        "task": {"type": "chat", "instruction": "실행의 말", "speech_level": "haeyo"},
        "model": {"base": "acme/first", "revision": "abc", "adapter": {"type": "lora", "r": 4, "alpha": 12}},
        "data": {
            "sources": [
                {"path": "/files/talks.csv", "map": {"prompt": "물음"}, "sample": 5},
                {"path": "/files/correction.jsonl", "name": "correction"},
                {"make": "no-warning", "rows": 3},
                {"make": "korean-sft", "name": "no-warning-3"},
            ],
            "split": {"train_only": ["no-warning-3"]},
        },
        "render": {"max_length_tokens": 512},
    }
    recipe = Recipe.model_validate({name: value for name, value in raw.items() if name != "profiles"})
    made = Run.create(recipe, tmp_path / "run")
    save_weights(made.adapter_folder(recipe), base_model_name_or_path="/a/cache/first")
    return made.folder


def test_of_an_adapter_base_and_shape_are_taken(write: Callable[..., str], tmp_path: Path) -> None:
    given = save_weights(tmp_path / "given", base_model_name_or_path="acme/other", revision="v1")
    recipe = load_continuing(write(), "gpu", adapter=given)
    model = recipe.model
    assert (model.start, model.base, model.revision) == (str(given), "acme/other", "v1")
    assert isinstance(model.adapter, QLora) and model.adapter.bits == 8
    found = (model.adapter.r, model.adapter.alpha, model.adapter.dropout, model.adapter.targets)
    assert found == (4, 12, 0.1, ("q_proj", "v_proj"))
    alone = load_recipe(write(), "gpu")
    assert (recipe.task, recipe.data, recipe.render, recipe.stages) == (
        alone.task, alone.data, alone.render, alone.stages,
    )  # fmt: skip


def test_a_base_by_another_name_keeps_the_recipes(write: Callable[..., str], tmp_path: Path) -> None:
    given = save_weights(tmp_path / "given", base_model_name_or_path="HuggingFaceTB/SmolLM2-135M-Instruct")
    model = {"base": "smollm2-135m", "adapter": {"type": "lora"}}
    assert load_continuing(write(model=model), adapter=given).model.base == "smollm2-135m"


def test_of_a_run_also_task_form_and_data(write: Callable[..., str], run: Path) -> None:
    recipe = load_continuing(write(), adapter=run)
    assert (recipe.model.start, recipe.model.base, recipe.model.revision) == (str(run), "acme/first", "abc")
    assert recipe.task.model_dump()["instruction"] == "실행의 말"
    assert recipe.render.max_length_tokens == 512
    told = [(source.name or source.make, source.path, source.make) for source in recipe.data.sources]
    assert told == [
        ("talks", "/files/talks.csv", None),
        ("correction-2", "/files/correction.jsonl", None),
        ("no-warning-3", None, "korean-sft"),
        ("no-warning", None, "no-warning"),
        ("correction", None, "correction"),
    ]
    first = recipe.data.sources[0]
    assert (first.map, first.sample) == ({"prompt": "물음"}, 5)
    assert recipe.data.split.train_only == ("no-warning", "correction", "no-warning-3")


def test_set_wins_over_what_is_taken(write: Callable[..., str], run: Path) -> None:
    recipe = load_continuing(write(), None, ("render.max_length_tokens=64", "task.instruction=새 말"), adapter=run)
    assert (recipe.render.max_length_tokens, recipe.task.model_dump()["instruction"]) == (64, "새 말")


def test_rows_named_with_data_are_not_replaced_by_the_runs(write: Callable[..., str], run: Path) -> None:
    mine = run.parent / "mine.jsonl"
    mine.write_text("{}\n")
    recipe = load_continuing(write(), data=mine, adapter=run)
    assert [(source.name or source.make, source.path) for source in recipe.data.sources] == [
        ("data", str(mine)), ("no-warning", None), ("correction", None),
    ]  # fmt: skip
    assert recipe.task.model_dump()["instruction"] == "실행의 말"


def test_a_recipe_without_a_source_called_data_keeps_its_sources(write: Callable[..., str], run: Path) -> None:
    data = {"sources": [{"path": "other.jsonl"}]}
    assert [source.path for source in load_continuing(write(data=data), adapter=run).data.sources] == [
        str(run.parent / "other.jsonl")
    ]


def test_an_adapter_inside_a_run_is_the_weights_alone(write: Callable[..., str], run: Path) -> None:
    recipe = load_continuing(write(), adapter=run / "stages" / "1-sft" / "adapter")
    assert recipe.task.model_dump()["instruction"] == "레시피의 말"
    assert recipe.model.base == "acme/first"


def test_full_weights_leave_the_adapter_to_plan(write: Callable[..., str], tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "config.json").write_text("{}")
    save_file({"weight": np.zeros(2, np.float32)}, full / "model.safetensors")
    model = load_continuing(write(), adapter=full).model
    assert (model.start, model.base, model.adapter.type) == (str(full), "acme/base", "lora")


def test_options_that_exclude_each_other(write: Callable[..., str], run: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_continuing(write(), None, ("model.start=elsewhere",), adapter=run)
    assert caught.value.key == "models.started.two_starts"
    with pytest.raises(ModelError) as missing:
        load_continuing(write(), adapter=tmp_path / "rum")
    assert missing.value.key == "models.started.no_folder" and str(run) in str(missing.value)
    task = {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["x"]}
    with pytest.raises(RecipeError) as other:
        load_continuing(write(task=task), adapter=run)
    assert other.value.key == "models.started.other_task"


# -- `--data` -------------------------------------------------------------------------------------------
def test_a_file_takes_the_place_of_the_source_called_data(write: Callable[..., str], tmp_path: Path) -> None:
    recipe = load_recipe(write(), data=tmp_path / "mine.csv")
    assert [source.name or source.make for source in recipe.data.sources] == ["data", "no-warning", "correction"]
    assert (recipe.data.sources[0].path, recipe.data.sources[0].map) == (str(tmp_path / "mine.csv"), None)
    assert recipe.data.split.train_only == ("no-warning", "correction")


def test_elsewhere_it_takes_the_place_of_all(write: Callable[..., str], tmp_path: Path) -> None:
    data = {"sources": [{"path": "a.csv"}, {"path": "b.csv"}], "split": {"hold_out": ["a"], "train_only": ["b"]}}
    recipe = load_recipe(write(data=data), data=tmp_path / "mine.csv")
    assert [(source.path, source.name) for source in recipe.data.sources] == [(str(tmp_path / "mine.csv"), None)]
    assert recipe.data.split.hold_out == recipe.data.split.train_only == ()
    assert load_recipe(write(data=data)).data.split.hold_out == ("a",)
