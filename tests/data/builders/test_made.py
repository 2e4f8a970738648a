"""`dadeum data make`: a file, its figures, the doctor's word on it, and nothing where the doctor says no."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dadeum.cli_make import app
from dadeum.core.errors import DataError
from dadeum.core.run import read_json, read_jsonl
from dadeum.data.builders import made, made_rows
from dadeum.data.builders.made_topics import MadeRow


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["make", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_the_list_says_what_there_is() -> None:
    told = run("--list")
    assert all(name in told for name in made.ROWS)
    assert run() == told


@pytest.mark.parametrize("name", ["no-warning", "correction"])
def test_three_hundred_rows_pass_the_doctor(name: str, tmp_path: Path) -> None:
    out = tmp_path / "made.jsonl"
    told = run(name, "--out", str(out), "--rows", "300", "--seed", "3")
    assert "300행을 썼습니다" in told
    assert "학습에 쓸 수 있습니다 (발견 0가지)" in told
    figures = read_json(tmp_path / "made.quality.json")
    assert (figures["rows"], figures["verdict"], figures["findings"]) == (300, "trainable", [])
    assert figures["distinct_prompts"] == figures["distinct_answers"] == 300
    assert figures["near_duplicates"] == 0
    assert figures["speech_levels"]["hapsyo"] >= 0.99
    assert figures["commonest_start_share"] <= 0.06
    assert figures["distinct_2"] >= 0.7
    rows = read_jsonl(out)
    assert all([turn["role"] for turn in row["messages"]] == ["user", "assistant"] for row in rows)
    assert sum(figures["categories"].values()) == len(rows)


def test_the_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run("korean-sft", "--out", str(tmp_path / folder / "k.jsonl"), "--rows", "24")
    for name in ("k.jsonl", "k.quality.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["k.jsonl", "k.quality.json"]


def test_fewer_rows_than_asked_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [MadeRow("셈", (f"{n} 더하기 {n}은?", f"합은 {2 * n}입니다.")) for n in range(1, 40)]
    monkeypatch.setattr(made_rows, "no_warning", lambda num, seed: few)
    told = run("no-warning", "--out", str(tmp_path / "n.jsonl"))
    assert "3,000행을 부탁하셨지만 39행까지만" in told


def test_what_the_doctor_blocks_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [f"{word} 먼저 확인해 보시면 좋겠습니다." for word in ("서류를", "날짜를", "주소를", "금액을", "이름을")]
    grid = [MadeRow("격자", (f"{place}번 문서는 어떻게 할까요?", answer)) for place in range(12) for answer in answers]
    monkeypatch.setattr(made_rows, "no_warning", lambda num, seed: grid)
    with pytest.raises(DataError, match="DA303"):
        made.make("no-warning", tmp_path / "n.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="korean-sft"):
        made.make("korean_sft", tmp_path / "k.jsonl")
    with pytest.raises(DataError, match=r"\.jsonl"):
        made.make("korean-sft", tmp_path / "k.csv")
    with pytest.raises(DataError, match="--rows"):
        made.make("korean-sft", tmp_path / "k.jsonl", rows=100_000)
    with pytest.raises(DataError, match="--out"):
        run("korean-sft")
    assert list(tmp_path.iterdir()) == []
