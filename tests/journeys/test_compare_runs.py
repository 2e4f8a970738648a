"""Several runs beside each other, and made into one, through the real command line on a tiny random model."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import Run, read_json

Dadeum = Callable[..., tuple[int, str, str]]
WORDS = [a + b for a in "가나다라마바사" for b in "람솔빛결별들"]


def some_talks(number: int) -> str:
    chance = random.Random(5)
    rows = []
    for _ in range(number):
        said = chance.sample(WORDS, 7)
        asked = {"role": "user", "content": " ".join(said[:4])}
        turns = [asked, {"role": "assistant", "content": " ".join(said[4:]) + "요."}]
        rows.append(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")
    return "".join(rows)


RATES = {"eager": 5e-2, "calm": 5e-3, "asleep": 1e-9}
"""Learning rates of the three runs; the last hardly learns at all."""


def options(base: Path, **more: Any) -> list[str]:
    values = {
        "model.base": base, "model.precision": "fp32", "model.adapter.r": 4, "render.max_length_tokens": 220,
        "stages.sft.epochs": 1, "stages.sft.batch_size": 8, "evaluate.generate_rows": 8,
        "generation.max_new_tokens": 3, "evaluate.similarity_model": "null", "evaluate.bootstrap_samples": 100,
        "task.handoff": "null", "data.split.test": 0.3, "evaluate.baselines": "[constant]",
    } | more  # fmt: skip
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """Three runs on the same rows: two that learnt differently, one that hardly learnt at all."""
    from typer.testing import CliRunner

    from dadeum import pipeline
    from dadeum.cli import app
    from dadeum.targets import reopen

    folder = tmp_path_factory.mktemp("runs")
    (folder / "talks.jsonl").write_text(some_talks(40), encoding="utf-8")
    command = ["data", "build", "career-counselling", "--data", str(folder / "talks.jsonl")]
    done = CliRunner().invoke(app, [*command, "--out", str(folder / "built"), *options(tiny_llama)])
    assert done.exit_code == 0, done.output
    for name, rate in RATES.items():
        shutil.copytree(folder / "built", folder / name)
        recipe, run = reopen(folder / name, [f"stages.sft.learning_rate={rate}"])
        pipeline.train(recipe, run)
        pipeline.evaluate(recipe, run)
    return folder


@pytest.fixture
def desk(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with copies of the three runs."""
    for name in RATES:
        shutil.copytree(trained / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "220")
    return tmp_path


def test_three_runs_in_one_table(desk: Path, dadeum: Dadeum, browser: Any) -> None:
    code, out, err = dadeum("compare", "eager", "calm", "asleep", "--out", "table")
    assert (code, err) == (0, "")
    assert all(
        name in out for name in ("eager", "calm", "asleep", "table/comparison.csv" if False else "comparison.csv")
    )
    rows = list(csv.DictReader(io.StringIO((desk / "table/comparison.csv").read_text(encoding="utf-8-sig"))))
    runs = {row["name"]: row for row in rows if row["kind"] == "run"}
    assert set(runs) == {"eager", "calm", "asleep"}
    for row in runs.values():
        assert (row["method"], row["adapter"]) == ("sft", "lora r4")
        assert float(row["peak_memory_mb"]) > 0
        assert float(row["training_seconds"]) > 0
        assert float(row["seconds_per_row"]) > 0
        assert 0 < int(row["num_trainable"]) < int(row["num_parameters"])
    assert [row["kind"] for row in rows] == ["run", "run", "run", "baseline"]
    chrf = read_json(desk / "calm/evaluation/scores.json")["systems"]["tuned"]["metrics"]["chrf"]["value"]
    assert float(runs["calm"]["chrf"]) == pytest.approx(chrf, abs=1e-6)
    page = browser.new_page()
    page.goto((desk / "table/comparison.html").as_uri())
    assert page.locator("#runs tbody th").first.is_visible()
    assert page.locator("#runs tr.chosen").count() == 1
    page.close()


