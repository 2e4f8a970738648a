"""The steps of `data.clean`: a bare name, or a name with its value (`cap_phrase_share: 0.05`).

A step with a value is a section of one field, named like the step; `transforms.py` and `removals.py` in
`data/repairs/` do the work.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from dadeum.core.section import Section

StepName = Literal[
    "repair_encoding", "nfc", "strip_html", "squash_spaces", "mask_pii",
    "drop_empty", "drop_exact_duplicates", "drop_near_duplicates", "trim_mixed_speech",
]  # fmt: skip
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class CapPhraseShare(Section):
    """Boilerplate answers thinned out."""

    cap_phrase_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Largest share of the rows left whose answer may have a boilerplate phrase; rows above it go, drawn by seed."""


class DropPhrases(Section):
    """Answers with phrases that the model must not learn."""

    drop_phrases: Annotated[tuple[Phrase, ...], Field(min_length=1)]
    """Rows whose answer has one of these phrases go; spaces and Unicode form do not matter."""


class Balance(Section):
    """Labels, or sources where rows have no label, brought nearer to each other in number."""

    balance: Annotated[float, Field(ge=1.0)]
    """Rows that any label may have per row of the rarest one; the rest goes, drawn by seed."""


class Resample(Section):
    """Sources cut down to a size."""

    resample: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    """source: rows. At most that many of its rows stay, drawn by seed from what earlier steps left."""


ValueStep = CapPhraseShare | DropPhrases | Balance | Resample
VALUE_STEPS: dict[str, type[ValueStep]] = {
    name: section for section in get_args(ValueStep) for name in section.model_fields
}
EXAMPLES = {
    "cap_phrase_share": "cap_phrase_share: 0.05",
    "drop_phrases": 'drop_phrases: ["…"]',
    "balance": "balance: 3.0",
    "resample": "resample: {mail: 1000}",
}
"""How each step with a value is written."""
STEP_NAMES: tuple[str, ...] = (*get_args(StepName), *VALUE_STEPS)


def step_name(step: CleanStep) -> str:
    """The name of a step, with or without a value."""
    return step if isinstance(step, str) else next(iter(type(step).model_fields))


def _is_a_step(value: Any) -> Any:
    """Refuse what is no step at all with a reason that helps; values are judged by their own section."""
    if isinstance(value, Section):
        return value
    name, has_value = value, False
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise PydanticCustomError("step_per_item", "write every step as an item of its own")
        name, has_value = next(iter(value)), True
    if name not in STEP_NAMES:
        near = difflib.get_close_matches(str(name), STEP_NAMES, n=1, cutoff=0.5)
        known = ", ".join(STEP_NAMES)
        if near:
            raise PydanticCustomError("unknown_step_near", "unknown step", {"near": near[0], "known": known})
        raise PydanticCustomError("unknown_step", "unknown step", {"known": known})
    if has_value and name not in VALUE_STEPS:
        raise PydanticCustomError("step_without_value", "this step takes no value", {"name": name})
    if not has_value and name in VALUE_STEPS:
        raise PydanticCustomError("step_needs_value", "this step needs a value", {"example": EXAMPLES[name]})
    return value


def _tag(value: Any) -> str:
    if isinstance(value, str):
        return "name"
    return str(next(iter(value))) if isinstance(value, Mapping) else step_name(value)


CleanStep = Annotated[
    Annotated[StepName, Tag("name")]
    | Annotated[CapPhraseShare, Tag("cap_phrase_share")]
    | Annotated[DropPhrases, Tag("drop_phrases")]
    | Annotated[Balance, Tag("balance")]
    | Annotated[Resample, Tag("resample")],
    Discriminator(_tag),
    BeforeValidator(_is_a_step),
]
