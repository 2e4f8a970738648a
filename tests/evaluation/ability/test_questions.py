"""Questions that nothing but the answer gives away."""

from __future__ import annotations

import ast
import operator
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

import pytest
import yaml

from dadeum.evaluation.ability.questions import NUM_CHOICES, SUBJECTS, Question, questions, questions_hash

ROOT = Path(__file__).parents[3]
ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
MADE_TO_BE_READ = ("reading", "reasoning")
"""The answer stands in the passage."""


def test_every_subject_asks_twenty_questions() -> None:
    assert Counter(question.subject for question in questions()) == dict.fromkeys(SUBJECTS, 20)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_right_answer_stands_equally_often_in_each_place(subject: str) -> None:
    places = Counter(question.right for question in questions() if question.subject == subject)
    assert places == dict.fromkeys(range(NUM_CHOICES), 5)


def test_the_right_answer_is_that_of_the_file() -> None:
    for subject in SUBJECTS:
        found = [question for question in questions() if question.subject == subject]
        for question, row in zip(found, rows_of(subject), strict=True):
            assert question.choices[question.right] == row["right"]
            assert sorted(question.choices) == sorted([row["right"], *row["wrong"]])


def test_no_question_and_no_choice_is_there_twice() -> None:
    assert len({question.text for question in questions()}) == len(questions())
    assert all(len(set(question.choices)) == NUM_CHOICES for question in questions())


def test_choices_are_of_like_length() -> None:
    for question in questions():
        lengths = sorted(len(choice) for choice in question.choices)
        assert lengths[-1] - lengths[0] <= max(2, lengths[-1] // 3), question


@pytest.mark.parametrize("sign", [1, -1], ids=["longest", "shortest"])
def test_length_does_not_give_the_answer_away(sign: int) -> None:
    picked = luck(questions(), lambda question, choice: sign * len(choice))
    assert picked == pytest.approx(1 / NUM_CHOICES, abs=0.04)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("sign", [1, -1], ids=["most", "least"])
def test_shared_letters_do_not_give_the_answer_away(size: int, sign: int) -> None:
    asked = [question for question in questions() if question.subject not in MADE_TO_BE_READ]
    picked = luck(asked, lambda question, choice: sign * shared(question.text, choice, size))
    assert picked == pytest.approx(1 / NUM_CHOICES, abs=0.06)


def test_questions_are_polite_and_end_as_questions_do() -> None:
    asked = [row["ask"] for subject in SUBJECTS for row in rows_of(subject)]
    endings = re.compile(r"(요|까)\?('|$)|\.'$|\?'$")
    assert [ask for ask in asked if not endings.search(ask)] == []


def test_sums_are_right() -> None:
    rows = rows_of("numbers")
    for row in rows:
        assert float(re.sub(r"\D", "", row["right"])) == reckon(ast.parse(row["reckon"], mode="eval").body), row
        assert all(re.sub(r"\D", "", wrong) != re.sub(r"\D", "", row["right"]) for wrong in row["wrong"])


def test_the_prompt_holds_the_question_and_no_choice_of_a_question_without_a_passage() -> None:
    question = next(one for one in questions() if one.id == "places:13")
    assert question.prompt.startswith(question.text + "\n")
    assert not any(choice in question.prompt for choice in question.choices)


def test_the_hash_is_of_what_is_asked() -> None:
    assert re.fullmatch("[0-9a-f]{64}", questions_hash())


@pytest.mark.parametrize("name", ["wording.yaml", *(f"questions/{subject}.yaml" for subject in SUBJECTS)])
def test_files_are_inside_the_package_that_goes_into_the_wheel(name: str) -> None:
    package = resources.files("dadeum.evaluation.ability")
    text = package.joinpath(name).read_text(encoding="utf-8")
    assert "wording" in name or "written by a language model" in text.lower()
    (folder,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert (ROOT / folder / "evaluation" / "ability" / name).is_file()
    assert {file.name for file in package.joinpath("questions").iterdir()} == {f"{one}.yaml" for one in SUBJECTS}


def rows_of(subject: str) -> list[dict]:
    file = resources.files("dadeum.evaluation.ability").joinpath(f"questions/{subject}.yaml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def luck(asked: Iterable[Question], value: Callable[[Question, str], float]) -> float:
    """Share of right answers of one who picks the choice of the highest value, and guesses among equals."""
    found = []
    for question in asked:
        values = [value(question, choice) for choice in question.choices]
        best = max(values)
        found.append((values[question.right] == best) / values.count(best))
    return sum(found) / len(found)


def shared(text: str, choice: str, size: int) -> float:
    """Share of a choice's runs of letters that stand in the question."""
    runs = [choice[at : at + size] for at in range(len(choice) - size + 1)]
    return sum(run in text for run in runs) / max(1, len(runs))


def reckon(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        return ARITHMETIC[type(node.op)](reckon(node.left), reckon(node.right))
    assert isinstance(node, ast.Constant)
    return node.value


def test_dadeum_itself_teaches_none_of_it() -> None:
    """What a repair teaches would hide what it unlearns."""
    from dadeum.data.builders.made_rows import made_rows

    rows = [*made_rows("korean-sft", None, 42), *made_rows("no-warning", 400, 42)]
    taught = [runs_of(turn["content"]) for row in rows for turn in row.as_json()["messages"] if turn["role"] == "user"]
    for question in questions():
        asked = runs_of(question.text)
        assert max(len(asked & row) for row in taught) / len(asked) <= 0.6, question.text
    bank = resources.files("dadeum.data.builders").joinpath("no_warning/language.yaml").read_text(encoding="utf-8")
    spelled = {row["right"] for row in yaml.safe_load(bank)["spelling"]["rows"]}
    assert spelled.isdisjoint(row["right"] for row in rows_of("grammar"))


def runs_of(text: str, size: int = 3) -> set[str]:
    letters = re.sub(r"\W", "", text)
    return {letters[at : at + size] for at in range(len(letters) - size + 1)}
