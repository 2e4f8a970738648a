"""Findings made ready for the page: which rows are shown, how much of them, and what is marked.

Templates lay out; here is decided what a reader sees of a row: the text around the place, the place itself, and
every character that hides in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from dadeum.core.clean_steps import EXAMPLES, STEP_NAMES
from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit
from dadeum.core.messages import catalogue
from dadeum.core.words import Html, Words, finding_title, finding_words, kinds, number, plain, told, wording, wording_or
from dadeum.data.context import Context
from dadeum.data.pages.marks import EXCERPT_CHARACTERS, marked
from dadeum.data.pages.row_file import UNREAD
from dadeum.data.rows import Removed

MAX_ROWS = 30
OPEN_ROWS = 3
"""Rows of a finding that stand open; the others unfold."""
_MAX_TEXTS = 3
_PLAIN_CHARACTERS = 220
_MAX_FACTS = 5
_KINDS = {"found", "how", "empty", "level", "usual", "copied", "problem"}
"""What is found under these is a word of ours, with a name in `page.kinds`."""
_WORD = re.compile(r"[a-z_]+")
_PART = re.compile(r"(system|user|assistant)\.(\d+)")


@dataclass(frozen=True)
class TextView:
    """One text of a row: what it is called, and its excerpt with the places marked."""

    name: Words
    html: Html


@dataclass(frozen=True)
class RowView:
    id: str
    split: Words | None
    """None: a row that could not be read."""
    label: str
    texts: list[TextView]
    facts: list[tuple[Words, Words]]
    """What was found in this row, beside the marks."""


@dataclass(frozen=True)
class FindingView:
    finding: Finding
    anchor: str
    """Id of its section: the code, numbered where one check found several things."""
    name: Words
    severity: Words
    title: Words
    effect: Words | None
    action: Words | None
    steps: str
    """Line for a recipe with the clean steps that the action names; empty when it names none."""
    facts: list[tuple[Words, Words]]
    """Values that no sentence says."""
    rows: list[RowView]
    listed: bool
    """Whether every row of it stands in the row file."""


def finding_views(context: Context, findings: Sequence[Finding]) -> list[FindingView]:
    """In the order given, which is worst first."""
    seen: dict[str, int] = {}
    views = []
    for finding in findings:
        seen[finding.code] = seen.get(finding.code, 0) + 1
        anchor = finding.code if seen[finding.code] == 1 else f"{finding.code}-{seen[finding.code]}"
        views.append(_finding_view(context, finding, anchor))
    return views


def _finding_view(context: Context, finding: Finding, anchor: str) -> FindingView:
    action = finding_words(finding, "action")
    return FindingView(
        finding,
        anchor,
        check_name(finding.name),
        wording(f"page.severity.{finding.severity}"),
        finding_title(finding),
        finding_words(finding, "effect"),
        action,
        clean_line(action),
        _unsaid(finding),
        _rows(context, finding),
        bool(finding.hits) or finding.name == UNREAD,
    )


def check_name(name: str) -> Words:
    """What a check is called in three or four words; a check that has no such name keeps its file's."""
    return wording_or(f"doctor.names.{name}", name)


def clean_line(action: Words | None) -> str:
    """The clean steps that a sentence names, as the line to put under `data` in a recipe."""
    # The Korean one: there, `balance` is no word of the sentence.
    named = [word for word in _WORD.findall(action.ko) if word in STEP_NAMES] if action else []
    steps = [f"{{{EXAMPLES[step]}}}" if step in EXAMPLES else step for step in dict.fromkeys(named)]
    return f"clean: [{', '.join(steps)}]" if steps else ""


def _unsaid(finding: Finding) -> list[tuple[Words, Words]]:
    """Thresholds and other values with a name in `doctor.values` that none of the sentences says."""
    korean = catalogue("ko")
    sentences = (korean.get(f"checks.{finding.name}.{part}", "") for part in ("title", "effect", "action"))
    said = {name for sentence in sentences for _, name, _, _ in Formatter().parse(sentence) if name}
    return [
        (wording(f"doctor.values.{name}"), kinds(value) if isinstance(value, str) else _number(value))
        for name, value in finding.values.items()
        if name not in said and f"doctor.values.{name}" in korean and value not in (None, "", "-")
    ]


def _number(value: float) -> Words:
    return plain(number(value, 3 if isinstance(value, float) else 0))


# -- rows -----------------------------------------------------------------------------------------
def _rows(context: Context, finding: Finding) -> list[RowView]:
    if finding.name == UNREAD:
        return [_unread_view(row) for row in spread(context.unread)]
    return row_views(context, finding.hits) if finding.hits else [_stored_view(row) for row in finding.rows]


