"""Typed questions → probabilities of their answers, from one forward pass each; no text is written.

A run of task `decide` that is asked for its own labels answers with the prompt and the temperature that it was judged
with: `calibrated`. Every other question goes to the model as a Korean prompt (deciding.yaml) whose options are scored
as whole answers; such probabilities order the options and promise nothing.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import yaml

from dadeum.core.errors import DataError, ModelError
from dadeum.core.examples import Turn
from dadeum.core.task import Decide
from dadeum.evaluation.decide.calibration import softmax
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.work import Engine
from dadeum.gateway.taught import Taught, taught
from dadeum.tasks import decide as decide_task

Kind = Literal["yes_no", "choice", "score"]
State = str | Mapping[str, Any] | Sequence[Any]
YES, NO = "true", "false"
"""Options of a yes/no question."""


@dataclass(frozen=True)
class Option:
    value: str
    description: str = ""


@dataclass(frozen=True)
class Question:
    """`options` of a score are its levels, lowest first; of a yes/no question `true` and `false`."""

    kind: Kind
    instructions: str
    options: tuple[Option, ...]

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(option.value for option in self.options)


@dataclass(frozen=True)
class Posed:
    """A question as the model is asked it."""

    turns: list[Turn]
    candidates: tuple[str, ...]
    """One whole answer per option, in their order."""
    trained: bool = False
    """Asked as it was taught."""
    temperature: float | None = None
    """None: nothing was fitted."""


@dataclass(frozen=True)
class Decided:
    probabilities: tuple[float, ...]
    """In the order of the options; they sum to 1."""
    label_mass: float
    """Share of the model's probability that lies on the options at all: low for what it was never taught."""
    posed: Posed

    @property
    def best(self) -> int:
        """The likeliest option; of a tie the earlier."""
        return max(range(len(self.probabilities)), key=lambda at: self.probabilities[at])

    @property
    def confidence(self) -> float:
        """Probability of the likeliest option."""
        return self.probabilities[self.best]

    @property
    def calibrated(self) -> bool:
        return self.posed.temperature is not None


# -- asking ---------------------------------------------------------------------------------------
def pose(model: ServedModel, state: State, question: Question) -> Posed:
    """DataError where the run's own question is asked about something that is not its input."""
    task = model.recipe.task
    if model.task == "decide" and isinstance(task, Decide) and set(question.values) == set(task.labels):
        return trained(model, fields_of(task, state), question.values)
    words = _words()
    options = [_line(_shown(option, question.kind)) for option in question.options]
    asked = words["ask"].format(
        state=as_text(state),
        instructions=question.instructions or words["instructions"][question.kind],
        options="\n".join(options),
    )
    turns: list[Turn] = [{"role": "system", "content": words["system"]}, {"role": "user", "content": asked}]
    return Posed(turns, tuple(_shown(option, question.kind).value for option in question.options))


def trained(model: ServedModel, fields: Mapping[str, Any], values: Sequence[str] | None = None) -> Posed:
    """The run's own question, with its labels in the order of `values`."""
    task, knows = model.recipe.task, taught(model)
    assert isinstance(task, Decide)
    labels = tuple(values or task.labels)
    candidates = tuple(decide_task.answer(task, label) for label in labels)
    seen = {name: _cleaned(knows, value) for name, value in fields.items()}
    return Posed(decide_task.prompt(task, seen), candidates, True, knows.temperature if knows else None)


def fields_of(task: Decide, state: State) -> dict[str, Any]:
    """The fields of the task in a state: an object, the JSON of one, or a text where the task has one field."""
    if isinstance(state, str):
        found = _object(state)
        if found is not None and set(found) <= set(task.input_fields):
            return found
        if len(task.input_fields) == 1:
            return {task.input_fields[0]: state}
    elif isinstance(state, Mapping) and state.keys() <= set(task.input_fields):
        return dict(state)
    raise DataError("gateway.tasks.not_its_input", fields=", ".join(task.input_fields))


def as_text(state: State) -> str:
    return state if isinstance(state, str) else json.dumps(state, ensure_ascii=False)


def alike(values: Sequence[str]) -> str | None:
    """A value that a tokenizer could not tell from an earlier one."""
    seen: set[str] = set()
    for value in values:
        plain = " ".join(unicodedata.normalize("NFKC", value).split())
        if plain in seen:
            return value
        seen.add(plain)
    return None


def _shown(option: Option, kind: Kind) -> Option:
    if kind != "yes_no":
        return option
    return Option(_words()["said_yes"] if option.value == YES else _words()["said_no"], option.description)


def _line(option: Option) -> str:
    name = "described" if option.description else "option"
    found: str = _words()[name].format(value=option.value, description=option.description)
    return found


def _cleaned(knows: Taught | None, value: Any) -> Any:
    if knows is None:
        return value
    if isinstance(value, list | tuple):
        return [text for text in map(knows.cleaned, value) if text]
    return knows.cleaned(value) if isinstance(value, str) else value


def _object(written: str) -> dict[str, Any] | None:
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@cache
def _words() -> dict[str, Any]:
    file = resources.files("dadeum.gateway").joinpath("deciding.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


# -- answers --------------------------------------------------------------------------------------
async def decided(engine: Engine, model: ServedModel, posed: Sequence[Posed]) -> list[Decided]:
    """ModelError where the model's scores are no numbers."""
    scores = await engine.decide(model, [one.turns for one in posed], [one.candidates for one in posed])
    bad = sum(bool(np.isnan(row).any()) or not np.isfinite(np.max(row)) for row in scores)
    if bad:
        raise ModelError("evaluate.not_finite", base=model.recipe.model.base, num=bad, total=len(posed))
    return [_decided(one, np.asarray(row, dtype=float)) for one, row in zip(posed, scores, strict=True)]


def _decided(posed: Posed, scores: np.ndarray) -> Decided:
    probabilities = softmax(scores, posed.temperature or 1.0)
    mass = min(1.0, float(np.exp(scores).sum()))
    return Decided(tuple(probabilities.tolist()), mass, posed)
