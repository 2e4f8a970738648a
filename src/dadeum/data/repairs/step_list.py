"""Clean steps as a command line writes them: `nfc,mask_pii,cap_phrase_share=0.05`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from dadeum.core.clean_steps import CleanStep
from dadeum.core.errors import Problems
from dadeum.core.messages import Message
from dadeum.core.recipe_errors import problems

OPTION = "--clean"
_STEPS: TypeAdapter[dict[str, tuple[CleanStep, ...]]] = TypeAdapter(dict[str, tuple[CleanStep, ...]])
_KEY = "clean"


def parse_steps(written: str) -> tuple[CleanStep, ...]:
    """The steps of a list with commas; an empty one has none.

    A value stands behind `=`; several phrases or sources are parted by `|`: `drop_phrases=a|b`, `resample=a:100|b:50`.
    A phrase with a comma or a bar needs a recipe. Raises RecipeError, or Problems with one entry per mistake.
    """
    raw = {_KEY: [_step(item.strip()) for item in written.split(",") if item.strip()]}
    try:
        return _STEPS.validate_python(raw)[_KEY]
    except ValidationError as error:
        found = problems(error.errors(), raw, {}, Message("errors.option", {"option": OPTION}))
        raise found[0] if len(found) == 1 else Problems(found) from None


def _step(item: str) -> Any:
    """One step as YAML would give it."""
    name, equals, value = (part.strip() for part in item.partition("="))
    if not equals:
        return name
    if name == "drop_phrases":
        return {name: [phrase.strip() for phrase in value.split("|")]}
    if name == "resample" and all(":" in pair for pair in value.split("|")):
        pairs = (pair.rpartition(":") for pair in value.split("|"))
        return {name: {source.strip(): _number(size) for source, _, size in pairs}}
    return {name: _number(value)}


def _number(value: str) -> float | str:
    """A number as one; what is none stays text, for the error to show."""
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
