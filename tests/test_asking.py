from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dadeum.asking import Answerer, ask, ask_all, cautions, load_answerer
from dadeum.core.errors import DataError, ModelError, RunError
from dadeum.core.examples import Turn
from dadeum.core.run import Run
from dadeum.indexing import build_index, making_of_run
from dadeum.models.writing import Written
from dadeum.retrieval.index import Index
from dadeum.retrieval.places import open_index
from dadeum.retrieval.searching import Hit, Searchable
from dadeum.tasks import answer
from tests.corpora import ANSWER, RETRIEVE, built_run, chunks_of_corpus, recipe_on
from tests.retrieval.small import FakeEncoder
from tests.tiny import save_llama

LIMIT = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained run of two layers that knows nothing."""
    folder = tmp_path_factory.mktemp("answerer")
    base = save_llama(folder / "base")
    generation = {"max_new_tokens": LIMIT, "no_repeat_ngram": 2, "finish": ["drop_repeats"]}
    made = built_run(recipe_on(folder / "files", base, ANSWER, generation=generation), folder / "run")
    save_llama(made.adapter_folder(made.recipe()), seed=1)
    return made  # type: ignore[no-any-return]


@pytest.fixture
def index(tmp_path: Path) -> Searchable:
    made = Index.create(tmp_path / "index")
    made.add(chunks_of_corpus())
    made.save()
    return open_index(tmp_path / "index")


class Saying:
    """An engine that says what it is told to, and remembers what it was asked."""

    def __init__(self, *texts: str, finished: bool = True) -> None:
        self.texts, self.finished = texts, finished
        self.asked: list[list[Turn]] = []
        self.room = 10**6
        self.renderer = self
        self.settings = self
        self.max_length_tokens = self.room

    def render(self, row: Any) -> Any:
        self.input_ids = row.prompt[-1]["content"]
        return self

    def write(self, prompts: list[list[Turn]], *_: object) -> list[Written]:
        self.asked += prompts
        return [Written(text, self.finished) for text in self.texts[: len(prompts)]]

    def close(self) -> None:
        pass


def answering(run: Run, *texts: str, **settings: Any) -> tuple[Answerer, Saying]:
    engine = Saying(*texts, **settings)
    return Answerer(run.recipe(), engine, LIMIT, None), engine  # type: ignore[arg-type]


# -- chunks -------------------------------------------------------------------------------------
def test_the_best_chunks_come_with_the_sentence_that_matches(index: Searchable) -> None:
    found = ask(index, "  박물관\n입장료가 얼마예요? ", k=2)
    assert found.question == "박물관 입장료가 얼마예요?"
    hit, place = found.hits[0], found.matches[0]
    assert (len(found.hits), hit.document) == (2, "doc-08")
    assert place is not None
    assert hit.text[place.start : place.end] == "박물관 입장료는 8천 원입니다."
    assert (found.answer, found.citations, found.refused, found.warnings) == (None, [], False, [])


def test_many_questions_are_answered_in_their_order(index: Searchable) -> None:
    found = ask_all(index, ["수영장 입장료", "박물관 입장료", "zzz"])
    assert [one.hits[0].document for one in found[:2]] == ["doc-02", "doc-08"]
    assert len(found[0].hits) == 5
    assert [message.key for message in found[2].warnings] == ["retrieval.ask.nothing_found"]


def test_a_reranker_gets_more_than_it_gives_back(index: Searchable) -> None:
    class Reversing:
        name = "reversing"
        read = 0

        def scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
            import numpy as np

            self.read = len(pairs)
            return np.arange(len(pairs), dtype=float)

    reranker = Reversing()
    everything = ask(index, "입장료는 얼마인가요?", k=12)
    found = ask(index, "입장료는 얼마인가요?", k=2, reranker=reranker)
    assert reranker.read == len(everything.hits) == 12
    assert [hit.chunk for hit in found.hits] == [hit.chunk for hit in everything.hits[::-1][:2]]


def test_what_cannot_be_asked_is_said(index: Searchable, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2번째"):
        ask_all(index, ["질문", " \n", ""])
    with pytest.raises(DataError, match="0"):
        ask(index, "질문", k=0)
    with pytest.raises(ModelError, match="meaning"):
        ask(index, "질문", by="meaning")
    Index.create(tmp_path / "empty").save()
    with pytest.raises(RunError, match="empty"):
        ask(open_index(tmp_path / "empty"), "질문")


# -- answers ------------------------------------------------------------------------------------
def hits_of(run: Run, row: Any) -> list[Hit]:
    chunks = {chunk.id: chunk for chunk in chunks_of_corpus()}
    shown = [chunks[one] for one in answer.shown(row)]
    return [Hit(one.id, one.document, one.first_page, one.last_page, 1.0, one.text) for one in shown]


def test_the_model_is_asked_and_answers_as_in_evaluation(run: Run) -> None:
    """Train, evaluation and `ask`: one prompt, one rendering, one way of writing, one finishing."""
    from dadeum.core.progress import silent
    from dadeum.evaluation.answers import models
    from dadeum.evaluation.answers.finishing import finished
    from dadeum.evaluation.answers.rows import read_rows

    recipe = run.recipe()
    rows = read_rows(recipe, run)
    judged = models.tuned(recipe, run, rows, silent)
    expected = finished(recipe, rows, {"tuned": judged})["tuned"].spoken.answers
    with load_answerer(run.folder) as answerer:
        assert answerer.max_new_tokens == judged.max_new_tokens
        prompts = [answerer.prompt(row.text, hits_of(run, row)) for row in rows.answered]
        assert prompts == [(row.prompt, 2) for row in rows.answered]
        assert [text for text, _ in answerer.write([turns for turns, _ in prompts])] == expected
    with load_answerer(run.folder, base=True) as untuned:
        assert [text for text, _ in untuned.write([row.prompt for row in rows.answered])] != expected


def test_a_real_model_answers_from_an_index(run: Run, tmp_path: Path) -> None:
    build_index(tmp_path / "index", making_of_run(run.folder), run=run.folder)
    with load_answerer(run.folder) as answerer:
        found = ask(open_index(tmp_path / "index"), "박물관 입장료가 얼마예요?", answerer=answerer)
    assert len(found.hits) == answerer.task.chunks == 3
    assert found.answer is not None
    assert found.warnings  # two random layers know no sources


def test_an_answer_comes_with_what_it_rests_on(run: Run, index: Searchable) -> None:
    answerer, engine = answering(run, "입장료는 8천 원입니다. [1]")
    found = ask(index, "박물관 입장료가 얼마예요?", answerer=answerer)
    assert (found.answer, found.refused, found.warnings) == ("입장료는 8천 원입니다.", False, [])
    [citation] = found.citations
    assert (citation.number, citation.document, citation.first_page) == (1, "doc-08", 1)
    assert citation.quote == "박물관 입장료는 8천 원입니다."
    shown = [hit for hit in index.search(["박물관 입장료가 얼마예요?"], 3)[0]]
    assert engine.asked == [answer.prompt(answerer.task, "박물관 입장료가 얼마예요?", shown)]


@pytest.mark.parametrize(
    ("said", "keys", "part"),
    [
        ("입장료는 8천 원입니다. [7]", ["no_such_citation"], "[7]"),
        ("입장료는 8,000원입니다.", ["no_citation"], ""),
        ("입장료는 9만 5천 원입니다. [1]", ["unsupported_numbers"], "9만 5천"),
        ("", ["empty_answer"], ""),
    ],
)
def test_doubts_stand_beside_the_answer(run: Run, index: Searchable, said: str, keys: list[str], part: str) -> None:
    answerer, _ = answering(run, said)
    found = ask(index, "박물관 입장료가 얼마예요?", k=1, answerer=answerer)
    assert [message.key.rpartition(".")[2] for message in found.warnings] == keys
    assert part in str(found.warnings[0])
    assert not found.refused


def test_numbers_of_the_question_may_be_repeated(run: Run, index: Searchable) -> None:
    answerer, _ = answering(run, "네, 77명도 8천 원입니다. [1]")
    assert ask(index, "박물관에 77명이 가도 입장료가 8천 원인가요?", k=1, answerer=answerer).warnings == []


def test_a_refusal_is_one_and_has_no_doubts(run: Run, index: Searchable) -> None:
    answerer, _ = answering(run, ANSWER["refusal"])
    found = ask(index, "박물관 주차장은 몇 층인가요?", answerer=answerer)
    assert (found.refused, found.warnings, found.citations) == (True, [], [])


def test_an_answer_that_was_cut_off_says_so(run: Run, index: Searchable) -> None:
    answerer, _ = answering(run, "입장료는 8천 원입니다. [1]", finished=False)
    found = ask(index, "박물관 입장료", k=1, answerer=answerer)
    assert [message.key for message in found.warnings] == ["retrieval.ask.cut_off"]


def test_nobody_is_asked_to_answer_from_nothing(run: Run, index: Searchable) -> None:
    answerer, engine = answering(run, "8천 원입니다. [1]")
    nothing, something = ask_all(index, ["zzz", "박물관 입장료"], answerer=answerer)
    assert (nothing.refused, nothing.answer) == (True, ANSWER["refusal"])
    assert [message.key for message in nothing.warnings] == ["retrieval.ask.nothing_found"]
    assert something.answer == "8천 원입니다."
    assert len(engine.asked) == 1


def test_chunks_that_do_not_fit_are_left_out_from_behind(run: Run, index: Searchable) -> None:
    answerer, engine = answering(run, "8천 원입니다. [1]", "8천 원입니다. [1]")
    [whole] = ask_all(index, ["박물관 입장료"], answerer=answerer)
    engine.max_length_tokens = len(engine.asked[0][-1]["content"]) - 1
    found = ask(index, "박물관 입장료", answerer=answerer)
    assert [hit.chunk for hit in found.hits] == [hit.chunk for hit in whole.hits[:2]]
    assert [message.key for message in found.warnings] == ["retrieval.ask.fewer_chunks"]
    engine.max_length_tokens = 10
    none = ask(index, "박물관 입장료", answerer=answerer)
    assert (none.refused, [message.key for message in none.warnings]) == (True, ["retrieval.ask.no_room"])


def test_a_run_that_cannot_answer_is_named(run: Run, tmp_path: Path) -> None:
    other = built_run(recipe_on(tmp_path / "files", "base", RETRIEVE), tmp_path / "retriever")
    with pytest.raises(RunError, match="retrieve"):
        load_answerer(other.folder)
    untrained = built_run(recipe_on(tmp_path / "more", "base", ANSWER), tmp_path / "untrained")
    with pytest.raises(RunError, match="train"):
        load_answerer(untrained.folder)


def test_other_chunks_than_in_evaluation_are_told(run: Run, index: Searchable, tmp_path: Path) -> None:
    task = run.recipe().task
    assert cautions(index, run.folder, task, None, None) == []
    assert [one.key for one in cautions(index, run.folder, task, None, 9)] == ["retrieval.ask.other_number"]
    made = Index.create(tmp_path / "meaning", FakeEncoder())
    made.add(chunks_of_corpus())
    assert [one.key for one in cautions(made, run.folder, task, "meaning", 3)] == ["retrieval.ask.other_way"]
