"""What `make` names: rows made by seed, for `dadeum data make` and for recipes that say `make` instead of `path`.

A recipe's made rows become a file in the cache, read like any other. The same name, rows and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from dadeum import __version__
from dadeum.core.recipe import Recipe, Source
from dadeum.core.run import fingerprint, write_jsonl
from dadeum.data.builders.correction import correction
from dadeum.data.builders.korean_sft_rows import korean_sft
from dadeum.data.builders.mail_rows import mail
from dadeum.data.builders.no_warning_rows import no_warning
from dadeum.models.precision import cache_folder

ROWS: dict[str, int | None] = {"korean-sft": None, "no-warning": 3000, "correction": 3500, "mail": 1000}
"""Name → rows unless told otherwise; None is all that there are."""
CONVERSATIONS = {"messages": "messages"}
"""field: column of made conversations."""
MAIL = {name: name for name in ("subject", "attachments", "origin", "label")}
"""field: column of made mail."""


class AnyRow(Protocol):
    """A conversation or a mail."""

    def as_json(self) -> dict[str, Any]: ...


def made_rows(name: str, rows: int | None, seed: int) -> Sequence[AnyRow]:
    """Up to `rows` rows of ROWS[name]; DataError where more are asked for than were written one by one."""
    asked = rows or ROWS[name]
    if name == "korean-sft" or asked is None:
        return korean_sft(asked, seed)
    if name == "mail":
        return mail(asked, seed)
    return (no_warning if name == "no-warning" else correction)(asked, seed)


def with_made(recipe: Recipe) -> Recipe:
    """The recipe with a file in place of everything that is to be made."""
    sources = tuple(_made(source, recipe.data_seed) for source in recipe.data.sources)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})


def _made(source: Source, seed: int) -> Source:
    if source.make is None:
        return source
    key = fingerprint([source.make, source.rows, seed, __version__, _banks()])
    path = cache_folder() / "made" / f"{source.make}-{key[:16]}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(path, (row.as_json() for row in made_rows(source.make, source.rows, seed)))
    name, columns = source.name or source.make, source.map or (MAIL if source.make == "mail" else CONVERSATIONS)
    return source.model_copy(update={"path": str(path), "make": None, "rows": None, "name": name, "map": columns})


@cache
def _banks() -> str:
    """Changes when what is drawn from, or how, changes."""
    folder = Path(str(resources.files("dadeum.data.builders")))
    files = sorted(file for kind in ("*.py", "*.yaml") for file in folder.rglob(kind))
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()
