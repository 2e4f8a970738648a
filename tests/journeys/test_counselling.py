"""The `career-counselling` recipe through the real command line, on a tiny random model."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.examples import SPLITS, read_examples
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run
from dadeum.data.prepare import prepare

Dadeum = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def small(tiny_llama: Path) -> list[str]:
    """`--set` options that make the recipe small."""
    values = {
        "model.base": tiny_llama,
        "model.precision": "fp32",
        "model.adapter.r": 4,
        "render.max_length_tokens": 220,
        "render.truncation": "cut_input",
        "stages.sft.epochs": 2,
        "stages.sft.batch_size": 8,
        "stages.sft.learning_rate": 5e-3,
        "evaluate.generate_rows": 3,
        "generation.max_new_tokens": 4,
        "evaluate.similarity_model": "null",
        "evaluate.bootstrap_samples": 100,
    }
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def talks(folder: Path, rows: list[Any], name: str = "talks.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def say(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def some_talks(number: int) -> list[Any]:
    """Short conversations of made-up words, every third of two exchanges and every tenth with a bit of HTML."""
    chance = random.Random(5)
    rows = []
    for at in range(number):
        words = ["".join(chance.choices("가나다라마바사아자차카타파하노도로모보소", k=4)) for _ in range(12)]
        turns = [say("user", " ".join(words[:4])), say("assistant", " ".join(words[4:7]) + "요.")]
        if at % 3 == 0:
            turns += [say("user", " ".join(words[7:9])), say("assistant", " ".join(words[9:]) + "요.")]
        if at % 10 == 0:
            turns[0]["content"] = f"<p>{turns[0]['content']}</p>"
        rows.append({"messages": turns, "topic": "진로"})
    return rows


def test_the_recipe_is_listed_and_copied_with_its_talks(desk: Path, dadeum: Dadeum) -> None:
    code, out, _ = dadeum("recipes", "list")
    assert code == 0
    assert "career-counselling" in out
    assert dadeum("recipes", "copy", "career-counselling", "mine")[0] == 0
    (recipe,) = (desk / "mine").glob("*.yaml")
    loaded = load_recipe(recipe)
    assert Path(loaded.data.sources[0].path).is_relative_to(desk)
    assert sum(prepare(loaded).used.values()) == 265


def test_from_talks_to_an_adapter_step_by_step(desk: Path, dadeum: Dadeum, small: list[str]) -> None:
    path = talks(desk, [*some_talks(50), {"messages": [say("user", "끝말은 내 것")]}])
    code, _, err = dadeum("data", "build", "career-counselling", "--data", path, "--out", "bad", *small)
    assert code == 2
    assert "1행의 대화가 답변으로 끝나지 않아" in err
    assert "51번째" in err
    talks(desk, some_talks(50))
    code, _, err = dadeum("data", "build", "career-counselling", "--data", path, "--out", "run", *small)
    assert (code, err) == (0, "")
    run = Run.open(desk / "run")
    data = run.manifest()["data"]
    assert data["rows_in"] == sum(data["used"].values()) + sum(data["removed"].values()) == 50
    assert data["changed"] >= 5
    assert data["token_lengths"]["num_cut"] > 0
    rows = [row for split in SPLITS for row in read_examples(run.split_path(split))]
    assert {row.prompt[0]["content"] for row in rows} == {"당신은 공감적이고 실질적인 진로·심리 상담사입니다."}
    assert {row.prompt[1]["role"] for row in rows} == {row.prompt[-1]["role"] for row in rows} == {"user"}
    for command in (["data", "check"], ["train"], ["evaluate"], ["export"]):
        code, _, err = dadeum(*command, "run")
        assert (code, err) == (0, "")
    assert (run.folder / "export/adapter/adapter_model.safetensors").exists()
    scores = json.loads(run.scores_path.read_text(encoding="utf-8"))
    assert {"tuned", "base_model", "constant", "nearest"} <= set(scores["systems"])
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert len(losses) == 2
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"messages": "꿈이 없어요"}\n', "messages: Expecting value"),
        ('{"messages": [{"role": "tool", "content": "42"}, {"role": "assistant", "content": "네"}]}\n', "role: tool"),
        ("Q,label\n꿈이 없어요,0\n무엇을 할까요,1\n", 'map: {question: Q, answer: "?"}'),
    ],
)
def test_wrong_files_get_a_sentence_and_no_traceback(
    desk: Path, dadeum: Dadeum, small: list[str], text: str, told: str
) -> None:
    path = desk / "wrong.txt"
    path.write_text(text, encoding="utf-8")
    code, _, err = dadeum("data", "build", "career-counselling", "--data", path, "--out", "run", *small)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
