"""New conversations from a real server and a tiny model here: kept, turned away, counted, gone on with, given up."""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dadeum.cli import app
from dadeum.core.errors import DataError
from dadeum.core.messages import LANGUAGES
from dadeum.core.run import read_json, read_jsonl, write_jsonl
from dadeum.data.builders import expand as expanding
from dadeum.data.builders.authors import EndpointAuthor, LocalAuthor
from dadeum.data.builders.expand import Expanded, Expansion, quotas
from dadeum.data.builders.expand_examples import examples_of
from dadeum.data.builders.expand_quality import measured, sentences
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_topics import MadeRow
from dadeum.models import endpoint
from tests.evaluation.judge_server import FakeJudge, Reply, failure, serving

CATEGORIES = ("일상 대화", "감정 상담", "사투리")
SHOWN = 10
BAD = ("참, 그건 왜 그런 건가요?", "네, 물론입니다! 무엇이든 도와드리겠습니다.")


def as_json(*said: str) -> dict[str, Any]:
    return {"messages": MadeRow("", said).as_json()["messages"]}


@dataclass
class Writer(FakeJudge):
    """Knows good conversations that nobody has shown it, and spoils every reply with a bad one where it has room."""

    known: dict[str, list[MadeRow]] = field(
        default_factory=lambda: {name: list(conversations()[name][SHOWN:]) for name in CATEGORIES}
    )

    def answer(self, request: dict[str, Any]) -> str:
        asked = request["messages"][1]["content"]
        category, number = re.findall(r"갈래: (.+)", asked)[0], int(re.findall(r"새 대화 (\d+)개", asked)[0])
        with self.lock:
            good = [self.known[category].pop(0) for _ in range(max(1, number - 1)) if self.known[category]]
        rows = [as_json(*row.turns) for row in good]
        if number > len(rows):
            rows.append({"question": BAD[0], "answer": BAD[1]})
        return self.wrap(json.dumps({"conversations": rows}, ensure_ascii=False))


Served = Callable[..., Writer]


@pytest.fixture
def served() -> Iterator[Served]:
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(serving(Writer(**how)))  # type: ignore[arg-type,return-value]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "examples.jsonl"
    write_jsonl(path, (row.as_json() for name in CATEGORIES for row in conversations()[name][:SHOWN]))
    return path


def run(file: Path, out: Path, url: str, rows: int, seed: int = 42) -> Expanded:
    expansion = Expansion(examples_of([file]), out, rows, seed)
    author = EndpointAuthor(url, "fake", "DADEUM_TEST_KEY", seed, expanding.TEMPERATURE)
    try:
        return expansion.run(author)
    finally:
        author.close()


# -- what comes of it -----------------------------------------------------------------------------
def test_good_ones_are_kept_and_bad_ones_named_evenly_over_categories(
    served: Served, file: Path, tmp_path: Path
) -> None:
    fake, out = served(), tmp_path / "new" / "more.jsonl"
    done = run(file, out, fake.url, 12)
    assert (done.accepted, done.missing, done.stopped, done.given_up) == (12, 0, "", [])
    rows = read_jsonl(out)
    assert rows[0].keys() == {"messages", "category", "made_by", "prompt_version", "draw", "review"}
    assert Counter(row["category"] for row in rows) == dict.fromkeys(CATEGORIES, 4)
    assert {(row["made_by"], row["review"], row["prompt_version"]) for row in rows} == {("fake", "draft", "1")}
    turned_away = read_jsonl(done.rejected_file)
    assert done.rejected == {"stock": len(turned_away)}
    assert {(row["reason"], row["detail"], row["messages"][0]["content"]) for row in turned_away} == {
        ("stock", "네, 물론", BAD[0])
    }
    assert {request["temperature"] for request in fake.requests} == {expanding.TEMPERATURE}


