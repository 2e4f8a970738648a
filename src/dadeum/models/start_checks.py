"""What `plan` says about the weights that a recipe goes on from: what does not fit together, and what to know."""

from __future__ import annotations

from pathlib import Path

from dadeum.core.errors import DadeumError, ModelError, RecipeError
from dadeum.core.measured import Notice
from dadeum.core.messages import Message, text
from dadeum.core.model import Lora, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.models.load import auto_class, load_config
from dadeum.models.started import Started, same_model, started, unknown_rows
from dadeum.models.targets import resolve_targets

_SHAPE = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")
"""What two configurations of one model have in common."""


def start_problems(recipe: Recipe) -> list[DadeumError]:
    """Why the recipe cannot go on from `model.start`; nothing without one."""
    start = recipe.model.start
    if not start:
        return []
    if isinstance(recipe.task, Retrieve):
        return [RecipeError("models.started.embedder", path=start)]
    try:
        found = started(Path(start))
    except DadeumError as error:
        return [error]
    problems = [] if _is_used(recipe) else [RecipeError("models.started.unused", stage=recipe.stages[0].name)]
    return [*problems, *_other_base(recipe, found), *_other_shape(recipe, found)]


def start_notes(recipe: Recipe) -> list[str]:
    """From what it goes on, and what nobody knows about it."""
    start = recipe.model.start
    if not start or isinstance(recipe.task, Retrieve):
        return []
    try:
        found = started(Path(start))
    except DadeumError:
        return []  # told as a problem
    notes: list[Notice | Message | None] = [_goes_on(start, found), unknown_rows(recipe)]
    if isinstance(found.adapter, Lora) and found.base is None:
        notes.append(Notice(key="models.started.no_base", values={"base": recipe.model.base}))
    return [text(note.key, **note.values) for note in notes if note]


def _goes_on(start: str, found: Started) -> Notice:
    adapter = found.adapter
    if isinstance(adapter, NoAdapter):
        return Notice(key="models.started.goes_on_full", values={"path": start})
    targets = ", ".join(adapter.targets)
    return Notice(
        key="models.started.goes_on", values={"path": start, "r": adapter.r, "alpha": adapter.alpha, "targets": targets}
    )


def _is_used(recipe: Recipe) -> bool:
    """Whether a stage begins with these weights and not with the base or with what another stage trained."""
    first = recipe.policy_stages[0]
    return any(stage.start == "previous" for stage in recipe.stages[: first + 1])


def _other_base(recipe: Recipe, found: Started) -> list[DadeumError]:
    model = recipe.model
    if found.base is not None and not same_model(found.base, model.base):
        return [ModelError("models.started.other_base", path=model.start, theirs=found.base, ours=model.base)]
    if isinstance(found.adapter, NoAdapter):
        return _other_architecture(recipe, found)
    if found.revision and model.revision and found.revision != model.revision:
        values = {"theirs": found.revision, "ours": model.revision}
        return [ModelError("models.started.other_revision", path=model.start, **values)]
    return []


def _other_architecture(recipe: Recipe, found: Started) -> list[DadeumError]:
    """Tokenizer and base of the recipe beside weights of another model."""
    try:
        ours = load_config(recipe.model)
        theirs = load_config(recipe.model.model_copy(update={"base": str(found.weights), "revision": None}))
    except DadeumError:
        return []  # a base that cannot be read is told where its size is counted
    for name in _SHAPE:
        left, right = (getattr(one.get_text_config(), name, None) for one in (theirs, ours))
        if left != right:
            values = {"path": recipe.model.start, "base": recipe.model.base}
            return [ModelError("models.started.other_architecture", name=name, theirs=left, ours=right, **values)]
    return []


def _other_shape(recipe: Recipe, found: Started) -> list[DadeumError]:
    """The adapter keeps its own shape, so a recipe that says another would tell a falsehood."""
    path, asked, own = recipe.model.start, recipe.model.adapter, found.adapter
    if isinstance(own, NoAdapter):
        return [] if isinstance(asked, NoAdapter) else [ModelError("models.started.full_with_adapter", path=path)]
    if isinstance(asked, NoAdapter):
        return [ModelError("models.started.adapter_without", path=path)]
    pairs = [(name, getattr(own, name), getattr(asked, name)) for name in ("r", "alpha", "dropout")]
    if wrong := [f"{name}: {left}" for name, left, right in pairs if left != right]:
        return [ModelError("models.started.other_shape", path=path, shape=", ".join(wrong))]
    wanted = _layers(recipe, asked)
    if wanted is None or wanted == set(own.targets):
        return []
    return [ModelError("models.started.other_shape", path=path, shape=f"targets: [{', '.join(own.targets)}]")]


def _layers(recipe: Recipe, asked: Lora) -> set[str] | None:
    """Last parts of the names that the recipe's targets mean; None where the base cannot be read."""
    if isinstance(asked.targets, tuple):
        return set(asked.targets)
    import torch

    try:
        config = load_config(recipe.model)
        with torch.device("meta"):
            trusted = recipe.model.trust_remote_code
            empty = auto_class(config).from_config(config, trust_remote_code=trusted)
        return set(resolve_targets(empty, asked.targets))
    except DadeumError:
        return None  # told where the model's size is counted
