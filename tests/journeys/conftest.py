"""A small company's mail: a block list in CSV, notices in JSONL, a recipe on a tiny random model."""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path

import pytest
import yaml

SPAM = [
    "무료 당첨 {n}번 고객님",
    "(광고) 대출 한도 {w} 조회",
    "긴급 계정 {w} 정지 안내",
    "수익률 {n} 퍼센트 {w} 리딩방",
]
HAM = ["{w} 회의 일정 공유 {n}", "{w} 프로젝트 주간 보고 {n}", "휴가 신청 승인 {w}", "서버 점검 {w} 안내 {n}"]
WORDS = [a + b for a in "가나다라마바사아자차" for b in "람솔빛결별들곰찬온누"]


def subjects(templates: list[str], count: int, seed: int) -> list[str]:
    """Distinct made-up subjects; two random words each keep them from being near duplicates."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        words = " ".join(chance.sample(WORDS, 4))
        made.append(f"{chance.choice(templates).format(w=words, n=number)} {chance.choice(WORDS)}")
    return made


@pytest.fixture
def project(tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recipe.yaml, block.csv and allow.jsonl; the working directory of the test."""
    with (tmp_path / "block.csv").open("w", encoding="cp949", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["제목", "첨부", "메일 종류"])
        for number, subject in enumerate(subjects(SPAM, 60, seed=1)):
            writer.writerow([subject, "견적서.docx (16.4 K), 로고.png (3 K)" if number % 5 == 0 else "", "스팸"])
        writer.writerow(["무료 당첨 0번 고객님 중복", "", "스팸"])
        writer.writerow(["무료 당첨 0번 고객님 중복", "", "스팸"])
    with (tmp_path / "allow.jsonl").open("w", encoding="utf-8") as file:
        for subject in subjects(HAM, 60, seed=2):
            file.write(json.dumps({"title": subject, "attachments": []}, ensure_ascii=False) + "\n")
    recipe = {
        "name": "office-mail",
        "task": {
            "type": "decide",
            "instruction": "Is this mail spam? Answer BLOCK or ALLOW as JSON.",
            "labels": ["BLOCK", "ALLOW"],
            "input_fields": ["subject", "attachments"],
        },
        "model": {"base": str(tiny_llama), "adapter": {"type": "lora", "r": 4}, "precision": "fp32"},
        "data": {
            "sources": [
                {
                    "path": "block.csv",
                    "map": {"subject": "제목", "attachments": "첨부", "label": "메일 종류"},
                    "label_values": {"스팸": "BLOCK"},
                },
                {"path": "allow.jsonl", "map": {"subject": "title", "attachments": "attachments"}, "label": "ALLOW"},
            ]
        },
        "render": {"max_length_tokens": 400},
        "stages": [{"name": "sft", "method": "sft", "epochs": 1, "batch_size": 8, "learning_rate": 5e-3}],
        "evaluate": {"generate_rows": 4, "bootstrap_samples": 100},
        "profiles": {"long": {"stages": {"sft": {"epochs": 2}}}},
    }
    write_recipe(tmp_path, recipe)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def write_recipe(folder: Path, recipe: dict) -> None:
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")


@pytest.fixture
def dadeum(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call the command line in this process: dadeum("plan", "recipe.yaml") → (exit code, out, err)."""
    from dadeum.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dadeum", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call
