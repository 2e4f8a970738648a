"""Where an index is: a folder, or a PostgreSQL database by its URL; both are used in one way."""

from __future__ import annotations

from pathlib import Path

from dadeum.retrieval.encoder import Encoder
from dadeum.retrieval.index import Index
from dadeum.retrieval.searching import Searchable

_URLS = ("postgresql://", "postgres://")


def open_index(
    place: str | Path, encoder: Encoder | None = None, name: str = "dadeum", verify: bool = True
) -> Searchable:
    """The index that is there. `name` tells several in one database apart; a folder has one.

    `verify` reads a folder's files once more to compare their hashes; their sizes are compared in any case.
    """
    if is_database(place):
        from dadeum.retrieval.postgres import PostgresIndex

        return PostgresIndex.open(str(place), encoder, name)
    return Index.open(Path(place), encoder, verify)


def create_index(place: str | Path, encoder: Encoder | None = None, name: str = "dadeum") -> Searchable:
    """An empty one; RunError where there is one already."""
    if is_database(place):
        from dadeum.retrieval.postgres import PostgresIndex

        return PostgresIndex.create(str(place), encoder, name)
    return Index.create(Path(place), encoder)


def is_database(place: str | Path) -> bool:
    return str(place).startswith(_URLS)
