"""What questions have to do with each other: the same question twice, and documents that no two splits may share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.data.passages.corpus import Passages
from dadeum.data.similar.repeats import bare
from dadeum.tasks import retrieve

MIN_DOCUMENTS = 8
"""With fewer, whole documents cannot be dealt out to three splits in any sensible share."""


def shared_gold(examples: Sequence[Example]) -> tuple[list[Example], int]:
    """Rows that ask the same have what answers any of them; how many got more by it."""
    ids_of: dict[str, dict[str, None]] = defaultdict(dict)
    for row in examples:
        ids_of[bare(row.text)].update(dict.fromkeys(retrieve.relevant(row)))
    found, num = [], 0
    for row in examples:
        ids = list(ids_of[bare(row.text)])
        if len(ids) > len(retrieve.relevant(row)):
            num += 1
            own = retrieve.relevant(row)
            ids = [*own, *(name for name in ids if name not in own)]
            row = replace(row, extra=row.extra | {retrieve.RELEVANT: retrieve.as_extra(ids)})
        found.append(row)
    return found, num


def kin_of(examples: Sequence[Example], passages: Passages) -> tuple[dict[str, list[str]], list[Message]]:
    """Example id → what no row of another split may have: its documents, or its chunks where documents are too few."""
    golds = {row.id: retrieve.relevant(row) for row in examples}
    documents = {name: [passages.first_of[passages.document_of(one)] for one in ids] for name, ids in golds.items()}
    num = len({one for ids in documents.values() for one in ids})
    if num >= MIN_DOCUMENTS or not num:
        return documents, []
    chunks = {name: [one for one in ids if one in passages.by_id] for name, ids in golds.items()}
    return chunks, [Message("data.passages.few_documents", {"num": num, "least": MIN_DOCUMENTS})]


def joined_by_keys(keys: Sequence[Sequence[str]]) -> list[int]:
    """For every row the first row that it shares a key with, along chains."""
    first = list(range(len(keys)))
    owner: dict[str, int] = {}

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    for row, names in enumerate(keys):
        for name in names:
            one, other = root(row), root(owner.setdefault(name, row))
            first[max(one, other)] = min(one, other)
    return [root(row) for row in range(len(keys))]
