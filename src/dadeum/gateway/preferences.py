"""What people said about answers, as training data for the next round, in files that dadeum's own steps read back.

One set of files per model: `NAME.decisions.jsonl` (fields and the right label, for a source of the recipe),
`NAME.pairs.jsonl` and `NAME.ratings.jsonl` (for `pairs.path` of a stage on preferences).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dadeum.core.errors import RunError, first_line
from dadeum.core.messages import Message
from dadeum.core.personal import MASKS
from dadeum.gateway.catalogue import slug
from dadeum.gateway.store.entries import Entry, Feedback, Store

Kind = Literal["decisions", "pairs", "ratings"]
Reason = Literal[
    "no_content", "no_feedback", "contradictory", "unchanged", "only_comment", "no_fields", "no_chunks", "not_answered",
    "repeated",
]  # fmt: skip
_MASKS = tuple(set(MASKS.values()))


@dataclass
class Exported:
    """What was written, and what was not."""

    files: dict[Path, tuple[Kind, int]] = field(default_factory=dict)
    """File → (kind, rows)."""
    left_out: Counter[Reason] = field(default_factory=Counter)
    """Requests, by why; those that were answered unseen (shadows) are not counted."""
    masked: int = 0
    """Rows with a mask in them."""

    def words(self) -> list[Message]:
        """One sentence a file, one a reason, and what to look at."""
        lines = [
            Message("gateway.preferences.written", {"path": path, "rows": rows, "kind": _kind_words(kind)})
            for path, (kind, rows) in self.files.items()
        ]
        if not lines:
            lines.append(Message("gateway.preferences.nothing"))
        for reason, num in self.left_out.most_common():
            why = Message(f"gateway.preferences.reason.{reason}")
            lines.append(Message("gateway.preferences.left_out", {"num": num, "reason": why}))
        if self.left_out["no_content"]:
            lines.append(Message("gateway.preferences.keep"))
        if self.masked:
            lines.append(Message("gateway.preferences.masked", {"num": self.masked}))
        return lines


@dataclass(frozen=True)
class Row:
    """One row of a file."""

    model: str
    kind: Kind
    cells: dict[str, Any]
    about: str
    """Equal for rows about the same input."""


def export(store: Store, out: Path, since: datetime | None = None, until: datetime | None = None) -> Exported:
    """Files in the folder `out`, each replaced whole. RunError where it cannot be written."""
    exported = Exported()
    rows = list(_agreed(_rows(store, exported, since, until), exported))
    by_file: dict[tuple[str, Kind], list[Row]] = {}
    for row in rows:
        by_file.setdefault((row.model, row.kind), []).append(row)
    for (model, kind), found in sorted(by_file.items()):
        path = out / f"{slug(model)}.{kind}.jsonl"
        lines = [json.dumps(row.cells, ensure_ascii=False) for row in found]
        _write(path, lines)
        exported.files[path] = (kind, len(found))
        exported.masked += sum(any(mask in line for mask in _MASKS) for line in lines)
    return exported


def latest(feedback: Iterable[Feedback]) -> dict[str, Feedback]:
    """What counts of each request: of rating, label and correction the last that was said, as it came."""
    found: dict[str, Feedback] = {}
    for said in feedback:
        before = found.get(said.request_id)
        found[said.request_id] = said if before is None else _merged(before, said)
    return found


def _merged(before: Feedback, said: Feedback) -> Feedback:
    is_corrected = said.correction is not None or said.correction_characters > 0
    corrected = said if is_corrected else before
    return Feedback(
        said.request_id, said.time, said.rating or before.rating, said.label or before.label, corrected.correction,
        said.comment or before.comment, said.key_id, corrected.correction_characters,
    )  # fmt: skip


# -- one request → rows -----------------------------------------------------------------------------
def _rows(store: Store, exported: Exported, since: datetime | None, until: datetime | None) -> Iterator[Row]:
    said = latest(store.feedback())
    for entry in store.entries(since, until):
        if entry.shadow_of:
            continue
        found = _of(entry, said.get(entry.request_id))
        if isinstance(found, str):
            exported.left_out[found] += 1
        else:
            yield from found


def _of(entry: Entry, said: Feedback | None) -> list[Row] | Reason:
    if said is None:
        return "no_feedback" if entry.status < 400 else "not_answered"
    if entry.status >= 400:
        return "not_answered"
    if entry.label:
        return _decision(entry, said)
    if said.rating is None and said.correction is None and not said.correction_characters:
        return "only_comment"
    if not entry.question or not entry.answer or (said.correction_characters and not said.correction):
        return "no_content"
    return _answer(entry, said, entry.question, entry.answer)


def _decision(entry: Entry, said: Feedback) -> list[Row] | Reason:
    """The label that was given, or the decided one where somebody said that it was right."""
    label = said.label or (entry.label if said.rating == "up" else None)
    if label is None:
        return "only_comment"
    if said.label and (said.rating == "up") != (said.label == entry.label) and said.rating:
        return "contradictory"
    if not entry.question:
        return "no_content"
    fields = _json(entry.question)
    if not isinstance(fields, dict) or "label" in fields:
        return "no_fields"
    about = json.dumps(fields, ensure_ascii=False, sort_keys=True)
    return [Row(_name(entry), "decisions", {**fields, "label": label}, about)]


def _answer(entry: Entry, said: Feedback, question: str, answer: str) -> list[Row] | Reason:
    """A correction is better than what it corrects, which needs no rating beside; else the rating."""
    turns = _json(question)
    prompt = turns if isinstance(turns, list) and all(_is_turn(turn) for turn in turns) else question
    if entry.task == "answer" and prompt is question:
        return "no_chunks"  # of an older log, or refused because nothing was found: no model saw a prompt like this
    model = _name(entry)
    if said.correction:
        if said.correction.strip() == answer.strip():
            return "unchanged"
        if said.rating == "up":
            return "contradictory"
        return [Row(model, "pairs", {"prompt": prompt, "chosen": said.correction, "rejected": answer}, question)]
    rating = 1 if said.rating == "up" else 0
    # A stage on preferences reads prompt, answer and rating; the data checks read the conversation.
    asked = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    said_all = [*asked, {"role": "assistant", "content": answer}]
    cells = {"prompt": prompt, "answer": answer, "rating": rating, "messages": said_all}
    return [Row(model, "ratings", cells, question)]


def _agreed(rows: Iterable[Row], exported: Exported) -> Iterator[Row]:
    """Without inputs that people labelled differently; the same input twice is one row."""
    kept = list(rows)
    labels: dict[tuple[str, str], set[str]] = {}
    for row in kept:
        if row.kind == "decisions":
            labels.setdefault((row.model, row.about), set()).add(row.cells["label"])
    seen: set[tuple[str, str]] = set()
    for row in kept:
        key = (row.model, row.about)
        if row.kind != "decisions":
            yield row
        elif len(labels[key]) > 1:
            exported.left_out["contradictory"] += 1
        elif key in seen:
            exported.left_out["repeated"] += 1
        else:
            seen.add(key)
            yield row


def _name(entry: Entry) -> str:
    return entry.version.partition("@")[0]


def _kind_words(kind: Kind) -> Message:
    return Message(f"gateway.preferences.kind.{kind}")


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text[:1] in ("{", "[") else None
    except ValueError:
        return None


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)


def _write(path: Path, lines: Iterable[str]) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise RunError("gateway.store.read_only", place=path, detail=first_line(error)) from error
