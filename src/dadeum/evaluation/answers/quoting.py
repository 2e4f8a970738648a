"""The baseline `sentence`: of the shown chunks the sentence that is most like the question, with its number.

What a search with snippets gives. It never refuses and makes nothing up; a model that is no better finds places.
"""

from __future__ import annotations

import time

from dadeum.core.korean import nfc
from dadeum.core.morphemes import kiwi
from dadeum.core.task import Answer
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.systems import Spoken
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.words import content_words
from dadeum.tasks import answer


def quoted(task: Answer, rows: Rows) -> Spoken:
    """By BM25 among the sentences shown; the first sentence where none shares a word with the question."""
    started = time.perf_counter()
    sentences = {id: _sentences(chunk.text) for id, chunk in rows.chunks.items()}
    flat = [sentence for several in sentences.values() for sentence in several]
    words = dict(zip(flat, content_words(flat), strict=True))
    asked = content_words([row.text for row in rows.answered])
    answers = []
    for row, question in zip(rows.answered, asked, strict=True):
        shown = [(number, one) for number, id in enumerate(answer.shown(row), 1) for one in sentences[id]]
        found = Lexical([words[one] for _, one in shown]).search([question], 1).positions.ravel().tolist()
        number, said = shown[max(found[0], 0)] if shown and found else (0, "")
        answers.append(answer.completion(task, said, [number] if number else [])[0]["content"])
    return Spoken(answers, [False] * len(answers), seconds=time.perf_counter() - started)


def _sentences(text: str) -> list[str]:
    return [one.text.strip() for one in kiwi().split_into_sents(nfc(text)) if one.text.strip()]
