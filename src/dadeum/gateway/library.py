"""The documents of runs that answer questions: a run's own chunks, searched as `data build` and `dadeum ask` do.

The index is made in memory from the run's chunks, once per version: at the first question, or before it by `shelf`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from dadeum.asking import Answering, Asked, search
from dadeum.core.korean import nfc, squash
from dadeum.core.run import Run
from dadeum.documents.stored import read_chunks
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.taught import taught
from dadeum.indexing import making_of_run
from dadeum.models.fresh import in_run
from dadeum.retrieval.places import create_index
from dadeum.retrieval.searching import Hit, Searchable

_NEVER_SAVED = "index-in-memory"
_shelves: dict[tuple[str, str], Shelf] = {}
_lock = Lock()


class Given(Protocol):
    """A text that the caller found."""

    document: str
    page: int
    text: str


@dataclass(frozen=True)
class Shelf:
    """What one run answers from, and how it asks."""

    answering: Answering
    index: Searchable
    busy: Lock

    def asked(self, question: str) -> Asked:
        """With what is found here."""
        with self.busy:
            [said], [hits] = search(self.index, [question], self.answering)
        return self.answering.asked(said, hits)


def shelf(model: ServedModel) -> Shelf:
    """RunError for a run without its chunks or with a retriever that is gone."""
    assert model.run is not None
    key = (model.version, str(model.run))
    with _lock:
        if key not in _shelves:
            _shelves[key] = Shelf(answering_of(model), _index(model.run), Lock())
        return _shelves[key]


def answering_of(model: ServedModel) -> Answering:
    """How the run asks and how its answers are read; RunError for one of another task."""
    knows = taught(model)
    assert knows is not None
    recipe = in_run(model.recipe, knows.run)
    return Answering(recipe, knows.renderer, knows.max_new_tokens, knows.level)


def asked_with(answering: Answering, question: str, given: Sequence[Given]) -> Asked:
    """With what the caller found, best first; nothing is searched."""
    hits = [
        Hit(f"given-{number}", one.document, one.page, one.page, 0.0, one.text)
        for number, one in enumerate(given, start=1)
    ]
    return answering.asked(squash(nfc(question)), hits)


def _index(folder: Path) -> Searchable:
    making, run = making_of_run(folder), Run.open(folder)
    encoder = making.model.encoder() if making.model else None
    index = create_index(folder / _NEVER_SAVED, encoder)
    index.meaning_weight, index.method = making.meaning_weight, making.method
    index.settings = {"by": making.by}
    index.add(read_chunks(run.require(run.split_path("chunks"), "data build")))
    return index
