"""Which conversations are shown to a model, and what is left out of files and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.run import write_jsonl
from dadeum.data.builders.expand_examples import examples_of
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_topics import MadeRow


def as_json(*said: str) -> dict[str, Any]:
    return {"messages": MadeRow("", said).as_json()["messages"]}


def test_without_files_the_shipped_conversations_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examples_of([])
    assert {name: len(style.examples) for name, style in found.styles.items()} == dict.fromkeys(conversations(), 24)
    assert (found.num, found.few, found.unread, found.personal) == (288, {}, 0, 0)


def test_what_is_left_out_of_files_is_counted(tmp_path: Path) -> None:
    path, rows = tmp_path / "x.jsonl", [row.as_json() for row in conversations()["사투리"][:4]]
    rows += [row.as_json() for row in conversations()["금융"][:2]]
    rows.append({"messages": rows[0]["messages"][:1], "category": "사투리"})
    rows[0] = as_json("제 번호는 010-9374-2856입니다.", "적어 두겠습니다.") | {"category": "사투리"}
    write_jsonl(path, rows)
    found = examples_of([path])
    assert (list(found.styles), found.few, found.unread, found.personal) == (["사투리"], {"금융": 2}, 1, 1)
    write_jsonl(path, rows[4:6])
    with pytest.raises(DataError) as caught:
        examples_of([path])
    assert caught.value.key == "data.expand.no_examples"


def test_examples_are_korean(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write_jsonl(path, ({"question": f"What is {n}?", "answer": f"It is the number {n}."} for n in range(5)))
    with pytest.raises(DataError) as caught:
        examples_of([path])
    assert caught.value.key == "data.expand.not_korean"
