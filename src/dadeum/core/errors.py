"""Every error a user can cause, as one tree; each prints without a traceback and exits with code 2.

DadeumError
├── RecipeError        the YAML is wrong: unknown key, wrong type, unknown profile
├── DataError          the rows are wrong or cannot be read
│   └── CheckBlocked   the rows can be read, but training on them would be worthless
├── ModelError         the base model, adapter or template cannot be used as asked
├── RunError           the run folder is missing, damaged or from another recipe
├── ExportError        the adapter cannot be shipped as asked
└── MissingExtra       an optional dependency is needed; names the install command
"""

from __future__ import annotations

from functools import partial
from typing import Any

from dadeum.core.messages import both, text


class DadeumError(Exception):
    """A mistake the user can correct. `key` names a message in `locales/`, `values` fills it."""

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(key, values)

    def __reduce__(self) -> Any:
        # Exceptions are rebuilt from positional arguments; without this, one raised in a worker process is lost.
        return partial(type(self), self.key, **self.values), ()

    def __str__(self) -> str:
        return both(self.key, **self.values)

    def in_language(self, language: str) -> str:
        """The sentence in one language (`ko` or `en`)."""
        return text(self.key, language, **self.values)


class Problems(DadeumError):
    """Several problems reported at once, one line each."""

    def __init__(self, problems: list[DadeumError]) -> None:
        self.problems = problems
        super().__init__("errors.problems", num=len(problems))

    def __reduce__(self) -> Any:
        return type(self), (self.problems,)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"- {problem}" for problem in self.problems)])

    def in_language(self, language: str) -> str:
        lines = [super().in_language(language)]
        return "\n".join([*lines, *(f"- {problem.in_language(language)}" for problem in self.problems)])


def first_line(error: BaseException) -> str:
    """What a library said, short enough for a sentence of ours."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class RecipeError(DadeumError, ValueError):
    """The recipe cannot be read or resolved."""


class DataError(DadeumError, ValueError):
    """A source cannot be read, or its rows are not what the recipe says."""


class CheckBlocked(DataError):
    """A blocking check fired: the run stops before any training time is spent."""


class ModelError(DadeumError, ValueError):
    """The model, tokenizer, adapter targets or chat template cannot be used as asked."""


class RunError(DadeumError, RuntimeError):
    """The run folder is missing, damaged, or lacks the output of an earlier step."""


class ExportError(DadeumError, RuntimeError):
    """The export cannot be made as asked."""


class MissingExtra(DadeumError, ImportError):
    """An optional package is not installed; the message names the install command."""
