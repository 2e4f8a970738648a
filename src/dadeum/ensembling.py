"""ensemble(runs, how): several runs of one task become one, and the gain over the best of them is measured.

Adapters are merged into one (`linear`, `ties`, `dare_ties`), or of what the runs answered the answer most like the
others is taken (`mbr`). The result is a run folder like any other; its manifest says what it was made from.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from dadeum import pipeline
from dadeum.core.errors import DadeumError, RunError
from dadeum.core.examples import SPLITS
from dadeum.core.model import NoAdapter
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash
from dadeum.evaluation.comparison.entrants import Entrant
from dadeum.evaluation.comparison.page import write_comparison
from dadeum.evaluation.comparison.several import Comparison, compare_runs
from dadeum.models.fresh import folder_in
from dadeum.models.load import load_tokenizer, resolve_base
from dadeum.models.merging import How, merge_adapters
from dadeum.models.precision import choose_precision

MERGING: tuple[str, ...] = get_args(How)
WAYS = (*MERGING, "mbr")
DENSITY = 0.5
LEAST_TO_CHOOSE = 3
"""Each of two answers is as like the other as the other way round: a choice needs a third."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, once nothing speaks against it."""

    members: list[Run]
    names: list[str]
    how: str
    shares: list[float]
    """Of each member, positive, sum 1; equal for `mbr`, where they have no effect."""
    density: float


def ensemble(
    members: Sequence[Run], how: str, weights: Sequence[float] | None = None, density: float | None = None,
    folder: Path | None = None, progress: Progress = silent,
) -> tuple[Run, Comparison]:  # fmt: skip
    """Make the run, evaluate it, write its report and its comparison with the members (the ensemble comes first).

    RunError, before anything is written, when the members cannot be put together this way. `weights` are divided by
    their sum.
    """
    before = compare_runs(members)  # also: evaluated, of one task, on the same rows
    plan = _planned(members, [each.name for each in before.entrants], how, weights, density)
    recipe = members[0].recipe()
    run = Run.create(recipe, folder)
    try:
        run.record("ensemble", _origin(plan, before.entrants))
        run.step("data.build", pipeline.data_inputs(recipe), lambda: _take_over(run, members[0]), outputs=_splits(run))
        if how == "mbr":
            _choose(run, plan)
        else:
            _merge(recipe, run, plan)
    except DadeumError:
        shutil.rmtree(run.folder)
        raise
    pipeline.evaluate(recipe, run, progress)
    pipeline.report(recipe, run)
    found = compare_runs([run, *members], before.main)
    write_comparison(found, run.folder / "comparison")
    return run, found


# -- may they be put together ---------------------------------------------------------------------
def _planned(
    members: Sequence[Run], names: list[str], how: str, weights: Sequence[float] | None, density: float | None
) -> Plan:
    if how not in WAYS:
        raise RunError("ensemble.unknown_way", how=how, known=", ".join(WAYS))
    if density is not None and how not in ("ties", "dare_ties"):
        raise RunError("ensemble.no_density", how=how)
    if density is not None and not 0 < density <= 1:
        raise RunError("ensemble.density", density=density)
    if how == "mbr":
        _require_answers(members, weights)
    else:
        _require_alike(members, names)
    return Plan(list(members), names, how, _shares(weights, len(members)), density or DENSITY)


def _shares(weights: Sequence[float] | None, num: int) -> list[float]:
    if weights is None:
        return [1 / num] * num
    if len(weights) != num:
        raise RunError("ensemble.number_of_weights", num=len(weights), runs=num)
    if not all(math.isfinite(each) and each > 0 for each in weights):
        raise RunError("ensemble.weights", weights=", ".join(f"{each:g}" for each in weights))
    return [each / sum(weights) for each in weights]


def _require_answers(members: Sequence[Run], weights: Sequence[float] | None) -> None:
    if weights is not None:
        raise RunError("ensemble.mbr_weights")
    if len(members) < LEAST_TO_CHOOSE:
        raise RunError("ensemble.mbr_of_two", num=len(members))
    for run in members:
        recipe = run.recipe()
        if recipe.task.type == "decide":
            raise RunError("ensemble.mbr_decides")
        if recipe.evaluate.generate_rows == 0:
            raise RunError("ensemble.mbr_silent", folder=run.folder)


