"""Summaries made ready for the page: numbers and names that the dialogue does not have are marked where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.findings import Span
from dadeum.core.pages import visible
from dadeum.core.recipe import Recipe
from dadeum.core.task import Summarize
from dadeum.core.words import Html
from dadeum.evaluation.answers.facts import AnswerFacts
from dadeum.evaluation.answers.scores import AnswerSample
from dadeum.evaluation.metrics.unsupported import names, numbers

EXAMPLES = 5


@dataclass(frozen=True)
class Unsupported:
    """A summary of the tuned model with something that its dialogue does not say."""

    id: str
    text: Html
    found: list[str]


def dialogue_of(recipe: Recipe, question: str) -> str:
    """What was to be summarised, without the instruction that the chat form puts before it."""
    instruction = recipe.task.instruction if isinstance(recipe.task, Summarize) else ""
    return question.removeprefix(instruction).lstrip("\n") if instruction else question


def marked(text: str, dialogue: str) -> Html:
    """The text with a mark around every number and name that the dialogue does not have."""
    shown, at = [], 0
    for span in _spans(text, dialogue):
        shown += [visible(text[at : span.start]), f'<mark class="{span.found}">', visible(text[span.start : span.end])]
        shown.append("</mark>")
        at = span.end
    return Html("".join([*shown, visible(text[at:])]))


def unsupported(facts: AnswerFacts) -> list[Unsupported]:
    """The first of the tuned model's summaries that have some, in the order of the file."""
    found: list[Unsupported] = []
    for sample in facts.samples:
        if len(found) == EXAMPLES:
            break
        if one := _unsupported(facts.recipe, sample):
            found.append(one)
    return found


def _unsupported(recipe: Recipe, sample: AnswerSample) -> Unsupported | None:
    dialogue, text = dialogue_of(recipe, sample.question), sample.answers["tuned"]
    spans = _spans(text, dialogue)
    if not spans:
        return None
    words = list(dict.fromkeys(text[span.start : span.end] for span in spans))
    return Unsupported(sample.id, marked(text, dialogue), words)


def _spans(text: str, dialogue: str) -> list[Span]:
    """In order and apart."""
    kept: list[Span] = []
    for span in sorted([*numbers(text, dialogue), *names(text, dialogue)]):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept
