"""Turn pydantic's complaints about a recipe into sentences: which line, what was found, what to write instead.

Several complaints about one place (a union tries each branch) become one sentence; complaints that only follow
from a bad item further down are dropped.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.messages import Message, catalogue
from dadeum.core.recipe import Recipe

Location = tuple[str | int, ...]
Lines = Mapping[Location, Message]
"""Where each key and list item was written: a line of the file or a `--set`."""

_TAG_FIELDS = ("type", "method")
_MAX_FOUND_CHARACTERS = 80
# pydantic tells apart how a value failed to be a number; the person needs to know only that one is wanted.
_KINDS = {
    "int_parsing": "int", "int_type": "int", "int_from_float": "int",
    "float_parsing": "float", "float_type": "float", "finite_number": "float",
    "bool_parsing": "bool", "bool_type": "bool",
    "string_type": "string", "invalid_key": "string", "string_pattern_mismatch": "pattern",
    "tuple_type": "list", "list_type": "list",
    "model_type": "mapping", "model_attributes_type": "mapping", "dict_type": "mapping",
    "literal_error": "literal", "union_tag_invalid": "literal",
}  # fmt: skip


def problems(errors: Sequence[ErrorDetails], raw: Any, lines: Lines, whole_file: Message) -> list[DadeumError]:
    """One RecipeError per mistaken place, in the order of the file's sections.

    `raw` is the mapping that was validated; `whole_file` stands for places that no line wrote.
    """
    by_place: dict[Location, list[ErrorDetails]] = {}
    for error in errors:
        by_place.setdefault(_written_location(error, raw), []).append(error)
    nested = [place for place in by_place if not _is_followup(place, by_place)]
    return [_problem(place, by_place[place], raw, lines, whole_file) for place in nested]


def _written_location(error: ErrorDetails, raw: Any) -> Location:
    """The error's path as it stands in the YAML: pydantic adds levels for union branches and dict keys."""
    written: list[str | int] = []
    node = raw
    for part in error["loc"]:
        inside = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if inside:
            node = node[part]
            written.append(part)
    if error["type"] == "missing":
        written.append(error["loc"][-1])
    elif error["type"].startswith("union_tag"):
        written.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(written)


def _is_followup(place: Location, by_place: Mapping[Location, list[ErrorDetails]]) -> bool:
    """A list whose item is wrong also counts as too short; a union also tries the branch that the value is not."""
    only_echoes = all(error["type"] in ("too_short", "literal_error") for error in by_place[place])
    return only_echoes and any(len(other) > len(place) and other[: len(place)] == place for other in by_place)


def _problem(
    place: Location, errors: Sequence[ErrorDetails], raw: Any, lines: Lines, whole_file: Message
) -> DadeumError:
    where = {"where": _where(place, lines, whole_file), "key": ".".join(map(str, place))}
    first = errors[0]
    if first["type"] == "extra_forbidden":
        valid = _valid_keys(place[:-1], raw)
        near = difflib.get_close_matches(str(place[-1]), valid, n=1, cutoff=0.5)
        if near:
            return RecipeError("errors.unknown_key_near", **where, near=near[0], valid=", ".join(valid))
        return RecipeError("errors.unknown_key", **where, valid=", ".join(valid) or "-")
    if first["type"] in ("missing", "union_tag_not_found"):
        return RecipeError("errors.missing_key", **where)
    found: Any = first["ctx"]["tag"] if first["type"] == "union_tag_invalid" else first["input"]
    if found is None:
        return RecipeError("errors.empty_value", **where)
    advice = [_advice(error) for error in errors]
    return RecipeError("errors.bad_value", **where, found=_shortened(found), advice=_joined(advice))


def _advice(error: ErrorDetails) -> Message:
    """What may stand there, as a phrase of our own; pydantic's English only for kinds we have never met."""
    kind = _KINDS.get(error["type"], error["type"])
    context = dict(error.get("ctx", {}))
    if kind == "literal":
        context["expected"] = context.get("expected_tags") or context["expected"].replace(" or ", ", ")
    if f"errors.value.{kind}" in catalogue("ko"):
        return Message(f"errors.value.{kind}", context)
    return Message("errors.value.other", {"detail": error["msg"]})


def _joined(parts: Sequence[Message]) -> Message:
    joined, *rest = parts
    for part in rest:
        joined = Message("errors.value.either", {"first": joined, "second": part})
    return joined


def _shortened(found: Any) -> str:
    written = repr(found)
    return written if len(written) <= _MAX_FOUND_CHARACTERS else written[:_MAX_FOUND_CHARACTERS] + "…"


def _where(place: Location, lines: Lines, whole_file: Message) -> Message:
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return whole_file


def _valid_keys(place: Location, raw: Any) -> list[str]:
    """Keys that may stand under `place`, given the `type` or `method` written there."""
    candidates: list[type[BaseModel]] = [Recipe]
    node = raw
    for part in place:
        node = node[part]
        if isinstance(part, int):
            continue
        fields = [model.model_fields[str(part)] for model in candidates if str(part) in model.model_fields]
        candidates = [model for field in fields for model in models_in(field.annotation)]
    candidates = [model for model in candidates if _tag_fits(model, node)] or candidates
    return sorted({name for model in candidates for name in model.model_fields})


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The recipe sections that an annotation such as `tuple[Source, ...]` or `Lora | QLora` mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def _tag_fits(model: type[BaseModel], node: Any) -> bool:
    for tag in _TAG_FIELDS:
        if tag in model.model_fields and isinstance(node, dict) and tag in node:
            return node[tag] in get_args(model.model_fields[tag].annotation)
    return True
