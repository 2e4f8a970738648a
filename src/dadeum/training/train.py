"""train(recipe, run): the one spine of all training stages: seed, load, fit, keep the best, save, log.

Each stage starts from what the stage before it trained and leaves `stages/<n>-<name>/adapter`. A stage that was
killed goes on from its newest complete checkpoint; a finished one with the same inputs is skipped.
"""

from __future__ import annotations

import gc
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadeum.core.errors import DataError, ModelError, first_line
from dadeum.core.messages import text
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import NoAdapter, Recipe, Sft
from dadeum.core.run import Run, append_jsonl, file_hash, fingerprint, read_jsonl, write_jsonl, write_text
from dadeum.models.load import add_adapter, load_base, load_tokenizer, load_trained
from dadeum.models.memory import fenced, peak_mb, return_freed, start_peak
from dadeum.models.precision import Precision, choose_precision
from dadeum.models.render import Renderer, loss_on
from dadeum.models.save import save_model
from dadeum.training.arguments import tokens_per_pass, training_arguments
from dadeum.training.out_of_memory import is_out_of_memory
from dadeum.training.rows import encode, prompt_groups

if TYPE_CHECKING:
    from dadeum.training.choices import Choices

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageResult:
    """What one stage did; stands in the manifest under `training.<stage>`."""

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
    """`training/choices.py`: what was shared and compiled, and why."""


def train(recipe: Recipe, run: Run, progress: Progress = silent) -> dict[str, StageResult]:
    """Run every stage that is not done; returns the results of all stages by name."""
    for split in ("train", "validation"):
        run.require(run.split_path(split), "data build")
    results: dict[str, StageResult] = {}
    weights: Path | None = None
    for index, stage in enumerate(recipe.stages):
        inputs = stage_inputs(recipe, run, index)
        before = weights

        def work(stage: Sft = stage, index: int = index, before: Path | None = before) -> None:
            result = _run_stage(recipe, run, stage, index, before, progress)
            recorded = run.manifest().get("training", {})
            run.record("training", recorded | {stage.name: asdict(result)})

        run.step(f"train.{stage.name}", inputs, work, outputs=[run.stage_folder(index, stage.name) / "adapter"])
        results[stage.name] = StageResult(**run.manifest()["training"][stage.name])
        weights = run.stage_folder(index, stage.name) / "adapter"
    return results


def stage_inputs(recipe: Recipe, run: Run, index: int) -> dict[str, Any]:
    """Everything that decides a stage's result: its rows, the model, and all stages up to it."""
    task = recipe.task.model_dump(mode="json")
    return {
        "data": [file_hash(run.split_path(split)) for split in ("train", "validation")],
        "model": recipe.model.model_dump(mode="json"),
        "render": recipe.render.model_dump(mode="json"),
        "task": task,
        "seed": recipe.seed,
        "stages": [stage.model_dump(mode="json") for stage in recipe.stages[: index + 1]],
    }


def _run_stage(
    recipe: Recipe, run: Run, stage: Sft, index: int, before: Path | None, progress: Progress
) -> StageResult:
    import torch
    from accelerate import PartialState
    from transformers import set_seed

    from dadeum.training.choices import choose

    if stage.gradient_checkpointing:  # time for memory is what the recipe asks for
        return_freed()
    start_peak()
    set_seed(recipe.seed)
    folder = run.stage_folder(index, stage.name)
    with PartialState().main_process_first():
        checkpoint = _prepare_folder(run, folder, stage, stage_inputs(recipe, run, index))
    precision = choose_precision(recipe.model.precision)
    tokenizer = load_tokenizer(recipe.model)
    renderer = Renderer(tokenizer, recipe.render, loss_on(recipe))
    rows = encode(recipe, renderer, stage, run.split_path("train"))
    validation = encode(recipe, renderer, stage, run.split_path("validation"))
    if not rows:
        raise DataError("train.no_rows", path=run.split_path("train"))
    with ExitStack() as stack:
        stack.enter_context(fenced())
        with _enough_memory(stage):
            model = _model(recipe, stage, precision, before)
            trainer = _trainer(recipe, stage, precision, model, tokenizer, (rows, validation), folder)
            choices = choose(trainer, stage, rows, precision, stack)
        trainer.add_callback(_logger(run, stage.name, progress))
        trainer.halvings.tell = partial(run.event, "out_of_memory", stage=stage.name)
        run.event("stage_computed", stage=stage.name, **asdict(choices))
        started = time.perf_counter()
        output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.perf_counter() - started
    choices = replace(choices, tokens_per_pass=trainer.data_collator.tokens_per_pass, halved=trainer.halvings.tokens)
    if trainer.args.should_save:  # one process of many: they would delete each other's half-written folders
        save_weights(trainer.model, tokenizer, folder / "adapter")
    trainer.accelerator.wait_for_everyone()
    result = _result(trainer, output, seconds, precision, len(rows), choices)
    del trainer, model
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return result


