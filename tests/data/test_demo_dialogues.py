"""The shipped dialogues: made by their generator, varied, told truly by their summaries, sound to the data doctor."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from dadeum.core.korean import MASK
from dadeum.core.recipe_file import load_recipe
from dadeum.core.rouge import rouge_many
from dadeum.core.task import Summarize
from dadeum.data.corpus import Given
from dadeum.data.doctor import Diagnosis, check_files
from dadeum.data.prepare import prepare
from dadeum.data.similar.repeats import jaccard
from tests.generators import load_generator

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src/dadeum/recipes/data/demo_dialogues.jsonl"
_SPEAKER = re.compile(r"^#Person\d#: ", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in SHIPPED.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return check_files([Given(SHIPPED)], full=True)


def test_the_file_is_what_the_generator_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, str]]
) -> None:
    made = tmp_path / "made.jsonl"
    monkeypatch.setattr(sys, "argv", ["make", "--out", str(made)])
    load_generator("make_demo_dialogues").main()
    assert made.read_bytes() == SHIPPED.read_bytes()
    assert len(rows) >= 240


@pytest.mark.parametrize(
    ("word", "particle", "whole"),
    [
        ("#Person1#", "은", "#Person1#은"), ("#Person2#", "은", "#Person2#는"), ("#Person1#", "과", "#Person1#과"),
        ("책", "을", "책을"), ("커피", "을", "커피를"), ("서울", "으로", "서울로"), ("부산", "으로", "부산으로"),
        ("오후 2시", "으로", "오후 2시로"), ("민준", "에게", "민준에게"), ("누리식품", "이에요", "누리식품이에요"),
        ("해오름", "이라고", "해오름이라고"), ("보리", "이라고", "보리라고"),
    ],
)  # fmt: skip
def test_particles_follow_the_last_sound(word: str, particle: str, whole: str) -> None:
    assert load_generator("make_demo_dialogues").with_particle(word, particle) == whole


def test_topics_speakers_and_lengths_vary(rows: list[dict[str, str]]) -> None:
    assert len(Counter(row["topic"] for row in rows)) >= 25
    for row in rows:
        speakers = [line.split(":")[0] for line in row["dialogue"].split("\n")]
        assert len(speakers) >= 2
        assert all(one != other for one, other in itertools.pairwise(speakers))
        assert set(speakers) == {"#Person1#", "#Person2#"} and speakers[0] == "#Person1#"
        assert "{" not in row["dialogue"] + row["summary"]
    masks = Counter(mask for row in rows for mask in set(MASK.findall(row["dialogue"])))
    assert len(masks) >= 8


def test_names_numbers_and_masks_of_a_summary_stand_in_its_dialogue(rows: list[dict[str, str]]) -> None:
    names = load_generator("make_demo_dialogues").load_styles()[1]["이름"]
    for row in rows:
        told = [*MASK.findall(row["summary"]), *re.findall(r"\d+", MASK.sub("", row["summary"]))]
        told += [name for name in names if name in row["summary"]]
        assert [item for item in told if item not in row["dialogue"]] == []
        assert len(row["summary"]) < 0.85 * len(row["dialogue"])


def test_no_two_are_alike_and_words_are_not_few(rows: list[dict[str, str]]) -> None:
    texts = [row["dialogue"] for row in rows]
    most = max(
        jaccard(texts[at], texts[other]) for at in range(0, len(texts), 5) for other in range(at + 1, len(texts))
    )
    assert most < 0.6
    assert len({row["summary"] for row in rows}) == len(rows)
    measured = load_generator("make_demo_dialogues").measures(rows)
    assert measured["dialogue distinct-2"] > 0.3
    assert measured["summary distinct-2"] > 0.4


def test_neither_two_lines_nor_one_sentence_for_all_makes_a_good_summary(rows: list[dict[str, str]]) -> None:
    """On the content words of 243 rows: 10 for two lines; a constant sentence has next to nothing."""
    wanted = [[row["summary"]] for row in rows]
    lead = [" ".join(_SPEAKER.sub("", row["dialogue"]).split("\n")[:2]) for row in rows]
    for answers, most in ((lead, 0.2), (["#Person1#과 #Person2#는 대화를 나누고 있습니다."] * len(rows), 0.05)):
        found = [scores[0].mean for scores in rouge_many(answers, wanted, content_words=True)]
        assert sum(found) / len(found) < most


def test_the_doctor_finds_nothing(diagnosis: Diagnosis) -> None:
    assert diagnosis.verdict == "trainable"
    assert [finding.name for finding in diagnosis.findings if finding.severity != "info"] == []


def test_all_summaries_keep_the_level_of_the_recipe(diagnosis: Diagnosis) -> None:
    task = load_recipe("dialogue-summary").task
    assert isinstance(task, Summarize)
    levels = {sentence.level for answer in diagnosis.context.sentences.answers for sentence in answer.sentences}
    assert levels == {task.speech_level} == {"hapsyo"}


def test_the_recipe_uses_every_dialogue_and_asks_in_its_five_ways() -> None:
    recipe = load_recipe("dialogue-summary")
    prepared = prepare(recipe)
    assert prepared.removed == prepared.changed == []
    assert min(prepared.used.values()) >= 20
    instructions = recipe.stages[1].instructions  # type: ignore[union-attr]
    assert len(set(instructions)) == 5
    assert recipe.task.instruction in instructions
