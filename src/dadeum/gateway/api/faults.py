"""A refusal: status, sentence, the field that it is about, and a code that stays the same whatever the sentence."""

from __future__ import annotations

from typing import Any, Self

from dadeum.core.errors import DadeumError
from dadeum.core.messages import Message, text
from dadeum.gateway.engine.work import Overloaded

CLIENT_GONE = 499
"""Nobody reads this status: it stands in the log where the client left before its answer was ready."""


class Fault(Exception):
    """`raise Fault(404, "gateway.api.unknown_model", "model", code="model_not_found", name=…)`."""

    def __init__(
        self,
        status: int,
        key: str,
        /,
        param: str | None = None,
        *,
        code: str | None = None,
        retry_after: float | None = None,
        **values: Any,
    ) -> None:
        super().__init__(status, key)
        self.status = status
        self.key = key
        self.param = param
        self.code = code or key.rpartition(".")[2]
        self.retry_after = retry_after
        self.values = values
        self._error: DadeumError | None = None

    @classmethod
    def of(cls, error: DadeumError, status: int, param: str | None = None, code: str | None = None) -> Self:
        """The sentence of an error that was raised further down."""
        fault = cls(status, error.key, param, code=code)
        fault._error = error
        return fault

    def in_language(self, language: str) -> str:
        return self._error.in_language(language) if self._error else text(self.key, language, **self.values)


def of_overload(error: Overloaded) -> Fault:
    """503, and when to come again."""
    why = Message(f"gateway.api.overload.{error.reason}")
    return Fault(503, "gateway.api.overloaded", code="overloaded", retry_after=error.retry_after_s, why=why)
