"""What a search may change: keys of the recipe, checked before anything runs, and laid onto it for a trial.

What decides which rows there are, what the task is and how it is judged stays: figures of other rows or of another
measure could not be compared.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import validate
from dadeum.core.recipe_layers import apply, item_names
from dadeum.core.tune import Range, Scalar, Tune
from dadeum.tuning.record import Params

_SEARCHABLE = ("model", "stages", "render", "generation")
_FIXED_KEYS = ("model.start", "model.trust_remote_code", "render.max_length_tokens", "render.truncation")
_ABSENT = object()


def tune_of(recipe: Recipe) -> Tune:
    """RecipeError for a recipe without the section."""
    if recipe.tune is None:
        raise RecipeError("tune.no_section", name=recipe.name)
    return recipe.tune


def changed(recipe: Recipe, params: Params) -> Recipe:
    """The recipe with these values; RecipeError, or Problems, where they make no recipe."""
    raw = recipe.model_dump(mode="json", by_alias=True)
    space = tune_of(recipe).space
    for key, value in params.items():
        apply(raw, {}, key, value, key)
        values = space.get(key)
        for other, factor in values.also.items() if isinstance(values, Range) else ():
            apply(raw, {}, other, _times(value, factor), other)
    return validate(raw, Path(f"{recipe.name}.yaml"), {})


def _times(value: Scalar, factor: float) -> float | int:
    product = float(value or 0) * factor
    return int(product) if product.is_integer() else product


def defaults(recipe: Recipe) -> Params:
    """The recipe's own values; keys that it leaves to the library are absent."""
    raw = recipe.model_dump(mode="json", by_alias=True)
    found = {key: _value(raw, key) for key in tune_of(recipe).space}
    return {key: value for key, value in found.items() if isinstance(value, bool | int | float | str | None)}


def contains(values: Range | tuple[Scalar, ...], value: Scalar) -> bool:
    """Whether a search could come upon this value."""
    if not isinstance(values, Range):
        return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in values)
    if not isinstance(value, int | float) or isinstance(value, bool) or not values.low <= value <= values.high:
        return False
    step = values.step or (1 if values.is_whole else None)
    return step is None or math.isclose((value - values.low) / step, round((value - values.low) / step), abs_tol=1e-9)


def own_point(recipe: Recipe) -> Params | None:
    """The recipe's own settings as a point of the space; None where they lie outside it.

    Also outside: an r of 64 with an alpha of 16, where the space ties alpha to twice r.
    """
    own, space = defaults(recipe), tune_of(recipe).space
    if not all(key in own and contains(values, own[key]) for key, values in space.items()):
        return None
    return own if changed(recipe, own) == recipe else None


def num_settings(tune: Tune) -> float:
    """How many different settings there are; infinite where a number is real."""
    return math.prod(v.num_values if isinstance(v, Range) else len(v) for v in tune.space.values())


def settings(tune: Tune) -> Iterator[Params]:
    """All of them, where they can be counted."""
    from itertools import product

    values = [_values(values) for values in tune.space.values()]
    return (dict(zip(tune.space, chosen, strict=True)) for chosen in product(*values))


def _values(values: Range | tuple[Scalar, ...]) -> list[Scalar]:
    if not isinstance(values, Range):
        return list(values)
    step = values.step or 1
    return [values.low + number * step for number in range(int(values.num_values))]


# -- mistakes -----------------------------------------------------------------------------------------
def problems_of_space(recipe: Recipe) -> list[DadeumError]:
    """Every key that cannot be searched and every value that makes no recipe, one error each."""
    raw = recipe.model_dump(mode="json", by_alias=True)
    space = tune_of(recipe).space
    found: list[DadeumError] = []
    for key, values in space.items():
        also = values.also if isinstance(values, Range) else {}
        wrong = [error for one in (key, *also) if (error := _problem_of_key(one, raw))]
        wrong += [RecipeError("tune.also_searched", key=key, other=other) for other in also if other in space]
        found += wrong or _problems_of_values(recipe, key, values)
    return found


def _problem_of_key(key: str, raw: dict[str, Any]) -> DadeumError | None:
    section = key.partition(".")[0]
    if section not in raw:
        return RecipeError("tune.no_key", key=key, near=_nearest(section, list(raw)) or "-")
    if section not in _SEARCHABLE or key in _FIXED_KEYS:
        return RecipeError("tune.fixed_key", key=key, allowed=", ".join(_SEARCHABLE))
    value = _value(raw, key)
    if value is _ABSENT:
        return RecipeError("tune.no_key", key=key, near=_near(raw, key) or "-")
    if isinstance(value, dict | list):
        return RecipeError("tune.no_single_value", key=key)
    return None


def _problems_of_values(recipe: Recipe, key: str, values: Range | tuple[Scalar, ...]) -> list[DadeumError]:
    tried = [values.low, values.high] if isinstance(values, Range) else list(values)
    found: list[DadeumError] = []
    for value in tried:
        try:
            changed(recipe, {key: value})
        except DadeumError as error:
            found.append(RecipeError("tune.bad_value", key=key, value=value, detail=error))
    return found


def _value(raw: Any, key: str) -> Any:
    """What stands at `a.b.c`, items of lists called by name; `_ABSENT` where there is nothing."""
    for part in key.split("."):
        if isinstance(raw, list):
            names = item_names(raw)
            place = names.index(part) if part in names else int(part) if part.isdecimal() else len(raw)
            raw = raw[place] if place < len(raw) else _ABSENT
        elif isinstance(raw, dict):
            raw = raw.get(part, _ABSENT)
        else:
            return _ABSENT
    return raw


def _near(raw: Any, key: str) -> str | None:
    """The key with its first wrong part put right."""
    parts = key.split(".")
    for place, part in enumerate(parts):
        if _value(raw, ".".join(parts[: place + 1])) is not _ABSENT:
            continue
        parent = _value(raw, ".".join(parts[:place])) if place else raw
        known = item_names(parent) if isinstance(parent, list) else list(parent) if isinstance(parent, dict) else []
        near = _nearest(part, [str(name) for name in known])
        return near and ".".join([*parts[:place], near, *parts[place + 1 :]])
    return None


def _nearest(word: str, known: list[str]) -> str | None:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return found[0] if found else None
