"""train(recipe, run): the one spine of all training stages: seed, folder, checkpoint, fit, save, log.

Each stage starts from what the stage before it trained, the first from `model.start`, and leaves
`stages/<n>-<name>/adapter`; what it does stands in `methods/<method>.py`. A stage that was killed goes on from its
newest complete checkpoint; a finished one with the same inputs is skipped.
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dadeum.core.plugins import find
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, append_jsonl, file_hash, fingerprint, read_jsonl, write_jsonl, write_text
from dadeum.core.stages import AnyStage, OnPairs, Reward
from dadeum.models.attention import attention_in_use, choose_attention
from dadeum.models.fresh import in_run
from dadeum.models.load import load_config
from dadeum.models.memory import peak_mb, return_freed, start_peak
from dadeum.models.precision import choose_precision
from dadeum.models.save import save_model
from dadeum.models.started import weights_of
from dadeum.training.work import Ready, Work


@dataclass(frozen=True)
class StageResult:
    """What one stage did; stands in the manifest under `training.<stage>`."""

    method: str
    rows: int
    steps: int
    seconds: float
    train_loss: float
    best_step: int | None
    best_eval_loss: float | None
    stopped_early: bool
    num_trainable: int
    num_parameters: int
    tokens_per_second: float
    peak_memory_mb: float
    precision: str
    precision_reason: str
    """Message key; its numbers are in `gflops`."""
    gflops: dict[str, float]
    tokens: int
    """Prompt and answer tokens of all rows that were trained on, as often as they were."""
    tokens_computed: int
    """Tokens that really went through the model, padding included; `tokens_per_second` counts those of the data."""
    choices: dict[str, Any]
    """`training/choices.py` of sft: what was shared and compiled, and why."""
    figures: dict[str, float] = field(default_factory=dict)
    """What the method itself measured, such as the reward before and after."""


Look = Callable[[str, float, float], None]
"""(stage, share of its steps that are done, validation loss); what it raises ends the training."""


def train(recipe: Recipe, run: Run, progress: Progress = silent, look: Look | None = None) -> dict[str, StageResult]:
    """Run every stage that is not done; returns the results of all stages by name. `look` sees each validation loss."""
    for split in ("train", "validation"):
        run.require(run.split_path(split), "data build")
    results: dict[str, StageResult] = {}
    policy = weights_of(recipe.model)
    reward_model: Path | None = None
    for index, stage in enumerate(recipe.stages):
        folder = run.stage_folder(index, stage.name)
        before = policy if stage.start == "previous" else None
        inputs = stage_inputs(recipe, run, index)

        def work(
            stage: AnyStage = stage, folder: Path = folder, before: Path | None = before,
            reward_model: Path | None = reward_model, inputs: dict[str, Any] = inputs,
        ) -> None:  # fmt: skip
            frame = _Frame(in_run(recipe, run), run, stage, folder, before, reward_model, progress)
            result = _run_stage(frame, inputs, look)
            recorded = run.manifest().get("training", {})
            run.record("training", recorded | {stage.name: asdict(result)})
            _wait_for_everyone()  # the others read what the first process has just written down

        run.step(f"train.{stage.name}", inputs, work, outputs=[folder / "adapter"])
        results[stage.name] = StageResult(**run.manifest()["training"][stage.name])
        if isinstance(stage, Reward):
            reward_model = folder / "adapter"
        else:
            policy = folder / "adapter"
    return results


def stage_inputs(recipe: Recipe, run: Run, index: int) -> dict[str, Any]:
    """Everything that decides a stage's result: its rows, the model, and all stages up to it."""
    task = recipe.task.model_dump(mode="json")
    stages = recipe.stages[: index + 1]
    files = [stage.pairs.path for stage in stages if isinstance(stage, OnPairs) and stage.pairs.path]
    # Negatives come from the whole corpus, but for documents that other splits ask about.
    corpus = [run.split_path(name) for name in ("chunks", "test")] if recipe.task.type == "retrieve" else []
    searched = {"corpus": [file_hash(path) if path.is_file() else None for path in corpus]} if corpus else {}
    return {
        "data": [file_hash(run.split_path(split)) for split in ("train", "validation")],
        "model": recipe.model.model_dump(mode="json"),
        "render": recipe.render.model_dump(mode="json"),
        "task": task,
        "seed": recipe.seed,
        "stages": [stage.model_dump(mode="json") for stage in stages],
        "pairs": [file_hash(Path(path)) if Path(path).is_file() else None for path in files],
    } | (searched | _given(recipe))


def _given(recipe: Recipe) -> dict[str, Any]:
    """The weights that the first stage goes on from; the same folder may hold others tomorrow."""
    folder = weights_of(recipe.model)
    if folder is None:
        return {}
    files = [*folder.glob("*.safetensors"), *folder.glob("adapter_config.json"), *folder.glob("config.json")]
    return {"start": [file_hash(file) for file in sorted(files)]}


@dataclass(frozen=True)
class _Frame:
    """A stage before its precision is chosen."""

    recipe: Recipe
    run: Run
    stage: AnyStage
    folder: Path
    before: Path | None
    reward_model: Path | None
    progress: Progress


