"""The token limit applied to examples, and what there is to say about it afterwards without tokenising again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any, Protocol, runtime_checkable

from dadeum.core.examples import Example
from dadeum.core.progress import Progress, silent
from dadeum.data.rows import Removed, excerpt
from dadeum.models.render import Fitted

Fits = Callable[[list[Example]], list[Fitted]]
"""Applies the token limit: one Fitted per example, in their order (`tokens.TokenCounter`)."""


@runtime_checkable
class Learner(Protocol):
    """A `Fits` whose tokenizer may have to be learnt from the training rows first."""

    made: Path | None
    """Where it left the base that it made; None without one."""

    def learn(self, train: list[Example]) -> None: ...


_ROWS_AT_ONCE = 1000
_MAX_SHOWN = 3


@dataclass(frozen=True)
class TokenLengths:
    """Tokens of prompt plus answer over the rows that are used, and what became of longer ones."""

    median: int
    p95: int
    longest: int
    num_cut: int
    """Rows whose input was shortened to the limit."""
    num_dropped: int
    """Rows removed for their length."""
    rows: list[dict[str, Any]]
    """Up to three of them: id, split, text, tokens."""


@dataclass(frozen=True)
class Limited:
    """Examples under the token limit."""

    fitted: dict[str, list[Fitted]]
    """Split → rows that are kept, with their token counts."""
    removed: list[Removed]
    lengths: TokenLengths

    @property
    def cut(self) -> set[str]:
        """Ids of the examples whose input was shortened."""
        return {row.example.id for rows in self.fitted.values() for row in rows if row.example and row.was_cut}

    @property
    def examples(self) -> dict[str, list[Example]]:
        return {name: [row.example for row in rows if row.example] for name, rows in self.fitted.items()}


def apply_limit(splits: dict[str, list[Example]], fits: Fits, progress: Progress = silent) -> Limited:
    """Keep, cut or remove every example as `fits` says."""
    kept: dict[str, list[Fitted]] = {name: [] for name in splits}
    removed: list[Removed] = []
    shown: list[dict[str, Any]] = []
    if isinstance(fits, Learner):
        fits.learn(splits.get("train", []))
    done, total = 0, sum(map(len, splits.values()))
    for name, examples in splits.items():
        for start in range(0, len(examples), _ROWS_AT_ONCE):
            part = examples[start : start + _ROWS_AT_ONCE]
            for example, fitted in zip(part, fits(part), strict=True):
                tokens = fitted.prompt_tokens + fitted.answer_tokens
                if fitted.example is None:
                    removed.append(_too_long(example, fitted))
                else:
                    kept[name].append(fitted)
                if fitted.example is None or fitted.was_cut:
                    shown.append({"id": example.id, "split": name, "text": excerpt(example.text), "tokens": tokens})
            done += len(part)
            progress("data.progress.tokens", done, total)
    return Limited(kept, removed, _lengths(kept, len(removed), shown))


def _too_long(example: Example, fitted: Fitted) -> Removed:
    detail = f"{fitted.prompt_tokens} + {fitted.answer_tokens}"
    return Removed(example.id, example.source, example.origin, example.text, example.label, "too_long", detail)


def _lengths(kept: dict[str, list[Fitted]], num_dropped: int, shown: list[dict[str, Any]]) -> TokenLengths:
    rows = [row for fitted in kept.values() for row in fitted]
    ordered = sorted(row.prompt_tokens + row.answer_tokens for row in rows) or [0]
    return TokenLengths(
        median=median_low(ordered),
        p95=ordered[int(0.95 * (len(ordered) - 1))],
        longest=ordered[-1],
        num_cut=sum(row.was_cut for row in rows),
        num_dropped=num_dropped,
        rows=shown[:_MAX_SHOWN],
    )