def spread(rows: Sequence[Any], most: int = MAX_ROWS) -> Sequence[Any]:
    """Up to `most` of the rows, evenly spread, in their order; the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[index * (len(rows) - 1) // (most - 1)] for index in range(most)]


def _unread_view(row: Removed) -> RowView:
    reason = told(f"data.reason.{row.reason}", {}) or plain(row.reason)
    facts = [(found_name("reason"), reason)] + ([(found_name("detail"), plain(row.detail))] if row.detail else [])
    return RowView(row.id, None, "", [TextView(wording("doctor.parts.raw"), marked(row.text, ()))], facts)


def _stored_view(row: Mapping[str, Any]) -> RowView:
    """A row as the finding itself keeps it, where the check had no place to point at."""
    known = {"id", "split", "text", "part", "mark"}
    marks = [tuple(row["mark"])] if row.get("mark") else []
    text = [TextView(wording("doctor.parts.input"), marked(row["text"], marks))] if row.get("text") else []
    facts = facts_of([{key: value for key, value in row.items() if key not in known}])
    return RowView(str(row.get("id") or ""), split_name(row.get("split")), "", text, facts)


def split_name(split: str | None) -> Words | None:
    return wording_or(f"page.splits.{split}", split) if split else None


def found_name(key: str) -> Words:
    return wording_or(f"doctor.found.{key}", key)


def row_views(context: Context, hits: Sequence[Hit], most: int = MAX_ROWS) -> list[RowView]:
    """The rows of the hits, spread; every one with all of its hits."""
    rows = spread(list(dict.fromkeys(hit.row for hit in hits)), most)
    hits_of: dict[int, list[Hit]] = {row: [] for row in rows}
    for hit in hits:
        if hit.row in hits_of:
            hits_of[hit.row].append(hit)
    return [_row_view(context, row, found) for row, found in hits_of.items()]


def _row_view(context: Context, row: int, hits: Sequence[Hit]) -> RowView:
    split, example = context.placed[row]
    found = [hit.found for hit in hits if hit.found]
    texts = [*_texts(context, example, hits), *_other_texts(found)]
    facts = facts_of({key: value for key, value in one.items() if value != example.label} for one in found)
    return RowView(example.id, split_name(split), example.label, texts, facts)


def _texts(context: Context, example: Example, hits: Sequence[Hit]) -> Iterator[TextView]:
    """The marked texts of a row; a row that is meant as a whole shows what is asked and what is answered."""
    parts = dict.fromkeys(hit.part for hit in hits if hit.part)
    for part in list(parts)[:_MAX_TEXTS]:
        here = [hit for hit in hits if hit.part == part]
        yield TextView(part_name(part), marked(context.text_of(here[0]), [(hit.start, hit.end) for hit in here]))
    if parts:
        return
    spans = [(hit.start, hit.end) for hit in hits if hit.end > hit.start]
    most = EXCERPT_CHARACTERS if spans else _PLAIN_CHARACTERS
    yield TextView(wording("doctor.parts.input"), marked(example.text, spans, most))
    if answer_of(example) and not example.label:
        yield TextView(wording("doctor.parts.answer"), marked(answer_of(example), (), _PLAIN_CHARACTERS))


def part_name(part: str) -> Words:
    """`user.2` → 사용자, 2번째 글 (ko); user, text 2 (en)."""
    if numbered := _PART.fullmatch(part):
        return wording("doctor.parts.turn", role=wording(f"doctor.roles.{numbered[1]}"), number=int(numbered[2]))
    return wording_or(f"doctor.parts.{part}", part)


def _other_texts(found: Iterable[Mapping[str, Any]]) -> Iterator[TextView]:
    """Texts of other rows that a check found, such as the row that this one is a copy of (`like_text`)."""
    texts = {(key, str(value)) for facts in found for key, value in facts.items() if key.endswith("_text") and value}
    for key, value in sorted(texts)[:_MAX_TEXTS]:
        yield TextView(found_name(key), marked(value, (), _PLAIN_CHARACTERS))


def facts_of(found: Iterable[Mapping[str, Any]]) -> list[tuple[Words, Words]]:
    """What was found, each fact once: several places of one row may say several things."""
    values: dict[str, dict[str, Words]] = {}
    for facts in found:
        for key, value in facts.items():
            if not key.endswith("_text") and value not in (None, "", [], {}):
                values.setdefault(key, {})[str(value)] = _fact(key, value)
    return [(found_name(key), _joined(list(said.values()))) for key, said in values.items()]


def _fact(key: str, value: Any) -> Words:
    if isinstance(value, list | tuple):
        return _joined([_fact(key, item) for item in value])
    if isinstance(value, float):
        return plain(f"{value:.3g}")
    if isinstance(value, int):
        return plain(number(value))
    # Only where the word is one of ours: a label called `name` stays `name`.
    return kinds(value) if key in _KINDS else plain(value)


def _joined(words: Sequence[Words]) -> Words:
    rest = "" if len(words) <= _MAX_FACTS else f" … +{len(words) - _MAX_FACTS}"
    korean, english = (", ".join(word.get(language) for word in words[:_MAX_FACTS]) for language in ("ko", "en"))
    return Words(korean + rest, english + rest)
