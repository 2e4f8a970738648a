"""pydantic's complaints about a body as one sentence that names the field, as OpenAI's clients know it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from string import Formatter
from typing import Any

from dadeum.core.messages import Message, catalogue
from dadeum.gateway.api.faults import Fault

_NOT_JSON = ("json_invalid",)
# pydantic tells apart how a value failed to be a number; the person needs to know only that one is wanted.
_KINDS = {
    "int_parsing": "int", "int_type": "int", "int_from_float": "int", "int_parsing_size": "int",
    "float_parsing": "float", "float_type": "float", "finite_number": "float",
    "bool_parsing": "bool", "bool_type": "bool",
    "string_type": "string", "string_unicode": "unicode", "string_sub_type": "string",
    "tuple_type": "list", "list_type": "list",
    "model_type": "mapping", "model_attributes_type": "mapping", "dict_type": "mapping",
    "string_pattern_mismatch": "pattern",
    "literal_error": "literal", "union_tag_invalid": "literal", "enum": "literal",
    "too_long": "too_long", "too_short": "too_short", "string_too_long": "long_text", "string_too_short": "short_text",
    "less_than_equal": "at_most", "greater_than_equal": "at_least", "greater_than": "above", "less_than": "below",
}  # fmt: skip


def fault_of_body(errors: Sequence[Any]) -> Fault:
    """The first complaint; of a union's branches, the one that came farthest into the value."""
    if not errors:
        return Fault(400, "gateway.api.bad_body", code="bad_body")
    first = max((one for one in errors if one["loc"][:2] == errors[0]["loc"][:2]), key=lambda one: len(one["loc"]))
    place = tuple(part for part in first["loc"] if part not in ("body", "query", "path"))
    if first["type"] in _NOT_JSON or not isinstance(first["type"], str):
        return Fault(400, "gateway.api.bad_body", code="bad_body")
    if first["type"] in ("union_tag_not_found", "union_tag_invalid"):
        place += (str(first["ctx"]["discriminator"]).strip("'"),)
    param = param_of(place)
    if first["type"] == "extra_forbidden":
        return unknown_field(param)
    if first["type"] in ("missing", "union_tag_not_found"):
        return Fault(400, "gateway.api.missing_field", param or None, code="missing_field", field=param or "body")
    return Fault(
        400, "gateway.api.bad_value", param or None, code="bad_value", field=param or "body", advice=_advice(first)
    )


def unknown_field(param: str, known: Sequence[str] = (), missing: Sequence[str] = ()) -> Fault:
    """With the known name that it resembles, or else those that must stand there and do not: one of them is meant."""
    near = difflib.get_close_matches(param, known, n=1, cutoff=0.7)
    if near:
        return Fault(400, "gateway.api.unknown_field_near", param, code="unknown_field", field=param, near=near[0])
    told: dict[str, Any] = {"field": param, "missing": ", ".join(missing)}
    key = "gateway.api.unknown_field_for" if missing else "gateway.api.unknown_field"
    return Fault(400, key, param, code="unknown_field", **told)


def param_of(place: Sequence[str | int]) -> str:
    """`messages[0].content`; names of a union's branches are no part of it."""
    written = ""
    # A tag of a union that is named like the field below it stands there twice.
    for part in [part for before, part in zip((None, *place), place, strict=False) if part != before]:
        if isinstance(part, int):
            written += f"[{part}]"
        elif part.isidentifier() and not part[:1].isupper() and part not in ("str", "int", "float", "bool"):
            written += f".{part}" if written else part
    return written


def _advice(error: Any) -> Message:
    """What may stand there, as a phrase of our own; pydantic's English only for kinds we have never met."""
    kind = _KINDS.get(error["type"], error["type"])
    context = {name: value for name, value in error.get("ctx", {}).items() if isinstance(value, str | int | float)}
    if "expected_tags" in context:
        context["expected"] = context["expected_tags"]
    if "expected" in context:
        context["expected"] = str(context["expected"]).replace(" or ", ", ")  # pydantic's English
    sentence = catalogue("ko").get(f"gateway.api.value.{kind}")
    if sentence is not None and all(name in context for _, name, _, _ in Formatter().parse(sentence) if name):
        return Message(f"gateway.api.value.{kind}", context)
    return Message("gateway.api.value.other", {"detail": error["msg"]})