def test_two_runs_are_told_in_sentences_too(desk: Path, dadeum: Dadeum) -> None:
    code, out, _ = dadeum("compare", "asleep", "calm", "--metric", "chrf")
    assert code == 0
    assert "앞 실행" in out
    assert len(list((desk / "runs").glob("comparison-*/comparison.html"))) == 1


def test_wrong_input_is_one_sentence(desk: Path, dadeum: Dadeum) -> None:
    shutil.rmtree(desk / "asleep/evaluation")
    for arguments, told in (
        (["calm"], "둘 이상"),
        (["calm", "calm"], "두 번"),
        (["calm", "asleep"], "dadeum evaluate"),
        (["calm", "eager", "--metric", "nothing"], "chrf"),
        (["calm", "nowhere"], "nowhere"),
    ):
        code, _, err = dadeum("compare", *arguments)
        assert (code, told in err, "Traceback" in err) == (2, True, False), err
    assert not (desk / "runs").exists()


def test_merged_adapters_are_a_run_like_any_other(desk: Path, dadeum: Dadeum) -> None:
    code, out, err = dadeum("ensemble", "eager", "calm", "--how", "linear", "--weights", "3,1", "--folder", "merged")
    assert (code, err) == (0, "")
    assert "합친 실행" in out
    run = Run.open(desk / "merged")
    told = run.manifest()["ensemble"]
    assert (told["how"], told["shares"], told["rank"], told["names"]) == ("linear", [0.75, 0.25], 8, ["eager", "calm"])
    assert told["cost"]["seconds"] > 0
    assert read_json(run.scores_path)["test_hash"] == read_json(desk / "calm/evaluation/scores.json")["test_hash"]
    assert (desk / "merged/comparison/comparison.html").exists()
    assert (desk / "merged/report.html").exists()
    before = (run.adapter_folder(run.recipe()) / "adapter_model.safetensors").read_bytes()
    for command in (["train"], ["evaluate"], ["export"]):
        code, _, err = dadeum(*command, "merged")
        assert (code, err) == (0, "")
    assert (run.adapter_folder(run.recipe()) / "adapter_model.safetensors").read_bytes() == before
    assert dadeum("compare", "merged", "calm", "--out", "again")[0] == 0
    assert "linear (eager + calm)" in (desk / "again/comparison.csv").read_text(encoding="utf-8")


def test_answers_can_be_chosen_instead(desk: Path, dadeum: Dadeum) -> None:
    code, out, err = dadeum("ensemble", "eager", "calm", "asleep", "--how", "mbr", "--folder", "chosen")
    assert (code, err) == (0, "")
    assert "고른 답의 출처" in out
    run = Run.open(desk / "chosen")
    assert sum(run.manifest()["ensemble"]["taken"].values()) == 8
    assert dadeum("evaluate", "chosen")[0] == 0
    code, _, err = dadeum("export", "chosen")
    assert code == 2
    assert "내보낼 모델이 없습니다" in err
    assert dadeum("train", "chosen")[0] == 2
    assert dadeum("compare", "chosen", "calm", "--out", "again")[0] == 0


def test_what_cannot_be_put_together_is_refused_and_leaves_nothing(desk: Path, dadeum: Dadeum) -> None:
    for arguments, told in (
        (["eager", "calm", "--how", "mbr"], "셋 이상"),
        (["eager", "calm", "--how", "average"], "dare_ties"),
        (["eager", "calm", "--how", "linear", "--weights", "1"], "하나씩"),
        (["eager", "calm", "--how", "linear", "--weights", "1,x"], "수로 읽을 수 없습니다"),
        (["eager", "calm", "--how", "linear", "--weights", "1,-1"], "0보다"),
        (["eager", "calm", "--how", "linear", "--density", "0.5"], "ties"),
        (["eager", "calm", "--how", "ties", "--density", "1.5"], "1.5"),
    ):
        code, _, err = dadeum("ensemble", *arguments, "--folder", "none")
        assert (code, told in err, "Traceback" in err) == (2, True, False), err
        assert not (desk / "none").exists()
