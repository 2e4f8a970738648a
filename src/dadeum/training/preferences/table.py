"""A preference file as rows: JSONL, JSON, CSV, TSV or parquet; which kind of judgement it holds, by its columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from dadeum.core.errors import DataError

Kind = Literal["pairs", "ratings", "votes"]
_ENCODINGS = ("utf-8-sig", "cp949")
_NEEDS: dict[Kind, tuple[set[str], ...]] = {
    "pairs": ({"chosen", "rejected"},),
    "votes": ({"a", "b", "winner"}, {"a", "b", "votes_a", "votes_b"}),
    "ratings": ({"answer", "rating"},),
}


@dataclass(frozen=True)
class Judgements:
    """A file's rows under our names: `prompt`, `id`, and those of its kind."""

    kind: Kind
    rows: list[tuple[str, dict[str, Any]]]
    """(`<file>:<row>`, cells); an absent column has no key."""
    broken: list[tuple[str, str]]
    """(`<file>:<row>`, what is wrong with it): lines that are no row."""


@cache
def words() -> dict[str, dict[str, list[str]]]:
    """`columns.yaml`."""
    file = resources.files("dadeum.training.preferences").joinpath("columns.yaml")
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def read_judgements(path: Path) -> Judgements:
    """DataError where the file cannot be read, or has no columns that tell better from worse."""
    try:
        lines = list(_lines(path))
    except (OSError, ValueError) as error:  # ValueError: neither encoding, broken JSON, no parquet
        detail = " ".join(str(error).split())[:200]
        raise DataError("train.preferences.unreadable", path=path, detail=detail) from error
    rows = [(f"{path.name}:{number}", line) for number, line in enumerate(lines, start=1)]
    good = [(where, row) for where, row in rows if isinstance(row, dict)]
    names = {str(name).strip().lower(): name for _, row in reversed(good) for name in row}
    called = {
        ours: names[name]
        for ours, known in words()["columns"].items()
        if (name := next((one for one in known if one in names), None))
    }
    kind = _kind(path, set(called), list(names))
    taken = [
        (where, {ours: row[theirs] for ours, theirs in called.items() if row.get(theirs) not in (None, "")})
        for where, row in good
    ]
    return Judgements(kind, taken, [(where, str(row)) for where, row in rows if not isinstance(row, dict)])


def _kind(path: Path, called: set[str], found: list[str]) -> Kind:
    kind = next((kind for kind, ways in _NEEDS.items() if any(way <= called for way in ways)), None)
    # Conversations may carry their prompt in both answers.
    if kind is None or (kind != "pairs" and not called & {"prompt", "id"}):
        raise DataError("train.preferences.unknown_file", path=path, found=", ".join(found) or "-")
    return kind


def _lines(path: Path) -> Iterator[dict[str, Any] | str]:
    """Rows, or what is wrong with a line."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from pq.read_table(path).to_pylist()
        return
    text = _decoded(path)
    if suffix == ".json":
        found = json.loads(text)
        yield from (row if isinstance(row, dict) else str(row)[:80] for row in found)
    elif suffix in (".csv", ".tsv"):
        yield from csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if suffix == ".tsv" else ",")
    else:
        yield from (_json_line(line) for line in text.split("\n") if line.strip())


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for encoding in _ENCODINGS[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(_ENCODINGS[-1])


def _json_line(line: str) -> dict[str, Any] | str:
    try:
        row = json.loads(line)
    except ValueError:
        return line[:80]
    return row if isinstance(row, dict) else line[:80]
