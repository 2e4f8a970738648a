"""What limits figures of retrieval: documents seen in training, texts that are cut, answers that stand twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from dadeum.core.letters import is_korean
from dadeum.core.measured import Notice
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.evaluation.retrieve.questions import Asked, Corpus, Questions
from dadeum.evaluation.retrieve.scores import Cut, Hybrid
from dadeum.models.embed import EMBEDDERS, embedder_tokenizer, text_limit
from dadeum.tasks.retrieve import chunk_text, query_text

_TEXTS_AT_ONCE = 1024


def notices(recipe: Recipe, questions: Questions, cut: Cut | None, hybrids: Mapping[str, Hybrid]) -> list[Notice]:
    """The gravest first."""
    test, num = questions.test, len(questions.test.rows)
    found = []
    if seen := int(questions.seen.sum()):
        found.append(_notice("seen", num=seen, total=num))
    if test.num_without:
        found.append(_notice("without_gold", num=test.num_without, total=test.num_without + num))
    found += _of_model(recipe, test)
    if cut is not None and (cut.chunks or cut.questions):
        found.append(_notice("cut", total=len(questions.corpus.chunks), **cut.model_dump()))
    if several := sum(len(gold) > 1 for gold in test.gold):
        found.append(_notice("several_gold", num=several, total=num))
    if documents := sum(test.by_document):
        found.append(_notice("by_document", num=documents, total=num))
    if twice := _asked_twice(test):
        found.append(_notice("asked_twice", num=twice, total=num))
    if alike := _stands_twice(test, questions.corpus):
        found.append(_notice("stands_twice", num=alike, total=num))
    if hybrids["tuned_hybrid"].num_questions == 0:
        found.append(_notice("no_validation"))
    return found


def _notice(name: str, **values: int) -> Notice:
    return Notice(key=f"evaluate.retrieve.notices.{name}", values=dict(values))


def _of_model(recipe: Recipe, test: Asked) -> list[Notice]:
    packaged = EMBEDDERS.get(recipe.model.base)
    if packaged is None or packaged.language != "en" or not any(map(is_korean, test.texts)):
        return []
    return [Notice(key="evaluate.retrieve.notices.english_model", values={"base": recipe.model.base})]


def _asked_twice(test: Asked) -> int:
    """Questions that are asked in the same words with another right answer: only one of the two can come first."""
    answers = defaultdict(set)
    for row, gold in zip(test.rows, test.gold, strict=True):
        answers[row.text].add(gold)
    return sum(len(answers[row.text]) > 1 for row in test.rows)


def _stands_twice(test: Asked, corpus: Corpus) -> int:
    """Questions whose right chunk has a twin of the same text that counts as wrong."""
    texts = Counter(chunk.text for chunk in corpus.chunks)
    return sum(
        not by_document and any(texts[corpus.chunks[place].text] > 1 for place in gold)
        for by_document, gold in zip(test.by_document, test.gold, strict=True)
    )


def count_cut(recipe: Recipe, questions: Questions) -> Cut | None:
    """Texts that the model cannot read to their end; None where it has no limit."""
    task, model = recipe.task, recipe.model
    assert isinstance(task, Retrieve)
    limit = task.max_seq_length or text_limit(model.base, model.revision)
    if limit is None:
        return None
    tokenizer = embedder_tokenizer(model.base, model.revision)

    def is_cut(texts: Sequence[str]) -> np.ndarray:
        lengths: list[int] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            block = list(texts[start : start + _TEXTS_AT_ONCE])
            lengths += [len(ids) for ids in tokenizer(block, truncation=False, verbose=False)["input_ids"]]
        return np.array(lengths, dtype=int) > limit

    corpus, test = questions.corpus, questions.test
    chunks = is_cut([chunk_text(task, chunk.text) for chunk in corpus.chunks])
    cut_documents = set(corpus.document_of[chunks].tolist())
    gold = sum(
        bool(gold & cut_documents) if by_document else bool(chunks[list(gold)].any())
        for by_document, gold in zip(test.by_document, test.gold, strict=True)
    )
    asked = is_cut([query_text(task, text) for text in test.texts])
    return Cut(limit=limit, chunks=int(chunks.sum()), questions=int(asked.sum()), gold=gold)
