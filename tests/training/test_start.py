"""The first stage goes on from the weights that the recipe names, whatever its method, and a kill changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dadeum.core.errors import ModelError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.models.load import add_adapter, load_base, load_trained
from dadeum.models.precision import Precision
from dadeum.models.save import save_model
from dadeum.training.reference import Reference
from dadeum.training.train import stage_inputs, train
from dadeum.training.work import trainable_model
from tests.models.tiny_seq2seq import save_bart, summary_recipe, write_summaries
from tests.tiny import decide_recipe, work_on, write_splits

FP32 = Precision("fp32", "train.precision.asked", {}, None)
STILL = 1e-12
"""A learning rate at which a stage ends where it began."""


def given_adapter(recipe: Recipe, folder: Path) -> Path:
    """An adapter that changes much."""
    model = add_adapter(load_base(recipe.model, FP32), recipe.model.adapter, False)  # type: ignore[arg-type]
    torch.manual_seed(9)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.3 * torch.randn_like(parameter)
    save_model(model, folder)
    return folder


def on(recipe: Recipe, start: Path, /, **stage: Any) -> Recipe:
    raw = recipe.model_dump(mode="json")
    raw["model"]["start"] = str(start)
    raw["stages"] = [raw["stages"][0] | stage, *raw["stages"][1:]]
    return Recipe.model_validate(raw)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((tensor - other[name]).abs().max()) for name, tensor in one.items())


def new_run(folder: Path, recipe: Recipe) -> Run:
    run = Run.create(recipe, folder)
    write_splits(run, (8, 4, 4))
    return run


@pytest.fixture(scope="module")
def start(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return given_adapter(decide_recipe(tiny_llama), tmp_path_factory.mktemp("start") / "given")


def test_a_stage_that_learns_nothing_leaves_what_was_given(tiny_llama: Path, tmp_path: Path, start: Path) -> None:
    recipe = on(decide_recipe(tiny_llama), start, learning_rate=STILL, epochs=1)
    run = new_run(tmp_path / "run", recipe)
    train(recipe, run)
    assert distance(weights(run.adapter_folder(recipe)), weights(start)) < 1e-6


def test_every_stage_but_one_that_begins_with_the_base_goes_on(
    tiny_llama: Path, tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path | None] = []

    def stand_in(frame: Any, inputs: Any, look: Any) -> Any:
        begun.append(frame.before)
        raise Done

    class Done(Exception):
        pass

    monkeypatch.setattr("dadeum.training.train._run_stage", stand_in)
    for number, (given, expected) in enumerate([("previous", start), ("base", None)]):
        recipe = on(decide_recipe(tiny_llama), start, start=given)
        with pytest.raises(Done):
            train(recipe, new_run(tmp_path / str(number), recipe))
        assert begun.pop() == expected


def test_a_kill_changes_nothing(tiny_llama: Path, tmp_path: Path, start: Path) -> None:
    recipe = on(decide_recipe(tiny_llama), start, epochs=2, eval_steps=1, save_steps=1)
    straight, killed = (new_run(tmp_path / name, recipe) for name in ("straight", "killed"))
    train(recipe, straight)

    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, killed, kill)
    train(recipe, killed)
    assert any(event["event"] == "stage_resumed" for event in read_jsonl(killed.folder / "events.jsonl"))
    one, other = (weights(run.adapter_folder(recipe)) for run in (straight, killed))
    assert distance(one, other) == 0
    assert distance(one, weights(start)) > 1e-4


def test_other_weights_in_the_same_folder_are_other_inputs(tiny_llama: Path, tmp_path: Path, start: Path) -> None:
    given = Path(shutil.copytree(start, tmp_path / "given"))
    recipe = on(decide_recipe(tiny_llama), given)
    run = new_run(tmp_path / "run", recipe)
    before = stage_inputs(recipe, run, 0)
    assert stage_inputs(recipe, run, 0) == before
    changed = {name: tensor + 1 for name, tensor in weights(given).items()}
    save_file(changed, given / "adapter_model.safetensors", {"format": "pt"})
    assert stage_inputs(recipe, run, 0) != before
    shutil.rmtree(given)
    with pytest.raises(ModelError) as caught:
        train(recipe, run)
    assert caught.value.key == "models.started.no_folder"


def test_the_reference_of_ppo_is_the_given_adapter(tiny_llama: Path, tmp_path: Path, start: Path) -> None:
    recipe = on(decide_recipe(tiny_llama), start)
    model = trainable_model(work_on(recipe, tmp_path / "stage", before=start)).eval()
    ids = torch.arange(12).reshape(1, 12)
    expected = load_trained(recipe.model, FP32, start).eval()(input_ids=ids).logits
    reference = Reference(model, is_new_adapter=False)
    with reference.model() as kept:
        torch.testing.assert_close(kept(input_ids=ids).logits, expected)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_given_adapter_goes_on_over_four_bits(
    tiny_llama: Path, tmp_path: Path, start: Path, checkpointed: bool
) -> None:
    """As a new one does: frozen norms in fp32, gradients through the quantised base, the given weights learn."""
    adapter = {"type": "qlora", "r": 4, "alpha": 8}
    model = {"base": str(tiny_llama), "adapter": adapter, "precision": "bf16"}
    recipe = on(decide_recipe(tiny_llama, model=model), start, gradient_checkpointing=checkpointed)
    work = work_on(recipe, tmp_path / "stage", before=start)
    going = trainable_model(work)
    fresh = trainable_model(work_on(recipe, tmp_path / "stage"))
    kinds = [{name: (p.dtype, p.requires_grad) for name, p in one.named_parameters()} for one in (going, fresh)]
    assert kinds[0] == kinds[1]
    assert any("4bit" in type(module).__name__ for module in going.modules())
    ids = torch.arange(12).reshape(1, 12)
    going.train()(input_ids=ids, labels=ids).loss.backward()
    learning = [parameter for parameter in going.parameters() if parameter.requires_grad]
    assert learning and all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in learning)


def test_full_weights_of_an_encoder_decoder_go_on(tmp_path: Path) -> None:
    base = save_bart(tmp_path / "base")
    stage = {"name": "summarize", "method": "seq2seq", "epochs": 1, "batch_size": 4, "learning_rate": STILL}
    given = Path(shutil.copytree(base, tmp_path / "given"))
    moved = {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in weights(base).items()}
    save_file(moved, given / "model.safetensors", {"format": "pt"})
    recipe = on(summary_recipe(base, stages=[stage]), given)
    run = Run.create(recipe, tmp_path / "run")
    write_summaries(run)
    train(recipe, run)
    one, other = weights(run.adapter_folder(recipe)), weights(given)
    assert distance(one, other) < 1e-6
    assert distance(one, weights(base)) > 1e-3
