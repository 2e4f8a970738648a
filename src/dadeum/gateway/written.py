"""read_section(path, Settings): a YAML file that people write for a gateway, every mistake with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dadeum.core.errors import DadeumError, Problems, RecipeError
from dadeum.core.messages import Message
from dadeum.core.recipe_file import read_yaml
from dadeum.core.section import Section

Read = TypeVar("Read", bound=Section)


def read_section(path: Path, kind: type[Read], more: Mapping[str, Any] | None = None) -> Read:
    """The file, with `more` laid over it. RecipeError for a mistake, Problems for several."""
    if not path.is_file():
        raise RecipeError("gateway.written.no_file", path=path)
    raw, lines = read_yaml(path)
    try:
        return kind.model_validate(raw | dict(more or {}))
    except ValidationError as error:
        whole = Message("errors.file", {"path": path.name})
        found: list[DadeumError] = [_mistake(each, kind, lines, whole) for each in error.errors()]
        raise found[0] if len(found) == 1 else Problems(found) from None


def _mistake(error: ErrorDetails, kind: type[Section], lines: Mapping[Any, Message], whole: Message) -> RecipeError:
    at = tuple(part for part in error["loc"] if part != "[key]")
    where = next((lines[at[:length]] for length in range(len(at), 0, -1) if at[:length] in lines), whole)
    field = ".".join(map(str, at)) or "-"
    if error["type"] == "extra_forbidden":
        known = ", ".join(_section_at(kind, at[:-1]).model_fields)
        return RecipeError("gateway.written.unknown_field", where=where, field=field, known=known)
    if error["type"] == "missing":
        return RecipeError("gateway.written.missing_field", where=where, field=field)
    found = str(error["input"])[:80]
    return RecipeError("gateway.written.bad_field", where=where, field=field, found=found, detail=error["msg"])


def _section_at(kind: type[Section], place: tuple[Any, ...]) -> type[Section]:
    for part in place:
        field = kind.model_fields.get(part) if isinstance(part, str) else None
        inside = [] if field is None else [field.annotation, *get_args(field.annotation)]
        kind = next((one for one in inside if isinstance(one, type) and issubclass(one, Section)), kind)
    return kind