@contextmanager
def _enough_memory(stage: Sft) -> Iterator[None]:
    """What is loaded and tried before the first step cannot be made smaller; a lack of memory is told with advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError("train.memory.before_training", stage=stage.name, detail=first_line(error)) from error


def _prepare_folder(run: Run, folder: Path, stage: Sft, inputs: dict[str, Any]) -> Path | None:
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


def _model(recipe: Recipe, stage: Sft, precision: Precision, before: Path | None) -> Any:
    if before is not None:
        return load_trained(recipe.model, precision, before, trainable=True)
    base = load_base(recipe.model, precision, trainable=True)
    if isinstance(recipe.model.adapter, NoAdapter):
        return base
    return add_adapter(base, recipe.model.adapter, stage.gradient_checkpointing)


def _trainer(
    recipe: Recipe,
    stage: Sft,
    precision: Precision,
    model: Any,
    tokenizer: Any,
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    folder: Path,
) -> Any:
    from datasets import Dataset
    from transformers import PrinterCallback

    from dadeum.training.prefix import StepCollator
    from dadeum.training.sft import AnswerTrainer

    train_rows, validation_rows = rows
    # Padding in validation is pure waste and its order means nothing: sorted once.
    validation_rows = sorted(validation_rows, key=lambda row: len(row["input_ids"]))
    trainer = AnswerTrainer(
        model=model,
        args=training_arguments(recipe, stage, precision, len(train_rows), bool(validation_rows), folder),
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(validation_rows) if validation_rows else None,
        data_collator=StepCollator(tokenizer.pad_token_id, tokens_per_pass(stage, train_rows)),
        processing_class=tokenizer,
        callbacks=_stopping(stage, bool(validation_rows)),
    )
    trainer.groups = prompt_groups([row["input_ids"] for row in train_rows], stage.batch_size)
    trainer.remove_callback(PrinterCallback)  # it prints every log line; metrics.jsonl has them
    return trainer


def _stopping(stage: Sft, has_validation: bool) -> list[Any]:
    """Early stopping where there is something to judge by; what cannot be done is said."""
    from dadeum.training.stopping import StopWhenStale

    if stage.early_stopping is None:
        return []
    if not has_validation:
        on_validation = stage.early_stopping.metric == "eval_loss"
        key = "train.stopping.no_validation" if on_validation else "train.stopping.kept_last"
        log.warning(text(key, stage=stage.name))
        if on_validation:
            return []
    return [StopWhenStale(stage.early_stopping)]


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


def save_weights(model: Any, tokenizer: Any, folder: Path) -> None:
    """Adapter (or full weights) and tokenizer; the folder appears complete or not at all."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    save_model(model, temporary)
    tokenizer.save_pretrained(str(temporary))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def _result(
    trainer: Any,
    output: Any,
    seconds: float,
    precision: Precision,
    num_rows: int,
    choices: Choices,
) -> StageResult:
    state = trainer.state
    parameters = [(parameter.numel(), parameter.requires_grad) for parameter in trainer.model.parameters()]
    best = state.best_metric
    return StageResult(
        rows=num_rows,
        steps=state.global_step,
        seconds=round(seconds, 2),
        train_loss=round(float(output.training_loss), 6),
        best_step=state.best_global_step,
        best_eval_loss=None if best is None else round(float(best), 6),
        stopped_early=state.global_step < state.max_steps,
        num_trainable=sum(count for count, trainable in parameters if trainable),
        num_parameters=sum(count for count, _ in parameters),
        tokens_per_second=round(trainer.tokens_seen / seconds, 1),
        peak_memory_mb=peak_mb(),
        precision=precision.dtype,
        precision_reason=precision.reason,
        gflops=precision.gflops,
        tokens=trainer.tokens_seen,
        tokens_computed=trainer.tokens_computed,
        choices=asdict(choices),
    )
