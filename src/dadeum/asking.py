"""ask(index, question): the chunks that answer it and, with a run of task `answer`, an answer that stands in them.

The answer is written as evaluation writes it: one prompt, one rendering, one `generation`, one finishing. What cannot
be trusted about it is said beside it: a citation of nothing, a number that no chunk has, an answer that was cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dadeum.core.errors import DataError, RunError
from dadeum.core.examples import Example, Turn, read_examples
from dadeum.core.korean import nfc, squash
from dadeum.core.korean_quantities import quantities, values
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, counter, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.speech import Level
from dadeum.core.task import Answer
from dadeum.indexing import making_of_run
from dadeum.retrieval.matching import Place, best_sentences
from dadeum.retrieval.rerank import DEPTH, Reranker, reranked
from dadeum.retrieval.searching import By, Hit, Searchable
from dadeum.tasks import answer

if TYPE_CHECKING:
    from dadeum.models.engines import AnyEngine
    from dadeum.models.render import Renderer
    from dadeum.models.seq2seq_render import Seq2SeqRenderer

USUAL_HITS = 5


@dataclass(frozen=True)
class Citation:
    """What an answer says that it rests on."""

    number: int
    """As it stands in the answer; from 1, in the order of `Result.hits`."""
    chunk: str
    document: str
    first_page: int
    last_page: int
    quote: str
    """The sentence of the chunk that is nearest to the answer."""


@dataclass(frozen=True)
class Result:
    question: str
    hits: list[Hit]
    """Best first; of an answer, the chunks that the model was shown."""
    matches: list[Place | None]
    """Of each hit the sentence nearest to the question: hit.text[start:end]."""
    answer: str | None = None
    """Without the numbers at its end; None where nobody was asked to write one."""
    citations: list[Citation] = field(default_factory=list)
    refused: bool = False
    warnings: list[Message] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """A question on its way to an answer."""

    question: str
    hits: list[Hit]
    turns: list[Turn]
    """Empty where nobody is asked: nothing was found, or not even one chunk fits."""
    num_shown: int
    """Of the hits, those that stand in the prompt."""


class Answering:
    """How a run of task `answer` asks and how its answers are read, whoever writes them."""

    def __init__(
        self, recipe: Recipe, renderer: Renderer | Seq2SeqRenderer, max_new_tokens: int, level: Level | None
    ) -> None:
        if not isinstance(recipe.task, Answer):
            raise RunError("retrieval.ask.no_answerer", folder=recipe.name, task=recipe.task.type)
        self.recipe = recipe
        self.task = recipe.task
        self.max_new_tokens = max_new_tokens
        self._renderer = renderer
        self._level = level

    def prompt(self, question: str, hits: Sequence[Hit]) -> tuple[list[Turn], int]:
        """What the model is given, and how many of the hits stand in it: those behind go first, as in evaluation."""
        for num in range(len(hits), 0, -1):
            turns = answer.prompt(self.task, question, hits[:num])
            if self._has_room(turns):
                return turns, num
        return [], 0

    def _has_room(self, turns: list[Turn]) -> bool:
        from dadeum.models.seq2seq_render import Seq2SeqRenderer

        refusal = answer.refusal(self.task)
        row = Example("question", "ask", "", "", "", turns, refusal, "")
        if isinstance(self._renderer, Seq2SeqRenderer):
            return self._renderer.has_room(self._renderer.row(row))
        return len(self._renderer.render(row).input_ids) <= self._renderer.settings.max_length_tokens

    def asked(self, question: str, hits: list[Hit]) -> Asked:
        return Asked(question, hits, *self.prompt(question, hits))

    def finished(self, text: str) -> str:
        """What was written, after the steps of `generation.finish`."""
        return answer.finished(text, self.recipe.generation.finish, self._level)

    def result(self, asked: Asked, text: str, is_whole: bool) -> Result:
        """`text` is finished; for a question that nobody was asked it does not matter, the refusal stands at once."""
        if asked.turns:
            return _result(self, asked, text, is_whole)
        bare = _found(asked.question, asked.hits)
        told = [Message("retrieval.ask.no_room", {"limit": _limit(self)})] if asked.hits else bare.warnings
        return Result(asked.question, asked.hits, bare.matches, self.task.refusal, refused=True, warnings=told)


class Answerer(Answering):
    """The model of a run of task `answer`; `with load_answerer(folder) as answerer:` frees it afterwards."""

    def __init__(self, recipe: Recipe, engine: AnyEngine, max_new_tokens: int, level: Level | None) -> None:
        super().__init__(recipe, engine.renderer, max_new_tokens, level)
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._engine.close()

    def write(self, prompts: list[list[Turn]], progress: Progress = silent) -> list[tuple[str, bool]]:
        """(finished answer, whether it came to its end) per prompt."""
        from dadeum.models.candidates import write_best

        if not prompts:
            return []
        count = counter(progress, "retrieval.ask.progress.answers", len(prompts))
        generation, batch_size = self.recipe.generation, self.recipe.evaluate.batch_size
        found = write_best(
            self._engine, prompts, self.max_new_tokens, batch_size, count, generation, self.recipe.seed
        )  # fmt: skip
        return [(self.finished(one.text), one.finished) for one in found]


def load_answerer(folder: str | Path, base: bool = False) -> Answerer:
    """The tuned model of a run, or its untuned one; RunError for a run of another task or one that is not trained."""
    from dadeum.evaluation.answers.finishing import wanted_level
    from dadeum.evaluation.answers.models import longest_answer
    from dadeum.evaluation.answers.rows import Rows
    from dadeum.models.engines import load_engine
    from dadeum.models.fresh import in_run

    run = Run.open(Path(folder))
    recipe = run.recipe()
    if not isinstance(recipe.task, Answer):
        raise RunError("retrieval.ask.no_answerer", folder=folder, task=recipe.task.type)
    run.require_weights()
    weights = None if base else run.require(run.adapter_folder(recipe), "train")
    train = read_examples(run.require(run.split_path("train"), "data build"))
    engine = load_engine(in_run(recipe, run), weights)
    limit = recipe.generation.max_new_tokens or longest_answer(engine, train)
    return Answerer(recipe, engine, limit, wanted_level(recipe, Rows({}, train, [])))


def ask(
    index: Searchable, question: str, *, k: int | None = None, by: By | None = None, reranker: Reranker | None = None,
    answerer: Answerer | None = None,
) -> Result:  # fmt: skip
    """One question; see `ask_all`."""
    return ask_all(index, [question], k=k, by=by, reranker=reranker, answerer=answerer)[0]


def ask_all(
    index: Searchable, questions: Sequence[str], *, k: int | None = None, by: By | None = None,
    reranker: Reranker | None = None, answerer: Answerer | None = None, progress: Progress = silent,
) -> list[Result]:  # fmt: skip
    """One Result per question, in their order.

    `k` chunks each: 5, or as many as the answerer was taught with. DataError for an empty question, RunError for an
    empty index, ModelError where meaning is asked for without its model.
    """
    asked, found = search(index, questions, answerer, k=k, by=by, reranker=reranker, progress=progress)
    if answerer is None:
        return [_found(*one) for one in zip(asked, found, strict=True)]
    posed = [answerer.asked(question, hits) for question, hits in zip(asked, found, strict=True)]
    written = iter(answerer.write([one.turns for one in posed if one.turns], progress))
    return [answerer.result(one, *(next(written) if one.turns else ("", True))) for one in posed]


def search(
    index: Searchable, questions: Sequence[str], answering: Answering | None = None, *, k: int | None = None,
    by: By | None = None, reranker: Reranker | None = None, progress: Progress = silent,
) -> tuple[list[str], list[list[Hit]]]:  # fmt: skip
    """Questions as they are searched, and the hits of each; see `ask_all`."""
    empty = [number for number, question in enumerate(questions, start=1) if not question.strip()]
    if empty:
        raise DataError("retrieval.ask.empty_question", number=empty[0], num=len(empty), total=len(questions))
    if len(index) == 0:
        raise RunError("retrieval.ask.empty_index", place=index.place)
    k = k if k is not None else answering.task.chunks if answering else USUAL_HITS
    index.way(by, k)
    asked = [squash(nfc(question)) for question in questions]
    found = index.search(asked, max(k, DEPTH) if reranker else k, by)
    if reranker is not None:
        found = reranked(reranker, asked, found, k, progress)
    return asked, found


def cautions(index: Searchable, folder: str | Path, task: Answer, by: By | None, k: int | None) -> list[Message]:
    """How chunks are found otherwise than where the answers of that run were judged."""
    told = []
    taught = making_of_run(Path(folder))
    by = by or index.preferred
    wanted = taught.by or "words"
    if by != wanted:
        told.append(Message("retrieval.ask.other_way", {"by": by, "taught": wanted}))
    elif by != "words" and taught.model and taught.model.encoder().revision != index.facts().revision:
        told.append(Message("retrieval.ask.other_retriever", {"taught": taught.model.name}))
    if k is not None and k != task.chunks:
        told.append(Message("retrieval.ask.other_number", {"k": k, "taught": task.chunks}))
    return told


# -- results --------------------------------------------------------------------------------------
def _found(question: str, hits: list[Hit]) -> Result:
    matches = best_sentences(question, [hit.text for hit in hits])
    nothing = [] if hits else [Message("retrieval.ask.nothing_found")]
    return Result(question, hits, matches, warnings=nothing)


def _result(answering: Answering, asked: Asked, text: str, is_whole: bool) -> Result:
    question, hits, num = asked.question, asked.hits, asked.num_shown
    shown = hits[:num]
    said, numbers = answer.split_citations(text)
    refused = answer.is_refusal(answering.task, text)
    told = []
    if num < len(hits):
        told.append(Message("retrieval.ask.fewer_chunks", {"num": num, "of": len(hits), "limit": _limit(answering)}))
    if not is_whole:
        told.append(Message("retrieval.ask.cut_off", {"limit": answering.max_new_tokens}))
    if not refused:
        told += _doubts(answering.task, question, said, numbers, shown)
    matches = best_sentences(question, [hit.text for hit in shown])
    return Result(question, shown, matches, said, _citations(said, numbers, shown), refused, told)


def _limit(answering: Answering) -> int:
    return answering.recipe.render.max_length_tokens


def _doubts(task: Answer, question: str, said: str, numbers: Sequence[int], shown: Sequence[Hit]) -> list[Message]:
    """What a reader should look at before believing the answer."""
    told = [
        Message("retrieval.ask.no_such_citation", {"number": number, "num": len(shown)})
        for number in dict.fromkeys(numbers)
        if not 1 <= number <= len(shown)
    ]
    if not said.strip():
        return [Message("retrieval.ask.empty_answer")]
    if task.citations and not numbers:
        told.append(Message("retrieval.ask.no_citation"))
    # As evaluation has it for summaries: by value, so that 3만 5천 is 35,000. The question's numbers may be repeated.
    known = values(nfc("\n".join([question, *(hit.text for hit in shown)])))
    unknown = dict.fromkeys(said[one.start : one.end] for one in quantities(said) if not one.is_among(known))
    if unknown:
        told.append(Message("retrieval.ask.unsupported_numbers", {"numbers": ", ".join(unknown)}))
    return told


def _citations(said: str, numbers: Sequence[int], shown: Sequence[Hit]) -> list[Citation]:
    """Of the chunks that there are, each once; without a shared word the chunk's beginning is quoted."""
    cited = [number for number in dict.fromkeys(numbers) if 1 <= number <= len(shown)]
    hits = [shown[number - 1] for number in cited]
    places = best_sentences(said, [hit.text for hit in hits])
    return [
        Citation(number, hit.chunk, hit.document, hit.first_page, hit.last_page, hit.text[place.start : place.end])
        for number, hit, place in zip(cited, hits, (place or Place(0, 200) for place in places), strict=True)
    ]
