"""`dadeum data chunks` and `data draft`: documents → chunks → drafts → a check of both, with a server on localhost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dadeum.cli import app
from dadeum.core.run import read_jsonl
from tests.corpora import write_files
from tests.evaluation.judge_server import FakeJudge, serving


class Writer(FakeJudge):
    def answer(self, request: dict[str, Any]) -> str:
        name, price = re.findall(r"(\w+) 입장료는 (\d+천)", request["messages"][1]["content"])[0]
        return json.dumps({"questions": [
            {"question": f"{name}에 들어가려면 얼마를 내나요?", "answer": f"{price} 원입니다.", "difficulty": "easy"},
            {"question": f"이 글의 {name}은 어떤 곳인가요?", "answer": f"{name}입니다.", "difficulty": "easy"},
        ]})  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["data", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_documents_become_chunks_become_drafts(here: Path) -> None:
    told = run("chunks", "corpus.json", "--out", "c.jsonl", "--model", "letters", "--size-tokens", "200")
    assert "조각 12개" in told
    assert "c.jsonl" in told
    with serving(Writer()) as fake:
        told = run("draft", "c.jsonl", "--out", "qa.jsonl", "--base-url", fake.url, "--model", "m", "--limit", "3",
                   "--tokenizer", "letters")  # fmt: skip
        assert f"조각 3개의 글을 {fake.url}의 m 모델에 보냅니다" in told
        assert "초안 3개" in told
        assert "문서를 가리키는 질문 3" in told
    assert not (here / "qa.chunks.jsonl").exists()
    assert len(read_jsonl(here / "qa.jsonl")) == len(read_jsonl(here / "qa.rejected.jsonl")) == 3
    checked = run("check", "qa.jsonl", "c.jsonl", "--out", "checked")
    assert "DA607" in checked
    assert "DA602" not in checked


def test_drafts_from_documents_keep_their_chunks(here: Path) -> None:
    with serving(Writer()) as fake:
        run("draft", "corpus.json", "--out", "qa.jsonl", "--base-url", fake.url, "--model", "m", "--limit", "2",
            "--tokenizer", "letters")  # fmt: skip
    known = {row["id"] for row in read_jsonl(here / "qa.chunks.jsonl")}
    assert {name for row in read_jsonl(here / "qa.jsonl") for name in row["relevant_chunks"]} <= known


def test_nothing_is_sent_unless_somebody_said_where(here: Path) -> None:
    result = CliRunner().invoke(app, ["data", "draft", "corpus.json", "--out", "qa.jsonl"])
    assert result.exit_code != 0
    assert getattr(result.exception, "key", "") == "data.builders.no_author"
    assert not (here / "qa.jsonl").exists()
