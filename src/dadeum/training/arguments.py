"""A stage of the recipe → its trainer's settings; unknown or contradictory ones are found before anything is loaded."""

from __future__ import annotations

import difflib
import math
import os
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dadeum.core.errors import RecipeError
from dadeum.core.plugins import find
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Sft
from dadeum.training.architecture import method_problems
from dadeum.training.instructions import instruction_problems
from dadeum.training.online import online_problems
from dadeum.training.preferences.checks import preference_problems

if TYPE_CHECKING:
    from dadeum.training.work import Work

_ALWAYS: dict[str, Any] = {
    "save_strategy": "steps",
    "greater_is_better": False,
    "logging_steps": 1,
    "disable_tqdm": True,
    "report_to": "none",
    "remove_unused_columns": False,
    "prediction_loss_only": True,
}
"""Rows come as token ids, progress and metrics are our own, and the kept metric must fall."""
STOPPING_METRICS = ("eval_loss", "loss")
WATCHED_METHODS = ("sft", "dpo", "rloo", "grpo", "ppo")
_OPTIMIZER_PACKAGES = {
    "galore": "galore_torch", "lomo": "lomo_optim", "grokadamw": "grokadamw", "schedule_free": "schedulefree",
    "apollo": "apollo_torch", "apex": "apex", "anyprecision": "torchdistx", "npu": "torch_npu", "xla": "torch_xla",
    "stable_adamw": "optimi", "torch_4bit": "torchao", "torch_8bit": "torchao", "8bit": "bitsandbytes",
    "paged": "bitsandbytes", "bnb": "bitsandbytes", "ademamix": "bitsandbytes", "lion": "bitsandbytes",
    "rmsprop_": "bitsandbytes",
}  # fmt: skip
"""Part of an optimizer's name → the package that has it; the first that fits."""


def steps_per_epoch(num_rows: int, stage: AnyStage, num_devices: int = 1) -> int:
    """Optimizer steps in one pass over the rows."""
    return math.ceil(num_rows / (stage.batch_size * stage.accumulation_steps * num_devices))


def tokens_per_pass(stage: Sft, rows: list[dict[str, Any]]) -> int:
    """Most tokens in one forward pass: what `batch_size` of the longest row would have taken, unless the stage says."""
    return stage.tokens_per_pass or stage.batch_size * max(len(row["input_ids"]) for row in rows)


def base_arguments(work: Work, num_rows: int, has_validation: bool) -> dict[str, Any]:
    """The stage as transformers' TrainingArguments, which all trainers' settings share; without `trainer_args`."""
    import torch

    stage, precision = work.stage, work.precision
    on_cpu = not torch.cuda.is_available()
    per_epoch = steps_per_epoch(num_rows, stage, num_devices=int(os.environ.get("WORLD_SIZE", "1")))
    total = max(1, math.ceil(per_epoch * stage.epochs))
    eval_steps = min(stage.eval_steps or per_epoch, total)
    return _ALWAYS | {
        "output_dir": str(work.checkpoints),
        "num_train_epochs": stage.epochs,
        "per_device_train_batch_size": stage.batch_size,
        "per_device_eval_batch_size": stage.batch_size,
        "gradient_accumulation_steps": stage.accumulation_steps,
        "learning_rate": stage.learning_rate,
        "lr_scheduler_type": stage.scheduler,
        "warmup_steps": stage.warmup,
        "max_grad_norm": stage.max_grad_norm,
        "optim": stage.optim,
        "activation_checkpointing": stage.gradient_checkpointing,
        "eval_strategy": "steps" if has_validation else "no",
        "eval_steps": eval_steps,
        "save_steps": min(stage.save_steps or eval_steps, total),
        "save_total_limit": stage.save_total_limit,
        "load_best_model_at_end": has_validation,
        # transformers reads `loss` as the validation loss too; stopping on the training loss is training/stopping.py.
        "metric_for_best_model": "eval_loss",
        "seed": work.recipe.seed,
        "bf16": precision.dtype == "bf16",
        "fp16": precision.dtype == "fp16",
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
    }


def check_stages(recipe: Recipe) -> list[RecipeError]:
    """Problems of all stages that can be seen without loading anything."""
    problems = method_problems(recipe) + online_problems(recipe) + instruction_problems(recipe)
    problems += preference_problems(recipe) + watch_problems(recipe)
    for stage in recipe.stages:
        if stage.eval_steps and stage.save_steps and stage.save_steps % stage.eval_steps:
            problems.append(
                RecipeError("train.save_steps", stage=stage.name, save=stage.save_steps, eval=stage.eval_steps)
            )
        problems += [*_unknown_arguments(stage), *_unusable_optimizer(stage)]
        if stage.early_stopping and stage.early_stopping.metric not in STOPPING_METRICS:
            problems.append(RecipeError("train.stopping.metric", stage=stage.name, metric=stage.early_stopping.metric))
    return problems


def watch_problems(recipe: Recipe) -> list[RecipeError]:
    """Stages that are to be watched and whose answers have no free beginning."""
    watched = [stage for stage in recipe.stages if stage.watch]
    if recipe.task.type in ("decide", "retrieve"):
        return [RecipeError("train.watch.task", stage=stage.name, task=recipe.task.type) for stage in watched]
    return [
        RecipeError("train.watch.method", stage=stage.name, method=stage.method, methods=", ".join(WATCHED_METHODS))
        for stage in watched
        if stage.method not in WATCHED_METHODS
    ]


def _unusable_optimizer(stage: AnyStage) -> list[RecipeError]:
    if stage.optim == Sft.model_fields["optim"].default:
        return []
    from transformers.training_args import OptimizerNames

    known = [item.value for item in OptimizerNames]
    if stage.optim not in known:
        near = next(iter(difflib.get_close_matches(stage.optim, known, n=1)), "-")
        return [RecipeError("train.optim.unknown", stage=stage.name, name=stage.optim, near=near)]
    package = next((module for part, module in _OPTIMIZER_PACKAGES.items() if part in stage.optim), None)
    if package is None or find_spec(package):
        return []
    return [RecipeError("train.optim.needs_package", stage=stage.name, name=stage.optim, package=package)]


def _unknown_arguments(stage: AnyStage) -> list[RecipeError]:
    if not stage.trainer_args:
        return []
    settings = config_class(stage.method)
    known = [item.name for item in fields(settings)]
    return [
        RecipeError(
            "train.unknown_trainer_arg",
            stage=stage.name,
            settings=settings.__name__,
            name=name,
            near=next(iter(difflib.get_close_matches(name, known, n=1)), "-"),
        )
        for name in stage.trainer_args
        if name not in known
    ]


def config_class(method: str) -> Any:
    """The dataclass of settings that the method's trainer takes."""
    package, name = find("training.methods", method).CONFIG
    return getattr(import_module(package), name)
