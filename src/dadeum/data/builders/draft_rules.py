"""What a draft is turned away for, before a person reads it: the same faults that the checks look for in finished data.

The first fault counts. Reasons have their names in `data.builders.reason`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dadeum.data.builders.asking import Draft, is_korean
from dadeum.data.checks.foreign_script import find as foreign_spans
from dadeum.data.checks.leading_questions import COPIED_SHARE, MIN_COPIED
from dadeum.data.texts.questions import bare, copied_letters, is_question, pointer, says_its_answer, support
from dadeum.documents.chunks import Chunk
from dadeum.retrieval.words import content_words

MIN_LETTERS = 6
"""Letters and digits of a question."""
MAX_ALIKE = 0.85
"""Shared content words of two questions (Jaccard) from which they ask the same."""
_SHOWN = 5


@dataclass
class Rules:
    """Remembers the questions that were accepted: a second one that asks the same is turned away."""

    asked: dict[str, frozenset[str]] = field(default_factory=dict)
    """Letters of a question → its content words."""

    def remember(self, question: str) -> None:
        self.asked[bare(question)] = frozenset(content_words([question])[0])

    def fault(self, draft: Draft, chunk: Chunk) -> tuple[str, str]:
        """(reason, what was found); two empty texts for a draft that people may read."""
        if len(bare(draft.question)) < MIN_LETTERS:
            return "short", draft.question
        if not is_question(draft.question):
            return "no_question", draft.question
        if not draft.answer:
            return "no_answer", ""
        if found := pointer(draft.question):
            return "not_alone", found
        if found := _foreign(draft, chunk):
            return "foreign", found
        said = support(draft.question, draft.answer, chunk.text)
        if said.is_lacking:
            return "unsupported", ", ".join([*said.numbers, *said.words][:_SHOWN])
        if says_its_answer(draft.question, draft.answer):
            return "answer_inside", draft.answer
        copied, letters = copied_letters(draft.question, chunk.text)
        if copied >= MIN_COPIED and copied >= COPIED_SHARE * letters:
            return "copied", f"{copied}/{letters}"
        if found := self.asks_again(draft.question):
            return "duplicate", found
        return "", ""

    def asks_again(self, question: str) -> str:
        """The question that was accepted before and asks the same; empty for a new one."""
        letters, words = bare(question), frozenset(content_words([question])[0])
        if letters in self.asked:
            return question
        for other, known in self.asked.items():
            if words and len(words & known) >= MAX_ALIKE * len(words | known):
                return other
        return ""


def _foreign(draft: Draft, chunk: Chunk) -> str:
    """Another language than the chunk's, or letters of a script that the chunk does not have."""
    if is_korean(chunk.text) and not is_korean(f"{draft.question} {draft.answer}"):
        return draft.question
    for text in (draft.question, draft.answer):
        for span in foreign_spans(text):
            if text[span.start : span.end] not in chunk.text:
                return text[span.start : span.end]
    return ""
