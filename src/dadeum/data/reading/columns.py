"""Which column holds which field: the recipe's mapping checked, or a guess that is reported and never silent.

A guess looks at the column's name first and at its content to settle ties; what it finds is printed by
`plan` and `run`, and what it cannot find is an error with a mapping to paste.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.recipe import Source
from dadeum.core.task import Decide
from dadeum.data.nearest import nearest
from dadeum.data.reading.cells import is_missing, label_text, text_of
from dadeum.data.rows import Table

# Column names seen in Korean and English exports; compared without case, spaces, hyphens and underscores.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "title", "제목", "메일제목", "메일 제목", "건명", "mail_subject"),
    "body": ("body", "content", "text", "본문", "내용", "메일 내용", "message"),
    "attachments": ("attachments", "attachment", "첨부", "첨부파일", "첨부 파일", "files", "파일"),
    "sender": ("sender", "from", "발신자", "보낸사람", "보낸 사람", "발신인", "from_address"),
    "received_at": ("received_at", "수신일자", "수신일시", "수신시간", "받은 날짜", "date", "created_at", "sent_at"),
    "label": ("label", "action", "분류", "메일 종류", "구분", "class", "category", "판정", "유형", "target", "spam"),
    "reason": ("reason", "사유", "이유", "근거", "판정 근거", "explanation", "rationale"),
    "origin": ("origin", "board", "게시판", "부서", "출처", "sender_domain", "department"),
}
# Words for a decision, by what the label's name says; used only when the mapping is guessed as well.
_LABEL_WORDS: dict[str, tuple[str, ...]] = {
    "block": ("block", "spam", "스팸", "차단", "광고", "스팸메일"),
    "allow": ("allow", "ham", "정상", "허용", "일반", "정상메일", "normal"),
}
_LISTS = ("attachments",)
_FILE_NAME = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}\b")
_PROBE_ROWS = 500
_ENOUGH = 0.6
"""Score from which a column is taken for a field: an exact name is 1, a name within the name 0.7."""


@dataclass(frozen=True)
class FieldMap:
    """Field → column, and value in the file → label."""

    columns: dict[str, str]
    label_values: dict[str, str] = field(default_factory=dict)
    guessed: bool = False


def is_list_field(name: str) -> bool:
    """Fields whose text cells hold several names."""
    return name in _LISTS or plain_name(name) in map(plain_name, SYNONYMS["attachments"])


def find_columns(table: Table, source: Source, task: Decide) -> FieldMap:
    """The mapping of the recipe, or a guess. Raises DataError for a missing column, field or label."""
    wanted = wanted_fields(task, source)
    if source.map is None:
        return _guess(table, source, task, wanted)
    for name, column in source.map.items():
        if column not in table.columns:
            raise DataError(
                "data.missing_column", path=table.path, field=name, column=column,
                near=nearest(column, table.columns), columns=", ".join(table.columns),
            )  # fmt: skip
    missing = [name for name in wanted if name not in source.map]
    if missing:
        proposal = {name: _best(table, name, task, set(source.map.values())) or "?" for name in missing}
        raise DataError(
            "data.unmapped_field", path=table.path, source=table.name, fields=", ".join(missing),
            columns=", ".join(table.columns), yaml=as_yaml("map", dict(source.map) | proposal),
        )  # fmt: skip
    return FieldMap(dict(source.map), dict(source.label_values))


def wanted_fields(task: Decide, source: Source) -> list[str]:
    """Fields that a row must have: the inputs, the label unless the source has one for all, the reason."""
    label = [] if source.label is not None else ["label"]
    reason = [task.reason_field] if task.reason_field and task.reason_field not in task.input_fields else []
    return [*task.input_fields, *label, *reason]


def _guess(table: Table, source: Source, task: Decide, wanted: list[str]) -> FieldMap:
    """Best column for every field, best scores first, no column twice; `origin` when one is there."""
    scores = sorted(
        (
            (-_score(table, column, name, task), position, name, column)
            for name in [*wanted, "origin"]
            for position, column in enumerate(table.columns)
        )
    )
    found: dict[str, str] = {}
    for score, _, name, column in scores:
        if -score >= _ENOUGH and name not in found and column not in found.values():
            found[name] = column
    missing = [name for name in wanted if name not in found]
    if missing:
        proposal = {name: found.get(name, "?") for name in wanted}
        raise DataError(
            "data.no_guess", path=table.path, source=table.name, fields=", ".join(missing),
            columns=", ".join(table.columns), yaml=as_yaml("map", proposal),
        )  # fmt: skip
    ordered = {name: found[name] for name in [*wanted, "origin"] if name in found}
    values = dict(source.label_values) or _guess_label_values(table, ordered.get("label"), task)
    return FieldMap(ordered, values, guessed=True)


def _best(table: Table, name: str, task: Decide, taken: set[str]) -> str | None:
    free = [column for column in table.columns if column not in taken]
    best = max(free, key=lambda column: _score(table, column, name, task), default=None)
    return best if best is not None and _score(table, best, name, task) >= _ENOUGH else None


def _score(table: Table, column: str, name: str, task: Decide) -> float:
    """0 to 2: how well the column's name (up to 1) and content (up to 1) suit the field."""
    by_name = _name_score(column, [name, *SYNONYMS.get(name, ()), *([task.label_key] if name == "label" else ())])
    if name == "label":
        return by_name + _label_score(_probe(table, column), task)
    if is_list_field(name):
        return by_name + (0.2 if any(map(_FILE_NAME.search, map(text_of, _probe(table, column)))) else 0.0)
    return by_name


