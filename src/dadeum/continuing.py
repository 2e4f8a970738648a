"""A recipe that goes on from given weights: what `--adapter` takes over from them, and from the run they come from.

Of an adapter its base and its shape; of a run folder also the task, the form of the prompt, and the training data in
place of the recipe's source called `data`. What a profile says of the machine stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum.core.errors import RecipeError
from dadeum.core.model import Lora, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import DATA, load_recipe
from dadeum.core.recipe_layers import item_names
from dadeum.core.run import Run
from dadeum.models.started import Started, same_model, started


def load_continuing(
    name_or_path: str,
    profile: str | None = None,
    overrides: tuple[str, ...] = (),
    data: Path | None = None,
    adapter: Path | None = None,
) -> Recipe:
    """`load_recipe`, between `--data` and `--set` with what comes with the adapter; None: nothing does."""
    if adapter is None:
        return load_recipe(name_or_path, profile, overrides, data)
    if any(override.partition("=")[0].strip() == "model.start" for override in overrides):
        raise RecipeError("models.started.two_starts")
    path = adapter.expanduser().resolve()
    found = started(path)

    def taken_over(raw: dict[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {"model.start": str(path)} | _of_model(_section(raw, "model"), found)
        # Only the run itself is asked for: who names a folder inside it means the weights alone.
        if found.run == path:
            changes |= _of_run(raw, Run.open(path).recipe(), path, keep_data=data is not None)
        return changes

    return load_recipe(name_or_path, profile, overrides, data, taken_over)


def _of_model(model: dict[str, Any], found: Started) -> dict[str, Any]:
    """Base and shape; whether the base is quantised is the profile's business."""
    changes: dict[str, Any] = {}
    if found.base is not None and not (isinstance(model.get("base"), str) and same_model(model["base"], found.base)):
        changes |= {"model.base": found.base, "model.revision": found.revision}
    elif found.revision is not None:
        changes["model.revision"] = found.revision
    own, asked = found.adapter, _section(model, "adapter")
    if isinstance(own, NoAdapter):
        return changes  # a recipe with an adapter is told to take them for its base
    kept = {name: asked[name] for name in ("type", "bits") if name in asked and asked.get("type") != "none"}
    shape = own.model_dump(mode="json", include=set(Lora.model_fields) - {"type"})
    return changes | {"model.adapter": {"type": "lora"} | kept | shape}


def _of_run(raw: dict[str, Any], run: Recipe, path: Path, keep_data: bool) -> dict[str, Any]:
    """Task, form of the prompt and data of the run; `--data` names other rows, which stay."""
    ours = _section(raw, "task").get("type")
    if ours is not None and ours != run.task.type:
        raise RecipeError("models.started.other_task", path=path, theirs=run.task.type, ours=ours)
    changes: dict[str, Any] = {
        "task": run.task.model_dump(mode="json"),
        "render": run.render.model_dump(mode="json"),
    }
    sources = _section(raw, "data").get("sources")
    sources = sources if isinstance(sources, list) else []
    names = item_names(sources)
    if keep_data or DATA not in names:
        return changes
    place = names.index(DATA)
    spliced, named = _named_apart(run, [*sources[:place], *sources[place + 1 :]])
    changes["data.sources"] = [*sources[:place], *spliced, *sources[place + 1 :]]
    if run.data.corpus:
        changes["data.corpus"] = run.data.corpus.model_dump(mode="json")
    settings = _section(_section(raw, "data"), "split")
    taught = [named[name] for name in run.data.split.train_only if name in named]
    if taught:
        changes["data.split.train_only"] = [*(settings.get("train_only") or ()), *taught]
    return changes


def _named_apart(run: Recipe, others: list[Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The run's sources, each under a name that no other source has; its name in the run → the name here.

    What the recipe makes by itself is not taken a second time: the same seed makes the same rows.
    """
    made = {other.get("make") for other in others if isinstance(other, dict)} - {None}
    taken_over = [source for source in run.data.sources if source.make not in made]
    dumped = [source.model_dump(mode="json", exclude_defaults=True) for source in taken_over]
    taken, named = {name for name in item_names(others) if name is not None}, {}
    for source, name in zip(dumped, item_names(dumped), strict=True):
        new, count = str(name), 2
        while new in taken:
            new, count = f"{name}-{count}", count + 1
        taken.add(new)
        named[str(name)] = source["name"] = new
    return dumped, named


def _section(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}
