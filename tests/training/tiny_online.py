"""A tiny model that answers, and rewards that a test can check."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dadeum.core.examples import Example, to_table
from tests import tiny

ANSWERS = ("회의 일정 안내드립니다.", "무료 당첨 안내입니다.")


def rows(first: int, number: int) -> list[Example]:
    return [
        Example(
            id=f"talk:{n}",
            source="talk",
            origin="talk",
            group=str(n),
            text=f"회의 일정 {n}",
            prompt=[{"role": "user", "content": "회의 일정 " * (1 + n % 3) + str(n)}],
            completion=[{"role": "assistant", "content": ANSWERS[n % 2]}],
            label="",
            rejected=[],
            extra={},
        )
        for n in range(first, first + number)
    ]


def write_splits(run: Any, sizes: tuple[int, int] = (8, 4)) -> None:
    import pyarrow.parquet as pq

    for split, first, number in (("train", 0, sizes[0]), ("validation", sizes[0], sizes[1])):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(rows(first, number)), run.split_path(split))


def recipe(base: Path | str, method: str, adapter: str = "lora", **stage: Any) -> Any:
    given = {
        "name": method,
        "method": method,
        "rewards": {"letters": 1.0},
        "epochs": 10,
        "batch_size": 8,
        "generations": 4,
        "max_new_tokens": 6,
        "learning_rate": 2e-2,
        "scheduler": "constant",
        "warmup": 0,
        "beta": 0.0,
    }
    return tiny.decide_recipe(
        base,
        task={"type": "chat"},
        model={
            "base": str(base),
            "adapter": {"type": adapter, "r": 8, "alpha": 16} if adapter == "lora" else {"type": "none"},
            "precision": "fp32",
        },
        stages=[given | stage],
    )


def work_for(base: Path, folder: Path, method: str, before: Path | None = None, **stage: Any) -> Any:
    """A stage on its own rows; `stage` are fields of the stage, and `adapter`."""
    work = tiny.work_on(recipe(base, method, **stage), folder / "stage", before=before)
    write_splits(work.run)
    return work


def quietly(trainer: Any) -> Any:
    """Without the lines that transformers prints."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def check_that_the_reward_rises(work: Any, steps: int) -> None:
    """Share of ASCII letters. Random weights write any of 380 tokens alike: 0.4 to 0.6 at first."""
    from dadeum.core.plugins import find

    with find("training.methods", work.stage.method).ready(work) as ready:
        quietly(ready.trainer).train()
        log = [entry for entry in ready.trainer.state.log_history if "reward" in entry]
        told = ready.told()
    rewards = [entry["reward"] for entry in log]
    assert len(rewards) == steps
    assert 0.3 < np.mean(rewards[:3]) < 0.65
    assert np.mean(rewards[-5:]) > 0.8
    assert abs(log[0]["kl"]) < 1e-5
    assert told.figures["kl"] > 0.1
    assert told.figures["reward_after"] > told.figures["reward_before"] + 0.5
    assert told.figures["probed_rows"] == 4
    assert told.tokens_computed > told.tokens > 0
    for entry in log:
        assert {"rewards/letters/mean", "completions/mean_length", "entropy", "kl"} <= set(entry)


def check_that_an_adapter_is_continued(base: Path, folder: Path, method: str) -> None:
    """Against itself as it was, not against the untuned model; and it is saved alone."""
    import torch

    from dadeum.core.plugins import find
    from dadeum.models.load import load_trained

    ids = torch.tensor([[5, 6, 7]])
    save_earlier_adapter(base, folder / "before", method)
    stage = {"beta": 0.05, "epochs": 0.5, "learning_rate": 1e-2}
    work = work_for(base, folder / "two", method, before=folder / "before", **stage)
    out = folder / "out"
    out.mkdir()
    with find("training.methods", method).ready(work) as ready:
        quietly(ready.trainer).train()
        log = [entry["kl"] for entry in ready.trainer.state.log_history if "kl" in entry]
        # Against the untuned model it would not be 0: the adapter has moved already.
        assert abs(log[0]) < 1e-5
        assert log[-1] != 0
        ready.save(out)
        with torch.no_grad():
            wanted = ready.trainer.model.eval()(input_ids=ids).logits
    assert not any(path.is_dir() or "value" in path.name for path in out.iterdir())
    again = load_trained(work.recipe.model, work.precision, out, trainable=True)
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(input_ids=ids).logits, wanted)


def save_earlier_adapter(base: Path, folder: Path, method: str) -> None:
    """As a stage before would leave it: not the untuned model."""
    import torch

    from dadeum.training.work import trainable_model

    model = trainable_model(work_for(base, folder.with_name("one"), method))
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(str(folder))


def check_resuming(base: Path, folder: Path, method: str) -> dict[str, Any]:
    """From the middle of the second epoch of a continued adapter; all weights, those of the reference too."""
    import torch

    from dadeum.core.plugins import find

    save_earlier_adapter(base, folder / "before", method)

    def trained(name: str, checkpoint: str | None = None) -> tuple[dict[str, Any], int]:
        stage = {"beta": 0.05, "epochs": 2, "save_steps": 6, "learning_rate": 1e-2}
        work = work_for(base, folder / name, method, before=folder / "before", **stage)
        with find("training.methods", method).ready(work) as ready:
            quietly(ready.trainer).train(resume_from_checkpoint=checkpoint)
            assert ready.trainer.state.global_step == 8
            weights = {key: value.clone() for key, value in ready.trainer.model.state_dict().items()}
            return weights, ready.trainer.state.num_input_tokens_seen

    whole, tokens = trained("whole")
    torch.manual_seed(7)
    again, tokens_again = trained("again", str(folder / "whole" / "stage" / "checkpoints" / "checkpoint-6"))
    assert tokens_again == tokens
    for key, value in whole.items():
        torch.testing.assert_close(again[key], value, msg=key)
    return whole


def letters(work: Any, asked: list[Example], answers: list[str]) -> np.ndarray:
    """Share of ASCII letters: half of a random tiny model's characters or fewer."""
    return np.array([np.mean([one.isascii() and one.isalpha() for one in answer] or [0]) for answer in answers])


def use_rewards(monkeypatch: Any, **rewards: Any) -> None:
    """Rewards by name, in place of the files."""
    from dadeum.training.rewards import base

    def find(package: str, name: str) -> ModuleType:
        module = ModuleType(name)
        module.rate = rewards[name]  # type: ignore[attr-defined]
        return module

    monkeypatch.setattr(base, "find", find)