def _run_stage(frame: _Frame, inputs: dict[str, Any], look: Look | None) -> StageResult:
    import torch
    from accelerate import PartialState
    from transformers import PrinterCallback, set_seed

    from dadeum.training.watch import add_watch

    run, stage, folder = frame.run, frame.stage, frame.folder
    if stage.gradient_checkpointing:  # time for memory is what the recipe asks for
        return_freed()
    start_peak()
    set_seed(frame.recipe.seed)
    with PartialState().main_process_first():
        checkpoint = _prepare_folder(run, folder, stage, inputs)
    work = Work(**vars(frame), precision=choose_precision(frame.recipe.model.precision))
    _tell_attention(work)
    with find("training.methods", stage.method).ready(work) as ready:
        trainer = ready.trainer
        trainer.remove_callback(PrinterCallback)  # it prints every log line; metrics.jsonl has them
        trainer.add_callback(_logger(run, stage.name, frame.progress))
        if look is not None:
            trainer.add_callback(_looking(stage.name, look))
        add_watch(ready, work)
        started = time.perf_counter()
        output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.perf_counter() - started
        if trainer.args.should_save:  # one process of many: they would delete each other's half-written folders
            save_weights(ready, folder / "adapter")
        trainer.accelerator.wait_for_everyone()
        result = _result(ready, work, output, seconds)
    del trainer, ready
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return result


def _tell_attention(work: Work) -> None:
    """Where the recipe leaves it to the machine; the manifest's `choices.attention` is what training computed with."""
    model = work.recipe.model
    if model.attention == "auto" and work.recipe.task.type != "retrieve":
        chosen = choose_attention(model, work.precision, load_config, trainable=True)
        found = chosen.implementation or "sdpa"
        work.run.event("attention_chosen", stage=work.stage.name, attention=found, reason=chosen.reason)


def _wait_for_everyone() -> None:
    from accelerate import PartialState

    PartialState().wait_for_everyone()


def _prepare_folder(run: Run, folder: Path, stage: AnyStage, inputs: dict[str, Any]) -> Path | None:
    """The checkpoint to go on from; checkpoints of other inputs are removed, they would give another result."""
    mark, digest = folder / "inputs", fingerprint(inputs)
    if mark.exists() and mark.read_text() == digest:
        # trainer_state.json is written last: a checkpoint without it was cut off by a kill.
        complete = [path.parent for path in (folder / "checkpoints").glob("checkpoint-*/trainer_state.json")]
        newest = max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        newest = None
    write_text(mark, digest)
    step = json.loads((newest / "trainer_state.json").read_text())["global_step"] if newest else 0
    kept = [row for row in read_jsonl(run.metrics_path) if row["stage"] != stage.name or row["step"] <= step]
    write_jsonl(run.metrics_path, kept)
    if newest:
        run.event("stage_resumed", stage=stage.name, step=step)
    return newest


def _logger(run: Run, stage: str, progress: Progress) -> Any:
    from transformers import TrainerCallback

    class RunLogger(TrainerCallback):
        """Writes metrics.jsonl and tells how far the stage is."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            progress("train.progress", state.global_step, state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            progress("train.progress", state.global_step, state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if state.is_world_process_zero:
                finite = {key: value for key, value in (logs or {}).items() if isinstance(value, int | float)}
                append_jsonl(run.metrics_path, {"stage": stage, "step": state.global_step} | finite)

    return RunLogger()


def _looking(stage: str, look: Look) -> Any:
    from transformers import TrainerCallback

    class Looking(TrainerCallback):
        """Tells every validation loss to who searches for settings."""

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
            if "eval_loss" in (metrics or {}):
                look(stage, state.global_step / max(state.max_steps, 1), float(metrics["eval_loss"]))

    return Looking()


def save_weights(ready: Ready, folder: Path) -> None:
    """Adapter (or full weights) and tokenizer; the folder appears complete or not at all."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if ready.save:
        ready.save(temporary)
    else:
        save_model(ready.trainer.model, temporary)
    ready.tokenizer.save_pretrained(str(temporary))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def _result(ready: Ready, work: Work, output: Any, seconds: float) -> StageResult:
    from dadeum.training.watch import watch_figures

    trainer, told = ready.trainer, ready.told()
    state = trainer.state
    parameters = [(parameter.numel(), parameter.requires_grad) for parameter in trainer.model.parameters()]
    best = state.best_metric
    return StageResult(
        method=work.stage.method,
        rows=ready.num_rows,
        steps=state.global_step,
        seconds=round(seconds, 2),
        train_loss=round(float(output.training_loss), 6),
        best_step=state.best_global_step,
        best_eval_loss=None if best is None else round(float(best), 6),
        stopped_early=state.global_step < state.max_steps,
        num_trainable=sum(count for count, trainable in parameters if trainable),
        num_parameters=sum(count for count, _ in parameters),
        tokens_per_second=round(told.tokens / seconds, 1),
        peak_memory_mb=peak_mb(),
        precision=work.precision.dtype,
        precision_reason=work.precision.reason,
        gflops=work.precision.gflops,
        tokens=told.tokens,
        tokens_computed=told.tokens_computed,
        choices=told.choices | {"attention": attention_in_use(trainer.model)},
        figures=told.figures | watch_figures(state),
    )