def test_a_second_call_goes_on_and_remembers(served: Served, file: Path, tmp_path: Path) -> None:
    fake, out = served(), tmp_path / "more.jsonl"
    run(file, out, fake.url, 6)
    first, asked = read_jsonl(out), len(fake.requests)
    done = run(file, out, fake.url, 12)
    assert (done.before, done.accepted, done.missing) == (6, 6, 0)
    rows = read_jsonl(out)
    assert rows[:6] == first
    assert len({row["messages"][0]["content"] for row in rows}) == 12
    latest = fake.requests[asked]["messages"][1]["content"]
    assert any(row["messages"][0]["content"] in latest for row in first)
    draws = [(row["category"], row["draw"]) for row in rows]
    assert min(draw for name, draw in draws[6:] if name == draws[0][0]) > draws[0][1]
    assert Expansion(examples_of([file]), out, 12).missing() == {}


def test_the_same_replies_give_the_same_file(file: Path, tmp_path: Path) -> None:
    class Steady(Writer):
        """Its reply follows from the request alone."""

        def answer(self, request: dict[str, Any]) -> str:
            asked = request["messages"][1]["content"]
            rows = self.known[re.findall(r"갈래: (.+)", asked)[0]]
            return json.dumps(as_json(*rows[sum(map(ord, asked)) % len(rows)].turns))

    texts = []
    for name, slow in (("a", 0.0), ("b", 0.01)):
        with serving(Steady(slow_s=slow)) as fake:
            run(file, tmp_path / f"{name}.jsonl", fake.url, 6)
        texts.append((tmp_path / f"{name}.jsonl").read_text(encoding="utf-8"))
    assert texts[0] == texts[1] != ""


# -- where it stops -------------------------------------------------------------------------------
def test_it_stops_where_hardly_anything_is_accepted(served: Served, file: Path, tmp_path: Path) -> None:
    fake = served(wrap=lambda text: "죄송하지만 JSON은 못 씁니다.")
    done = run(file, tmp_path / "more.jsonl", fake.url, 3000)
    assert (done.stopped, done.accepted) == ("low", 0)
    assert expanding.LAST <= 3 * len(fake.requests) <= expanding.LAST + 3 * EndpointAuthor.at_once
    assert done.rejected == {"unreadable": len(fake.requests)}
    assert read_jsonl(done.rejected_file)[0]["detail"] == "죄송하지만 JSON은 못 씁니다."
    assert measured(done, 42) is None
    told = " ".join(map(str, sentences(done)))
    assert "5%" in told
    assert "읽을 수 없는 답" in told


def test_fewer_rows_than_categories_are_even_where_they_were_wanted(served: Served, file: Path, tmp_path: Path) -> None:
    made = measured(run(file, tmp_path / "more.jsonl", served().url, 2), 42)
    assert made
    assert (made.quality["rows"], len(made.quality["categories"]), made.quality["balance"]) == (2, 2, 1)


def test_an_empty_list_was_paid_for_too(served: Served, file: Path, tmp_path: Path) -> None:
    done = run(file, tmp_path / "more.jsonl", served(wrap=lambda text: '{"conversations": []}').url, 3000)
    assert (done.stopped, set(done.rejected)) == ("low", {"nothing"})


def test_one_category_that_does_not_work_does_not_take_the_others(served: Served, file: Path, tmp_path: Path) -> None:
    def bad(number: int, request: dict[str, Any]) -> Reply | None:
        return failure(400, "not this one") if "갈래: 사투리" in request["messages"][1]["content"] else None

    done = run(file, tmp_path / "more.jsonl", served(bad_day=bad).url, 12)
    assert (done.given_up, done.accepted, done.missing) == (["사투리"], 8, 4)
    assert "not this one" in done.detail
    made = measured(done, 42)
    assert made
    assert made.quality["categories"]["사투리"] == 0
    assert made.quality["balance"] == 0


