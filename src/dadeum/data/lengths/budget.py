"""What a tokenizer makes of the rows: how long they are, which answers a length limit would cut, how dense Korean is.

Rows are rendered as training would render them, with the model's chat template; a tokenizer without one gets the
instruction format, and the result says so.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from jinja2.exceptions import TemplateError

from dadeum.core.examples import Example, parts
from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Render
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer

MAX_ROWS = 20_000
"""Rows that are rendered unless all are asked for: the shares below are then right to within 0.7 points."""
DENSITY_ROWS = 2_000
"""Rows whose bare texts are counted for tokens per eojeol; its error is far below a tenth of a token."""
_ROWS_AT_ONCE = 1_000


class RowTokens(NamedTuple):
    """Tokens of one row."""

    row: int
    """Position in the examples that were given."""
    prompt: int
    answer: int
    """End token included."""


@dataclass(frozen=True)
class Budget:
    """Token counts of a data set under one tokenizer."""

    tokenizer: str
    format: str
    """`chat` with the model's template, `instruction` where the tokenizer has none."""
    max_length_tokens: int
    num_rows: int
    """Rows that were rendered."""
    num_total: int
    """Rows that there are."""
    median: int
    p95: int
    longest: int
    """Tokens of prompt and answer together; 0 when no row could be rendered."""
    tokens_per_eojeol: float
    """Tokens per word between spaces, templates left out; 0 without any word."""
    unknown_share: float
    """Share of tokens that the vocabulary has no word for."""
    cut: list[RowTokens] = field(default_factory=list)
    """Rows over the limit: the end of their answer, or all of it, would be missing."""
    refused: list[int] = field(default_factory=list)
    """Rows that the format cannot hold, such as two user turns in a row."""
    longest_row: int = 0

    @property
    def num_lost(self) -> int:
        """Rows whose prompt alone fills the limit: nothing of their answer is left."""
        return sum(row.prompt >= self.max_length_tokens for row in self.cut)


def measure_budget(
    examples: Sequence[Example], tokenizer_name: str, max_length_tokens: int = 2048, full: bool = False, seed: int = 42
) -> Budget:
    """Count tokens of at most MAX_ROWS examples drawn with the seed, of all of them when `full`.

    `tokenizer_name` is a hub id, a folder or an alias. Raises ModelError when there is no such tokenizer.
    """
    tokenizer = load_tokenizer(Model(base=tokenizer_name, adapter=NoAdapter(type="none")))
    render = Render(format="chat" if tokenizer.chat_template else "instruction", max_length_tokens=max_length_tokens)
    renderer = Renderer(tokenizer, render)
    chosen = range(len(examples))
    if not full and len(examples) > MAX_ROWS:
        chosen = sorted(random.Random(seed).sample(chosen, MAX_ROWS))  # type: ignore[assignment]
    rows, refused, num_unknown = _count(renderer, examples, chosen)
    lengths = np.sort([row.prompt + row.answer for row in rows] or [0])
    density = chosen[:: max(1, len(chosen) // DENSITY_ROWS)][:DENSITY_ROWS]
    return Budget(
        tokenizer=tokenizer_name,
        format=render.format,
        max_length_tokens=max_length_tokens,
        num_rows=len(rows),
        num_total=len(examples),
        median=int(lengths[(len(lengths) - 1) // 2]),
        p95=int(lengths[int(0.95 * (len(lengths) - 1))]),
        longest=int(lengths[-1]),
        tokens_per_eojeol=_density(tokenizer, [examples[row] for row in density]),
        unknown_share=num_unknown / max(int(lengths.sum()), 1),
        cut=[row for row in rows if row.prompt + row.answer > max_length_tokens],
        refused=refused,
        longest_row=max(rows, key=lambda row: row.prompt + row.answer).row if rows else 0,
    )


def _count(
    renderer: Renderer, examples: Sequence[Example], chosen: Sequence[int]
) -> tuple[list[RowTokens], list[int], int]:
    """(tokens of every row, rows that the format cannot hold, unknown tokens in all rows)."""
    unknown = renderer.tokenizer.unk_token_id
    counted: list[RowTokens] = []
    refused: list[int] = []
    num_unknown = 0
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        rows = [(row, _texts(renderer, examples[row])) for row in chosen[start : start + _ROWS_AT_ONCE]]
        refused += [row for row, texts in rows if texts is None]
        held = [(row, texts) for row, texts in rows if texts is not None]
        ids = _ids(renderer.tokenizer, [text for _, texts in held for text in texts])
        for (row, _), prompt, answer in zip(held, ids[::2], ids[1::2], strict=True):
            has_end = bool(examples[row].completion)
            counted.append(RowTokens(row, len(prompt), len(answer) + has_end))
            if unknown is not None:
                num_unknown += prompt.count(unknown) + answer.count(unknown)
    return counted, refused, num_unknown


def _texts(renderer: Renderer, example: Example) -> tuple[str, str] | None:
    """(rendered prompt, answer), the bare text where there are no turns; None when the format cannot hold the row."""
    if not example.prompt:
        return example.text, ""
    if renderer.settings.format == "instruction" and any(turn["role"] == "assistant" for turn in example.prompt):
        return None  # it has titles for one question and one answer only
    try:
        prompt = renderer.prompt_text(example.prompt)
    except TemplateError:
        return None
    return prompt, "".join(turn["content"] for turn in example.completion)


def _density(tokenizer: Any, examples: Sequence[Example]) -> float:
    texts = [part.text for example in examples for part in parts(example)]
    num_tokens = sum(map(len, _ids(tokenizer, texts)))
    return num_tokens / max(sum(len(text.split()) for text in texts), 1)


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every text, nothing added."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False).input_ids
    return ids
