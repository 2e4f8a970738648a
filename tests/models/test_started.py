"""What can be gone on from, what it says of itself, and what is refused because it would silently change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from dadeum.core.errors import DadeumError, ModelError, RunError
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.model import Lora, NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.models.load import load_base, load_trained
from dadeum.models.precision import Precision, cache_folder
from dadeum.models.save import save_model
from dadeum.models.start_checks import start_notes, start_problems
from dadeum.models.started import same_model, started, unknown_rows, weights_of
from tests.tiny import decide_recipe, save_llama

FP32 = Precision("fp32", "train.precision.asked", {}, None)
IDS = torch.arange(18).reshape(2, 9)


def save_adapter(recipe: Recipe, folder: Path, targets: Any = ("q_proj", "v_proj"), **settings: Any) -> Path:
    """A peft adapter whose every trained weight does something."""
    torch.manual_seed(1)
    shape = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.05, "task_type": "CAUSAL_LM"} | settings
    targets = list(targets) if isinstance(targets, tuple) else targets
    adapted = get_peft_model(load_base(recipe.model, FP32), LoraConfig(target_modules=targets, **shape))
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    save_model(adapted, folder)
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    adapter = {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.05, "targets": ["q_proj", "v_proj"]}
    base = save_llama(tmp_path_factory.mktemp("base"))
    return decide_recipe(base, model={"base": str(base), "adapter": adapter, "precision": "fp32"})


@pytest.fixture(scope="module")
def bare(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(recipe, tmp_path_factory.mktemp("given") / "bare")


@pytest.fixture
def given(bare: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(bare, tmp_path / "given"))


def said(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def going_on(recipe: Recipe, start: Path, **model: Any) -> Recipe:
    raw = recipe.model_dump(mode="json")
    raw["model"] |= {"start": str(start)} | model
    return Recipe.model_validate(raw)


def keys(recipe: Recipe) -> list[str]:
    return [problem.key for problem in start_problems(recipe)]


# -- what it says of itself --------------------------------------------------------------------------
def test_a_bare_adapter_says_base_and_shape(recipe: Recipe, bare: Path) -> None:
    found = started(bare)
    assert (found.weights, found.base, found.run) == (bare, recipe.model.base, None)
    assert found.adapter == recipe.model.adapter
    assert weights_of(going_on(recipe, bare).model) == bare
    assert weights_of(recipe.model) is None


def test_a_run_is_known_from_its_folder_and_from_every_folder_inside(
    recipe: Recipe, bare: Path, tmp_path: Path
) -> None:
    quantised = going_on(recipe, bare, adapter=recipe.model.adapter.model_dump() | {"type": "qlora"})
    run = Run.create(quantised, tmp_path / "run")
    with pytest.raises(RunError) as caught:
        started(run.folder)
    assert "dadeum train" in str(caught.value)
    weights = shutil.copytree(bare, run.adapter_folder(quantised))
    exported = shutil.copytree(bare, run.export_folder / "adapter")
    said(exported, base_model_name_or_path="acme/public-name")
    places = {run.folder: weights, weights.parent: weights, weights: weights, exported: exported}
    for path, expected in places.items():
        found = started(path)
        assert (found.weights, found.run, found.base) == (expected, run.folder, recipe.model.base)
        assert isinstance(found.adapter, QLora) and found.adapter.r == 4
        assert unknown_rows(going_on(recipe, path)) is None


def test_full_weights_are_no_adapter(recipe: Recipe) -> None:
    found = started(Path(recipe.model.base))
    assert isinstance(found.adapter, NoAdapter) and found.base is None


def test_an_alias_is_one_model_by_whatever_name() -> None:
    converted = cache_folder() / "models" / "smollm2-135m"
    for name in (converted, "/home/other/.cache/dadeum/models/smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct"):
        assert same_model(str(name), "smollm2-135m"), name
    assert not same_model("acme/smollm2-135m", "smollm2-135m")


def test_a_pattern_for_targets_is_read_from_the_weights(recipe: Recipe, tmp_path: Path) -> None:
    found = started(save_adapter(recipe, tmp_path / "pattern", r".*layers\.0\..*(q|down)_proj"))
    assert isinstance(found.adapter, Lora) and found.adapter.targets == ("down_proj", "q_proj")


# -- what goes on as it is -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"modules_to_save": ["embed_tokens", "lm_head"]},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"q_proj": 32}},
        {"layers_to_transform": [1]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_is_accepted_answers_and_learns_as_it_did(
    recipe: Recipe, tmp_path: Path, settings: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj"], task_type="CAUSAL_LM", **settings)
    adapted = get_peft_model(load_base(recipe.model, FP32), config)
    learning = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    for name, parameter in adapted.named_parameters():
        if name in learning:
            parameter.data += 0.05 * torch.randn_like(parameter)
    expected = adapted.eval()(input_ids=IDS).logits
    save_model(adapted, tmp_path / "saved")
    weights = started(tmp_path / "saved").weights
    again = load_trained(recipe.model, FP32, weights, trainable=True)
    assert {name for name, parameter in again.named_parameters() if parameter.requires_grad} == learning
    torch.testing.assert_close(again.eval()(input_ids=IDS).logits, expected, rtol=0, atol=0)


# -- what is refused -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"peft_type": "IA3"}, "models.started.other_peft"),
        ({"task_type": "SEQ_CLS"}, "models.started.reward_model"),
        ({"bias": "lora_only"}, "models.started.setting"),
        ({"trainable_token_indices": [3]}, "models.started.setting"),
        ({"init_lora_weights": "pissa"}, "models.started.setting"),
        ({"r": None}, "models.started.setting"),
        ({"lora_alpha": 0.5}, "models.started.setting"),
    ],
)
def test_settings_that_would_change_on_the_way(given: Path, changes: dict[str, Any], key: str) -> None:
    said(given, **changes)
    with pytest.raises(ModelError) as caught:
        started(given)
    assert caught.value.key == key
    assert str(given) in str(caught.value)


def test_a_missing_folder_names_the_nearest(given: Path) -> None:
    with pytest.raises(ModelError) as caught:
        started(given.with_name("givem"))
    assert caught.value.key == "models.started.no_folder" and str(given) in str(caught.value)


def test_pickles_are_not_opened_and_absent_weights_are_told(given: Path) -> None:
    weights = given / "adapter_model.safetensors"
    weights.rename(given / "adapter_model.bin")
    with pytest.raises(ModelError) as caught:
        started(given)
    assert caught.value.key == "models.started.pickles" and "adapter_model.bin" in str(caught.value)
    (given / "adapter_model.bin").unlink()
    with pytest.raises(ModelError, match=r"\*\.safetensors"):
        started(given)


def test_a_folder_that_is_nothing_and_settings_that_are_no_json(given: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match=r"notes\.txt"):
        started(tmp_path)
    (given / "adapter_config.json").write_text("{")
    with pytest.raises(ModelError) as caught:
        started(given)
    assert caught.value.key == "models.started.broken"


# -- what plan says --------------------------------------------------------------------------------------
def test_a_recipe_that_fits_has_no_problem_and_is_told_what_nobody_knows(recipe: Recipe, bare: Path) -> None:
    fitting = going_on(recipe, bare)
    assert keys(fitting) == []
    notes = start_notes(fitting)
    assert any("r 4" in note and str(bare) in note for note in notes)
    notice = unknown_rows(fitting)
    assert notice is not None and notice.key == "models.started.unknown_rows"
    assert text(notice.key, **notice.values) in notes
    assert all(str(bare) in text(notice.key, language, **notice.values) for language in LANGUAGES)
    assert start_notes(recipe) == [] and keys(recipe) == []


def test_role_names_of_targets_are_compared_by_what_they_mean(recipe: Recipe, tmp_path: Path) -> None:
    four = ("q_proj", "k_proj", "v_proj", "o_proj")
    adapter = save_adapter(recipe, tmp_path / "four", four)
    asked = recipe.model.adapter.model_dump(mode="json")
    assert keys(going_on(recipe, adapter, adapter=asked | {"targets": "attention"})) == []
    assert keys(going_on(recipe, adapter, adapter=asked | {"targets": "all-linear"})) == ["models.started.other_shape"]


@pytest.mark.parametrize("changes", [{"r": 8}, {"alpha": 16}, {"dropout": 0.0}, {"targets": ["q_proj"]}])
def test_another_shape_than_the_adapter_has(recipe: Recipe, bare: Path, changes: dict[str, Any]) -> None:
    other = going_on(recipe, bare, adapter=recipe.model.adapter.model_dump(mode="json") | changes)
    assert keys(other) == ["models.started.other_shape"]


def test_other_models_and_other_kinds_of_weights(recipe: Recipe, bare: Path, given: Path) -> None:
    assert keys(going_on(recipe, bare, base="acme/other")) == ["models.started.other_base"]
    assert keys(going_on(recipe, bare, adapter={"type": "none"})) == ["models.started.adapter_without"]
    assert keys(going_on(recipe, Path(recipe.model.base))) == ["models.started.full_with_adapter"]
    assert keys(going_on(recipe, bare.with_name("nowhere"))) == ["models.started.no_folder"]
    said(given, revision="abc")
    assert keys(going_on(recipe, given, revision="def")) == ["models.started.other_revision"]
    said(given, base_model_name_or_path=None)
    nameless = going_on(recipe, given)
    assert keys(nameless) == []
    assert any(recipe.model.base in note for note in start_notes(nameless))


def test_full_weights_of_another_architecture(recipe: Recipe, tmp_path: Path) -> None:
    wide = Path(shutil.copytree(recipe.model.base, tmp_path / "wide"))
    config = json.loads((wide / "config.json").read_text()) | {"num_hidden_layers": 3}
    (wide / "config.json").write_text(json.dumps(config))
    assert keys(going_on(recipe, wide, adapter={"type": "none"})) == ["models.started.other_architecture"]


def test_weights_that_no_stage_begins_with(recipe: Recipe, bare: Path) -> None:
    raw = going_on(recipe, bare).model_dump(mode="json")
    raw["stages"][0]["start"] = "base"
    assert keys(Recipe.model_validate(raw)) == ["models.started.unused"]


def test_embedding_models_say_what_to_do_instead(recipe: Recipe, bare: Path) -> None:
    raw = going_on(recipe, bare).model_dump(mode="json") | {
        "task": {"type": "retrieve"},
        "data": {"corpus": {"sources": ["x"]}, "sources": [{"path": "x"}]},
        "stages": [{"name": "tune", "method": "contrastive"}],
        "evaluate": {},
    }
    (problem,) = start_problems(Recipe.model_validate(raw))
    assert isinstance(problem, DadeumError) and f"--set model.base={bare}" in str(problem)
