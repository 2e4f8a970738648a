"""Index of documents: built once with one model and one way of cutting, grown and shrunk later in the same way.

The index remembers both, so `add` and `ask` need its place only. A run of task `retrieve` brings its tuned model and
the mixture of words and meaning that its validation questions chose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError, ModelError, RunError
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Corpus, Recipe
from dadeum.core.run import Run
from dadeum.core.task import Answer, Retrieve
from dadeum.documents.chunks import Chunk
from dadeum.documents.stored import read_chunks
from dadeum.retrieval.encoder import Encoder, SentenceEncoder
from dadeum.retrieval.hybrid import Method
from dadeum.retrieval.places import create_index, open_index
from dadeum.retrieval.searching import By, Searchable, check_model
from dadeum.retrieval.served import served_by
from dadeum.tasks.retrieve import chunk_text, query_text

LETTERS = "letters"
"""Stands for the tokenizer where no model will read the chunks."""
SIZES = {True: (256, 32), False: (512, 64)}
"""(size, overlap) of chunks, in tokens where there is a model, else in letters."""
_AT_ONCE = 2048
_OF_A_FILE = re.compile(r"-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Model:
    """An embedding model with all that changes its vectors."""

    name: str
    """Alias, hub id or folder."""
    question_prefix: str = ""
    chunk_prefix: str = ""
    max_seq_length: int | None = None
    commit: str | None = None

    def encoder(self) -> Encoder:
        return SentenceEncoder(**asdict(self))


@dataclass(frozen=True)
class Cutting:
    """How documents become chunks."""

    tokens_of: str = LETTERS
    """The model whose tokens are counted, or `letters`."""
    size_tokens: int | None = SIZES[False][0]
    """None: a document is one chunk."""
    overlap_tokens: int = SIZES[False][1]
    recognise: bool = False
    """Read scanned pages with tesseract."""

    def count(self) -> Callable[[str], int]:
        if self.tokens_of == LETTERS:
            return len
        from dadeum.models.embed import embedder_tokenizer

        tokenizer = embedder_tokenizer(self.tokens_of)
        return lambda text: len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


@dataclass(frozen=True)
class Making:
    """How an index is made and searched; kept in it as `settings`."""

    cutting: Cutting = Cutting()
    model: Model | None = None
    meaning_weight: float = 0.0
    method: Method = "ranks"
    by: By | None = None
    notes: tuple[Message, ...] = field(default=(), compare=False)
    """What a user should know about the choice."""


@dataclass(frozen=True)
class Change:
    """What came of building an index or of adding to one."""

    place: str
    """Without a database's password."""
    documents: int
    """That are new in it."""
    chunks: int
    replaced: tuple[str, ...] = ()
    """Documents that were taken out for newer ones."""
    same: tuple[str, ...] = ()
    """Documents that were there already, with the same chunks."""
    notes: tuple[Message, ...] = ()


# -- how it is made -------------------------------------------------------------------------------
def making_of_model(
    name: str | None, size: int | None = None, overlap: int | None = None, recognise: bool = False
) -> Making:
    """An untuned model, or None for words only; `size` 0: a document is one chunk, None: the usual size."""
    usual = SIZES[name is not None]
    cutting = Cutting(
        name or LETTERS,
        usual[0] if size is None else size or None,
        usual[1] if overlap is None else overlap,
        recognise,
    )
    key = "retrieval.ask.by_words_only" if name is None else "retrieval.ask.not_validated"
    return Making(cutting, Model(name) if name else None, notes=(Message(key, {"model": name or ""}),))


