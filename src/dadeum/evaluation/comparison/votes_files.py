"""A vote on disk: `votes.csv` for Excel, `votes.html` that one opens and clicks, and the key that voters do not get.

Files come back as spreadsheets save them: UTF-8 with or without its mark, UTF-16 or cp949; commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dadeum.core.errors import DataError, RunError
from dadeum.core.pages import environment, visible
from dadeum.core.run import read_json, write_json, write_text
from dadeum.core.words import wording
from dadeum.evaluation.comparison.votes import Key, Shown, Vote, fields

VOTE = "vote"
_PACKAGE = "dadeum.evaluation.comparison"
_FORMULA = tuple("=+-@\t\r")
"""What begins a formula in a spreadsheet: such a cell gets an apostrophe in front."""
MOST_IN_A_CELL = 32_767
"""Excel cuts what is longer."""


def write_vote(vote: Vote, path: Path) -> tuple[Path, Path]:
    """`path` (CSV), beside it the page and the key; (page, key). Refuses a file with votes in it."""
    if path.exists():
        raise DataError("compare.votes.exists", path=path)
    page, key = path.with_suffix(".html"), path.with_suffix(".key.json")
    write_text(path, "\ufeff" + as_csv(vote.rows))
    write_text(page, _page(vote, path.stem))
    write_json(key, vote.key.model_dump(mode="json"))
    return page, key


def as_csv(rows: list[Shown]) -> str:
    """One line per row with an empty `vote`."""
    columns = list(dict.fromkeys(name for row in rows for name in fields(row)))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*columns, VOTE])
    for row in rows:
        cells = fields(row)
        writer.writerow([*(_plain(cells.get(name, "")) for name in columns), ""])
    return out.getvalue()


def too_long(rows: list[Shown]) -> int:
    """Rows with a cell that Excel would cut."""
    return sum(any(len(cell) > MOST_IN_A_CELL for cell in fields(row).values()) for row in rows)


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def _page(vote: Vote, name: str) -> str:
    """The page holds the CSV's cells as data too: what it gives back is what the key knows."""
    rows = list(csv.reader(io.StringIO(as_csv(vote.rows), newline="")))
    data = json.dumps({"vote": vote.key.vote, "name": name, "rows": rows}, ensure_ascii=False)
    # Inside a script element only `<` can end it, and U+2028 is a line end to old parsers.
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    shown = [
        {
            "row": row.row,
            "question": visible(row.question),
            "chunks": {side: visible(chunks) for side, chunks in row.chunks.items()},
            "answers": {"left": visible(row.left), "right": visible(row.right)},
        }
        for row in vote.rows
    ]
    template = environment(_PACKAGE, "compare", "votes").get_template("votes.html.j2")
    context: dict[str, Any] = {"name": name, "kind": wording("compare.votes.kind"), "rows": shown, "data": data}
    sections = {part: wording(f"compare.votes.section.{part}") for part in ("howto", "ballot", "download")}
    return template.render(context | {"sections": sections, "task": vote.key.task})


# -- reading --------------------------------------------------------------------------------------
@cache
def vote_words() -> dict[str, str]:
    """What people write → `left`, `right` or `tie`."""
    file = resources.files(_PACKAGE).joinpath("votes.yaml")
    known: dict[str, list[str]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {word: meaning for meaning, written in known.items() for word in written}


def read_key(path: Path) -> Key:
    try:
        return Key.model_validate(read_json(path))
    except (OSError, RunError, ValidationError) as error:
        raise DataError("compare.votes.no_key", path=path) from error


def find_key(votes: Path) -> Path:
    """`votes.key.json` of `votes.csv`; where the file got another name, the only key in its folder."""
    own = votes.with_suffix(".key.json")
    if own.exists():
        return own
    beside = sorted(votes.parent.glob("*.key.json"))
    if len(beside) != 1:
        raise DataError("compare.votes.which_key", path=votes, found=", ".join(map(str, beside)) or "-")
    return beside[0]


def read_cells(path: Path) -> list[dict[str, str]]:
    """The rows of a file of votes under its own column names; DataError where it is none."""
    try:
        said = _decoded(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("compare.votes.unreadable", path=path, detail=error) from error
    head = said.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = [
        {str(name).strip(): _text(cell) for name, cell in row.items() if name}
        for row in csv.DictReader(io.StringIO(said, newline=""), delimiter=delimiter)
    ]
    if not rows or not {"row", "left", "right", VOTE} <= rows[0].keys():
        raise DataError("compare.votes.not_votes", path=path, found=", ".join(rows[0]) if rows else "-")
    return [row for row in rows if any(row.values())]


def _text(cell: str | None) -> str:
    cell = cell or ""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp949")
