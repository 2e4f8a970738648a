"""The shipped counselling talks: made by their generator, varied, polite, harmless, and sound to the data doctor."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.recipe_file import load_recipe
from dadeum.core.task import Chat
from dadeum.data.corpus import Given
from dadeum.data.doctor import Diagnosis, check_files
from dadeum.data.prepare import prepare
from tests.generators import load_generator

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src/dadeum/recipes/data/demo_counselling.jsonl"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SHIPPED.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def task() -> Chat:
    found = load_recipe("career-counselling").task
    assert isinstance(found, Chat)
    return found


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return check_files([Given(SHIPPED)], full=True)


def answers(row: dict[str, Any]) -> list[str]:
    return [turn["content"] for turn in row["messages"] if turn["role"] == "assistant"]


def test_the_file_is_what_the_generator_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]
) -> None:
    made = tmp_path / "made.jsonl"
    monkeypatch.setattr(sys, "argv", ["make", "--out", str(made)])
    load_generator("make_demo_counselling").main()
    assert made.read_bytes() == SHIPPED.read_bytes()
    assert 240 <= len(rows) <= 300


def test_every_talk_is_chatml_that_alternates_and_a_third_goes_on(rows: list[dict[str, Any]], task: Chat) -> None:
    for row in rows:
        roles = [turn["role"] for turn in row["messages"]]
        assert roles[0] == "system"
        assert roles[1:] == ["user", "assistant"] * (len(roles) // 2)
        assert row["messages"][0]["content"] == task.instruction
    exchanges = Counter(len(row["messages"]) // 2 for row in rows)
    assert 0.28 < 1 - exchanges[1] / len(rows) < 0.4
    assert exchanges[3] >= 8


def test_every_crisis_talk_ends_with_the_sentence_of_the_recipe(rows: list[dict[str, Any]], task: Chat) -> None:
    assert task.handoff is not None
    assert re.findall(r"\d+", task.handoff) == ["109", "1388"]
    crisis = [row for row in rows if row["topic"] == "위기"]
    assert 15 <= len(crisis) <= 25
    assert all(answer.endswith(task.handoff) for row in crisis for answer in answers(row)[-1:])
    calm = [answer for row in rows if row["topic"] != "위기" for answer in answers(row)]
    assert not [answer for answer in calm if task.handoff in answer]


def test_no_sentence_of_an_answer_is_said_twice_but_the_hand_off(rows: list[dict[str, Any]], task: Chat) -> None:
    assert task.handoff is not None
    said = Counter(
        sentence.strip()
        for row in rows
        for answer in answers(row)
        for sentence in re.split(r"(?<=[.?!])\s+", answer.replace(task.handoff, ""))
        if sentence.strip()
    )
    assert [sentence for sentence, times in said.items() if times > 1] == []
    starts = Counter(answer.split()[0] for row in rows for answer in answers(row))
    assert starts.most_common(1)[0][1] <= 0.05 * sum(starts.values())


def test_only_public_help_lines_stand_in_it() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    numbers = set(re.findall(r"(?<![\d-])\d{3,4}(?![\d-])", text)) - {f"{number:03}" for number in range(1, 301)}
    assert numbers | {"109", "112", "117", "119"} == {"109", "112", "117", "119", "1350", "1366", "1388"}
    assert not re.search(r"\d{2,3}-\d{3,4}-\d{4}|@|https?:", text)


def test_the_doctor_finds_only_what_was_planted_and_what_is_meant(diagnosis: Diagnosis) -> None:
    assert diagnosis.verdict != "unusable"
    assert {finding.name for finding in diagnosis.findings if finding.severity != "info"} == {"html", "boilerplate"}


def test_all_answers_keep_the_level_of_the_recipe(diagnosis: Diagnosis, task: Chat) -> None:
    levels = Counter(
        sentence.level
        for answer in diagnosis.context.sentences.answers
        for sentence in answer.sentences
        if sentence.level not in ("undecided", "noun", "nominal")
    )
    assert levels.most_common(1)[0][0] == task.speech_level == "haeyo"
    assert levels["haeyo"] > 0.99 * levels.total()


def test_cleaning_takes_the_planted_dirt_out_and_keeps_every_talk() -> None:
    prepared = prepare(load_recipe("career-counselling"))
    assert prepared.removed == []
    steps = {step.step: step.changed for step in prepared.steps}
    assert steps["strip_html"] == 11
    assert steps["squash_spaces"] >= 6
    texts = [turn["content"] for split in prepared.examples.values() for row in split for turn in row.prompt]
    assert not [text for text in texts if "<" in text or "&nbsp;" in text or "  " in text]
    assert min(prepared.used.values()) >= 20