def making_of_run(folder: Path) -> Making:
    """As the run did: its tuned retriever, its mixture, its chunks. RunError for a run of another task.

    A run of task `answer` brings the retriever that found its chunks: another run, or words.
    """
    run = Run.open(folder)
    recipe = run.recipe()
    if isinstance(recipe.task, Answer):
        cutting = _cutting(recipe)
        if recipe.task.retriever is None:
            return Making(cutting, notes=(Message("retrieval.ask.answered_by_words", {"run": str(folder)}),))
        found = making_of_run(Path(recipe.task.retriever))
        # As `data build` finds the chunks of test questions: by meaning alone where nobody chose a mixture.
        return Making(cutting, found.model, found.meaning_weight, found.method, found.by or "meaning", found.notes)
    if not isinstance(recipe.task, Retrieve):
        raise RunError("retrieval.ask.no_retriever", folder=folder, task=recipe.task.type)
    weights = run.require(run.adapter_folder(recipe), "train")
    task = recipe.task
    model = Model(str(weights.resolve()), query_text(task, ""), chunk_text(task, ""), task.max_seq_length)
    served = served_by(run)
    if served is None:
        note = Message("retrieval.ask.not_evaluated", {"run": str(folder)})
        return Making(_cutting(recipe), model, notes=(note,))
    weight = served.fusion.weight
    note = Message(f"retrieval.ask.chosen.{served.by}", {"run": str(folder), "weight": weight})
    return Making(_cutting(recipe), model, weight, served.fusion.method, served.by, (note,))


def _cutting(recipe: Recipe) -> Cutting:
    from dadeum.models.load import resolve_base

    corpus = recipe.data.corpus
    assert corpus is not None  # its task demands one
    base = recipe.model.base if isinstance(recipe.task, Retrieve) else resolve_base(recipe.model.base)
    return Cutting(base, corpus.size_tokens, corpus.overlap_tokens, corpus.recognise)


def making_of(index: Searchable) -> Making:
    """As an index remembers it; one that was made in Python knows its model's name only."""
    facts, settings = index.facts(), index.settings
    model = None
    if facts.model is not None:
        model = Model(**settings["model"]) if settings.get("model") else Model(facts.model)
    cutting = Cutting(**settings["cutting"]) if settings.get("cutting") else Cutting(model.name if model else LETTERS)
    return Making(cutting, model, index.meaning_weight, index.method, settings.get("by"))


# -- building and growing -------------------------------------------------------------------------
def build_index(
    place: str | Path, making: Making, paths: Sequence[Path] = (), run: Path | None = None, name: str = "dadeum",
    progress: Progress = silent,
) -> Change:  # fmt: skip
    """A new index of the documents in `paths`, or of the chunks of `run`; nothing is kept when it fails.

    RunError where there is one, DataError for documents without text or that cannot be read.
    """
    with closing(create_index(place, making.model.encoder() if making.model else None, name)) as index:
        index.meaning_weight, index.method = making.meaning_weight, making.method
        model = asdict(making.model) if making.model else None
        index.settings = {"cutting": asdict(making.cutting), "model": model, "by": making.by}
        if paths:
            chunks, _, notes = _read(paths, making.cutting, progress)
        else:
            opened = Run.open(run or Path())
            chunks, notes = read_chunks(opened.require(opened.split_path("chunks"), "data build")), ()
        _add(index, chunks, progress)
        index.save()
    return Change(str(index.place), len({chunk.document for chunk in chunks}), len(chunks), notes=notes)


def add_documents(
    index: Searchable, paths: Sequence[Path], replace: bool = False, beside: bool = False, progress: Progress = silent
) -> Change:
    """Cut and read as all others; `index.save()` is the caller's.

    DataError for documents that are there with other content: `replace` takes the old ones out, `beside` leaves files
    of the same name side by side. Documents with the same chunks are left as they are.
    """
    chunks, names, notes = _read(paths, making_of(index).cutting, progress)
    incoming: dict[str, list[str]] = {}
    for chunk in chunks:
        incoming.setdefault(chunk.document, []).append(chunk.id)
    there = index.chunk_ids(incoming)
    same = {document for document, ids in there.items() if ids == incoming[document]}
    changed = {document: document for document in there if document not in same}
    renewed = _renewed({id_: file for file, id_ in names.items()}, set(incoming) - set(there), index.documents())
    others = changed if beside else changed | renewed
    if others and not replace:
        new, old = next(iter(others.items()))
        raise DataError("retrieval.ask.other_content", place=index.place, document=old, new=new, num=len(others))
    if others:
        index.remove(sorted(set(others.values())))
    new_chunks = [chunk for chunk in chunks if chunk.document not in same]
    _add(index, new_chunks, progress)
    replaced, kept = tuple(sorted(set(others.values()))), tuple(sorted(same))
    return Change(str(index.place), len(incoming) - len(same), len(new_chunks), replaced, kept, notes)