def _require_alike(members: Sequence[Run], names: Sequence[str]) -> None:
    """An adapter only means something on the base, and for the prompts, that it was trained with."""
    first = members[0].recipe()
    for name, run in zip(names, members, strict=True):
        recipe = run.recipe()
        if isinstance(recipe.model.adapter, NoAdapter):
            raise RunError("ensemble.full_weights", name=name)
        run.require(run.adapter_folder(recipe), "train")
        if _base(recipe, run) != _base(first, members[0]):
            found = {"base_first": first.model.base, "base_second": recipe.model.base}
            raise RunError("ensemble.different_bases", first=names[0], second=name, **found)
        for section in ("task", "render"):
            if getattr(recipe, section) != getattr(first, section):
                raise RunError("ensemble.different_sections", first=names[0], second=name, section=section)


def _base(recipe: Recipe, run: Run) -> list[Any]:
    """What tells one base from another: where it comes from, its commit, its bits, and a base that the run made."""
    bits = getattr(recipe.model.adapter, "bits", None)
    made = [file_hash(path) for path in sorted(folder_in(run).glob("*.safetensors"))]
    return [resolve_base(recipe.model.base), recipe.model.revision, bits, made]


# -- making it ------------------------------------------------------------------------------------
def _take_over(run: Run, source: Run) -> None:
    """Data, and what the untuned model said to them, as copies: the members may be deleted."""
    (run.folder / "data").mkdir(exist_ok=True)
    for split in (*SPLITS, "removed"):
        if source.split_path(split).exists():
            shutil.copyfile(source.split_path(split), run.split_path(split))
    if source.findings_path.exists():
        shutil.copyfile(source.findings_path, run.findings_path)
    if (source.folder / "base").is_dir():
        shutil.copytree(source.folder / "base", run.folder / "base")
    for path in (source.folder / "evaluation").glob("base_*"):
        (run.folder / "evaluation").mkdir(exist_ok=True)
        shutil.copyfile(path, run.folder / "evaluation" / path.name)
    if data := source.manifest().get("data"):
        run.record("data", data)


def _splits(run: Run) -> list[Path]:
    return [run.split_path(split) for split in SPLITS]


def _merge(recipe: Recipe, run: Run, plan: Plan) -> None:
    """Where the last stage would have left its adapter; the step counts as done, so that nothing trains over it."""
    from dadeum.models.fresh import in_run
    from dadeum.training.train import stage_inputs

    target = run.adapter_folder(recipe)
    model = in_run(recipe, run).model
    folders = [member.adapter_folder(member.recipe()) for member in plan.members]

    def merge() -> None:
        precision = choose_precision(recipe.model.precision)
        how: Any = plan.how
        merged = merge_adapters(model, precision, folders, target, how, plan.shares, plan.density, recipe.seed)
        load_tokenizer(model).save_pretrained(str(target))
        origin = run.manifest()["ensemble"]
        sizes = {"num_trainable": merged.num_trainable, "num_parameters": merged.num_parameters}
        run.record("ensemble", origin | {"rank": merged.rank, "cost": origin["cost"] | sizes})

    run.step("train", stage_inputs(recipe, run, len(recipe.stages) - 1), merge, outputs=[target])


def _choose(run: Run, plan: Plan) -> None:
    from dadeum.evaluation.answers.chosen import choose_answers

    taken = choose_answers(run, dict(zip(plan.names, plan.members, strict=True)))
    run.record("ensemble", run.manifest()["ensemble"] | {"taken": taken})


def _origin(plan: Plan, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """What the manifest says. Cost: all members were trained, and for `mbr` all of them answer."""
    costs = [each.cost for each in entrants]
    cost: dict[str, Any] = {
        "seconds": _total([each.training_seconds for each in costs]),
        "peak_memory_mb": _most([each.peak_memory_mb for each in costs]),
    }
    if plan.how == "mbr":
        cost |= {
            "num_trainable": _total([each.num_trainable for each in costs]),
            "num_parameters": _total([each.num_parameters for each in costs]),
            "seconds_per_row": _total([each.seconds_per_row for each in costs]),
        }
    told: dict[str, Any] = {"how": plan.how, "names": plan.names, "cost": cost}
    if plan.how != "mbr":
        told["shares"] = plan.shares
    if plan.how in ("ties", "dare_ties"):
        told["density"] = plan.density
    return told | {"members": [_member(member, plan.how) for member in plan.members]}


def _member(member: Run, how: str) -> dict[str, Any]:
    told: dict[str, Any] = {"folder": str(member.folder.resolve())}
    if how == "mbr":
        return told | {"samples": file_hash(member.samples_path)}
    return told | {"weights": pipeline.weights_hash(member.recipe(), member)}


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _most(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None