def test_nobody_listens(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint.Endpoint.__init__, "__defaults__", (endpoint.TIMEOUT_S, 1))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DataError) as caught:
            run(file, tmp_path / "more.jsonl", f"http://127.0.0.1:{unused.getsockname()[1]}/v1", 12)
    assert caught.value.key == "data.builders.no_reply"
    assert not (tmp_path / "more.jsonl").exists()


def test_a_tiny_model_here_writes_nothing_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tiny import save_llama

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a model here calls nobody"))
    monkeypatch.setattr(expanding, "LAST", 12)
    short = tmp_path / "short.jsonl"
    write_jsonl(short, ({"question": f"{n}시에 봐?", "answer": "그때 뵙겠습니다."} for n in range(3)))
    expansion = Expansion(examples_of([short]), tmp_path / "more.jsonl", 30)
    author = LocalAuthor(str(save_llama(tmp_path / "llama")), 42, expanding.TEMPERATURE, tokens_each=4)
    done = expansion.run(author)
    author.close()
    assert (author.address, done.stopped, done.accepted) == ("", "low", 0)
    assert set(done.rejected) == {"unreadable"}


def test_other_data_is_never_added_to(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(DataError) as caught:
        Expansion(examples_of([file]), file, 12)
    assert caught.value.key == "data.expand.another_file"
    assert file.read_bytes() == before
    for language in LANGUAGES:
        assert "--out" in caught.value.in_language(language)


def test_rows_are_shared_out_evenly() -> None:
    shares = quotas(list("abcde"), 12, 1)
    assert (sum(shares.values()), set(shares.values())) == (12, {2, 3})
    assert len({tuple(quotas(list("abcde"), 12, seed).values()) for seed in range(9)}) > 1


# -- the command ----------------------------------------------------------------------------------
def command(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", "expand", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_the_command_says_what_is_sent_what_came_and_that_nobody_read_it(
    served: Served, file: Path, tmp_path: Path
) -> None:
    fake, out = served(), tmp_path / "more.jsonl"
    asked = (str(file), "--out", str(out), "--rows", "9", "--base-url", fake.url, "--model", "m")
    told = command(*asked)
    assert "예 30개, 갈래 3가지" in told
    assert f"{fake.url}의 m 모델에 보냅니다" in told
    assert told.index("보냅니다") < told.index("받아들였습니다")
    assert "상투어" in told
    assert "가장 작은 갈래 ÷ 가장 큰 갈래 1.00" in told
    assert "데이터 검사: " in told
    assert "아무도 읽어 보지 않은 글입니다" in told
    figures = read_json(tmp_path / "more.quality.json")
    assert (figures["rows"], figures["balance"], figures["reviewed"]) == (9, 1.0, 0)
    assert figures["made_by"] == {"m": 9}
    assert figures["rejected"]["stock"] == len(read_jsonl(tmp_path / "more.rejected.jsonl"))
    assert figures["verdict"] in ("trainable", "fixable")
    assert "이미 9행이 있습니다" in command(*asked)


def test_a_command_that_falls_short_says_so(served: Served, file: Path, tmp_path: Path) -> None:
    fake = served(wrap=lambda text: "못 씁니다.")
    told = command(
        str(file), "--out", str(tmp_path / "m.jsonl"), "--rows", "90", "--base-url", fake.url, "--model", "m", code=1
    )
    assert "90행에서 90행이 모자랍니다" in told
    assert not (tmp_path / "m.quality.json").exists()


def test_nothing_is_sent_unless_somebody_said_where(tmp_path: Path) -> None:
    for arguments, key in (([], "data.builders.no_author"), (["--local", "x"], "data.made.suffix")):
        out = tmp_path / ("m.csv" if arguments else "m.jsonl")
        result = CliRunner().invoke(app, ["data", "expand", "--out", str(out), "--rows", "3", *arguments])
        assert getattr(result.exception, "key", "") == key
    assert list(tmp_path.iterdir()) == []