def _name_score(column: str, names: Iterable[str]) -> float:
    here = plain_name(column)
    best = 0.0
    for rank, name in enumerate(names):
        there = plain_name(name)
        if here == there:
            # The field's own name beats its synonyms, the first synonyms beat the last.
            return max(best, 1.0 - 0.01 * rank)
        if len(there) > 1 and there in here:
            best = max(best, 0.7 - 0.01 * rank)
        elif difflib.SequenceMatcher(None, here, there).ratio() >= 0.8:
            best = max(best, 0.65 - 0.01 * rank)
    return best


def _label_score(cells: list[Any], task: Decide) -> float:
    """1 when nearly every value is a known label or a word for one."""
    values = [value for value in map(label_text, cells) if not is_missing(value)]
    words = {plain_name(word) for label in task.labels for word in (label, *_LABEL_WORDS.get(plain_name(label), ()))}
    known = sum(plain_name(value) in words for value in values)
    return 1.0 if values and known >= 0.9 * len(values) else 0.0


def _guess_label_values(table: Table, column: str | None, task: Decide) -> dict[str, str]:
    """value: label for words of the file that plainly mean one label; the rest is an unknown label later on."""
    if column is None:
        return {}
    meaning = {
        plain_name(word): label for label in task.labels for word in (label, *_LABEL_WORDS.get(plain_name(label), ()))
    }
    position = table.columns.index(column)
    values = Counter(label_text(cells[position]) for cells in table.rows)
    return {
        value: meaning[plain_name(value)]
        for value in sorted(values)
        if value not in task.labels and plain_name(value) in meaning
    }


def _probe(table: Table, column: str) -> list[Any]:
    position = table.columns.index(column)
    return [cells[position] for cells in table.rows[:_PROBE_ROWS]]


def plain_name(name: str) -> str:
    """A column name as it is compared: without case, spaces, hyphens, underscores."""
    return re.sub(r"[\s_\-./]+", "", name).casefold()


def as_yaml(key: str, mapping: Mapping[str, str]) -> str:
    """A mapping to paste into the recipe, on one line: `map: {subject: 제목, label: 메일 종류}`."""
    return f"{key}: {{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in mapping.items()) + "}"


def _quoted(value: str) -> str:
    is_plain = re.fullmatch(r"[^\W\d]\w*( \w+)*", value) and value.casefold() not in _YAML_WORDS
    return value if is_plain else json.dumps(value, ensure_ascii=False)


_YAML_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
