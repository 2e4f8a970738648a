"""The summaries that people wrote of each row, and ROUGE against all of them."""

from __future__ import annotations

from typing import Literal

from dadeum.core.letters import tidy
from dadeum.core.rouge import Rouge, rouge_many, words
from dadeum.evaluation.asked import Asked
from dadeum.tasks.summarize import references

Better = Literal["higher", "lower", "neither"]


def references_of(asked: Asked) -> list[list[str]]:
    """Per row its references without empty ones, the one that is taught first."""
    return [[text for each in references(row) if (text := tidy(each))] for row in asked.rows]


def several(asked: Asked) -> int:
    """Rows that have more than one reference."""
    return sum(len(found) > 1 for found in references_of(asked))


def rouges(asked: Asked, content_words: bool) -> list[list[Rouge]]:
    """Per row the figures against each reference that has a word to be counted."""
    wanted = references_of(asked)
    found = rouge_many([tidy(answer) for answer in asked.answers], wanted, content_words)
    return [
        [one for one, text in zip(row, texts, strict=True) if words(text, content_words)]
        for row, texts in zip(found, wanted, strict=True)
    ]
