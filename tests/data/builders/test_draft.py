"""Drafts from a real server and from a tiny model here: kept, turned away, counted, and gone on with."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.messages import LANGUAGES
from dadeum.core.run import read_jsonl
from dadeum.data.builders.authors import EndpointAuthor, LocalAuthor, author_of
from dadeum.data.builders.draft import Drafted, chosen, draft
from dadeum.documents.chunks import Chunk
from dadeum.models import endpoint
from tests.evaluation.judge_server import FakeJudge, Reply, failure, serving

KEY = "sk-local-0001"
NAMES = ("도서관", "수영장", "체육관", "미술관", "식물원")


def chunks() -> list[Chunk]:
    found = []
    for at, name in enumerate(NAMES, start=1):
        text = (
            f"{name} 이용 안내입니다. {name} 입장료는 {at}천 원이고 열람 시간은 오전 {at + 5}시부터입니다. "
            f"자세한 것은 관리 사무소 창구에서 설명하며 {name} 휴관일에는 전화를 받지 않습니다."
        )
        found.append(Chunk(f"안내#p{at}-001", "안내", text, at, at, len(text)))
    return [*found, Chunk("안내#p9-001", "안내", "차례", 9, 9, 2)]


@dataclass
class Writer(FakeJudge):
    """Two drafts per chunk: one to keep, one whose answer stands nowhere."""

    def answer(self, request: dict[str, Any]) -> str:
        asked = request["messages"][1]["content"]
        name, price = re.findall(r"(\w+) 입장료는 (\d)천", asked)[0]
        rows = [
            {
                "question": f"{name}에 들어가려면 얼마를 내나요?",
                "answer": f"{price},000원입니다.",
                "difficulty": "easy",
            },
            {"question": f"{name} 주차장은 몇 대를 세우나요?", "answer": "345대입니다.", "difficulty": "hard"},
        ]
        return self.wrap(json.dumps({"questions": rows}, ensure_ascii=False))


Served = Callable[..., Writer]


@pytest.fixture
def served() -> Iterator[Served]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(serving(Writer(**how)))  # type: ignore[arg-type,return-value]


def run(out: Path, url: str, limit: int | None = None, seed: int = 42, per_chunk: int = 2) -> Drafted:
    left, drafted = chosen(chunks(), out, limit, seed)
    author = EndpointAuthor(url, "fake", "DADEUM_TEST_KEY", seed)
    try:
        return draft(left, drafted, author, per_chunk)
    finally:
        author.close()


def test_drafts_are_looked_at_and_both_kinds_are_kept(served: Served, tmp_path: Path) -> None:
    out = tmp_path / "new" / "qa.jsonl"
    drafted = run(out, served().url)
    assert (drafted.chunks, drafted.accepted, drafted.short, drafted.failed) == (5, 5, 1, 0)
    assert drafted.rejected == {"unsupported": 5}
    rows = read_jsonl(out)
    assert rows[0].keys() == {
        "question", "answer", "relevant_chunks", "difficulty", "review", "drafted_by", "prompt_version",
    }  # fmt: skip
    assert {row["review"] for row in rows} == {"draft"}
    assert sorted(row["relevant_chunks"][0] for row in rows) == [f"안내#p{at}-001" for at in range(1, 6)]
    turned_away = read_jsonl(out.with_name("qa.rejected.jsonl"))
    assert {(row["reason"], row["detail"].split(",")[0]) for row in turned_away} == {("unsupported", "345")}


def test_a_second_call_asks_only_what_is_missing(served: Served, tmp_path: Path) -> None:
    fake, out = served(), tmp_path / "qa.jsonl"
    assert run(out, fake.url, limit=2).accepted == 2
    drafted = run(out, fake.url)
    assert (drafted.chunks, drafted.done_before) == (3, 2)
    assert len(fake.requests) == 5
    assert len({row["question"] for row in read_jsonl(out)}) == 5
    assert run(out, fake.url).chunks == 0


def test_the_same_seed_writes_the_same_file(served: Served, tmp_path: Path) -> None:
    texts = []
    for name, slow in (("a", 0.0), ("b", 0.02)):
        run(tmp_path / f"{name}.jsonl", served(slow_s=slow).url)
        texts.append((tmp_path / f"{name}.jsonl").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    first = [chosen(chunks(), tmp_path / "none.jsonl", 3, seed)[0][0].id for seed in range(6)]
    assert len(set(first)) > 1


def test_replies_that_cannot_be_read_are_listed_and_not_asked_again(served: Served, tmp_path: Path) -> None:
    fake, out = served(wrap=lambda text: "좋은 글이네요!"), tmp_path / "qa.jsonl"
    drafted = run(out, fake.url)
    assert (drafted.accepted, drafted.rejected) == (0, {"unreadable": 5})
    assert read_jsonl(drafted.rejected_file)[0]["detail"] == "좋은 글이네요!"
    assert run(out, fake.url).done_before == 5


def test_more_than_was_asked_for_is_said(served: Served, tmp_path: Path) -> None:
    assert run(tmp_path / "qa.jsonl", served().url, per_chunk=1).rejected == {"too_many": 5}


def test_a_chunk_without_a_reply_is_asked_again(served: Served, tmp_path: Path) -> None:
    def bad(number: int, request: dict[str, Any]) -> Reply | None:
        return failure(400, "this one not") if "수영장" in request["messages"][1]["content"] else None

    out = tmp_path / "qa.jsonl"
    drafted = run(out, served(bad_day=bad).url)
    assert (drafted.chunks, drafted.failed) == (4, 1)
    assert "this one not" in drafted.detail
    assert run(out, served().url).chunks == 1


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint.Endpoint.__init__, "__defaults__", (endpoint.TIMEOUT_S, 1))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DataError) as caught:
            run(tmp_path / "qa.jsonl", f"http://user:{KEY}@127.0.0.1:{unused.getsockname()[1]}/v1")
    assert caught.value.key == "data.builders.no_reply"
    assert KEY not in str(caught.value)
    assert not (tmp_path / "qa.jsonl").exists()


def test_the_key_is_sent_and_written_nowhere(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_TEST_KEY", KEY)
    fake = served()
    run(tmp_path / "qa.jsonl", fake.url)
    assert fake.headers[0]["authorization"] == f"Bearer {KEY}"
    assert not any(KEY in path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    schema = fake.requests[0]["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("questions", True)


@pytest.mark.parametrize(
    ("base_url", "model", "local"),
    [(None, None, None), ("http://localhost/v1", None, None), (None, "m", None), ("http://localhost/v1", "m", "x")],
)
def test_one_author_is_named_in_full(base_url: str | None, model: str | None, local: str | None) -> None:
    with pytest.raises(DataError) as caught:
        author_of(base_url, model, "KEY", local, 42)
    for language in LANGUAGES:
        assert "--base-url" in caught.value.in_language(language)


def test_a_model_on_this_machine_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of random weights writes nothing to read: each chunk is counted, and nobody is called."""
    from dadeum.data.builders import authors
    from tests.tiny import save_llama

    monkeypatch.setattr(authors, "MAX_NEW_TOKENS", 8)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a model here calls nobody"))
    author = LocalAuthor(str(save_llama(tmp_path / "llama")))
    left, drafted = chosen(chunks(), tmp_path / "qa.jsonl", 2)
    draft(left, drafted, author)
    author.close()
    assert (author.address, drafted.chunks, drafted.failed) == ("", 2, 0)
    assert drafted.rejected == {"unreadable": 2}
    assert len(read_jsonl(drafted.rejected_file)) == 2