def _renewed(files: dict[str, str], new: Collection[str], known: Collection[str]) -> dict[str, str]:
    """New document → the known one that is a file of its name with other content."""
    by_stem: dict[str, str] = {_OF_A_FILE.sub("", document): document for document in known}
    stems = {document: _OF_A_FILE.sub("", document) for document in new if files.get(document, document) != document}
    return {
        document: by_stem[stem]
        for document, stem in sorted(stems.items())
        if stem != document and by_stem.get(stem, stem) != stem
    }


def _read(
    paths: Sequence[Path], cutting: Cutting, progress: Progress
) -> tuple[list[Chunk], dict[str, str], tuple[Message, ...]]:
    """(chunks, file name → document, what there is to say)."""
    from dadeum.data.passages.corpus import read_passages

    settings: dict[str, Any] = {"size_tokens": cutting.size_tokens, "overlap_tokens": cutting.overlap_tokens}
    corpus = Corpus(sources=tuple(map(str, paths)), recognise=cutting.recognise, **settings)
    passages = read_passages(corpus, cutting.count(), progress)
    # It speaks of tokens; how many chunks there are is said by those who ask for them.
    notes = tuple(note for note in passages.notes if cutting.tokens_of != LETTERS or note.key != "data.passages.cut")
    return passages.chunks, passages.names, notes


def _add(index: Searchable, chunks: Sequence[Chunk], progress: Progress) -> None:
    """In parts: words and vectors of all chunks at once would be a second copy of the index."""
    for start in range(0, len(chunks), _AT_ONCE):

        def told(stage: str, done: int, total: int, start: int = start) -> None:
            progress(stage, start + done, len(chunks))

        index.add(chunks[start : start + _AT_ONCE], told)


# -- opening --------------------------------------------------------------------------------------
@contextmanager
def opened(
    place: str | Path, by: By | None = None, moved_to: str | None = None, name: str = "dadeum"
) -> Iterator[Searchable]:
    """The index, with its model where `by` (or what it prefers) needs one; closed in the end.

    A folder's files are not hashed again: `index check` does that.
    """
    with closing(open_index(place, None, name, verify=False)) as index:
        way = by or index.preferred
        if way != "words" and index.facts().model is None:
            raise ModelError("retrieval.ask.no_vectors", place=index.place, by=way)
        if moved_to is not None or way != "words":
            attach_model(index, moved_to)
        yield index


def attach_model(index: Searchable, moved_to: str | None = None) -> None:
    """ModelError when the index has none or another; nothing for an index of words, unless a model is given.

    `moved_to`: where the model is now; prefixes and limits stay those that the index remembers.
    """
    facts, wanted = index.facts(), making_of(index).model
    if moved_to is not None:
        now = str(Path(moved_to).resolve()) if Path(moved_to).is_dir() else moved_to
        wanted = replace(wanted, name=now) if wanted else Model(now)
    if wanted is None:
        return
    moved = Path(wanted.name)
    if moved.is_absolute() and not moved.is_dir():
        raise RunError("retrieval.ask.model_moved", place=index.place, folder=moved)
    encoder = wanted.encoder()
    check_model(encoder, facts.model, facts.revision, str(index.place))
    index.encoder = encoder
