from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.errors import RunError
from dadeum.core.examples import Example
from dadeum.training.rewards import format as clean
from dadeum.training.rewards import length, rouge
from dadeum.training.rewards._taught import Taught, taught
from dadeum.training.rewards.base import combined
from tests.tiny import work_on
from tests.training import tiny_online

POLITE = "지우는 내일 아침에 회의가 있어요. 민수는 자료를 준비해요."


def work_with(folder, answers, task=None, rewards=None):
    import pyarrow.parquet as pq

    from dadeum.core.examples import to_table

    recipe = tiny_online.recipe("none", "ppo", rewards=rewards or {"format": 1.0})
    if task:
        recipe = type(recipe).model_validate(recipe.model_dump(mode="json") | {"task": task})
    work = work_on(recipe, folder / "stage")
    work.run.split_path("train").parent.mkdir(parents=True)
    pq.write_table(to_table([row(answer) for answer in answers]), work.run.split_path("train"))
    return work


def row(answer: str, *others: str) -> Example:
    import json

    return Example(
        id="s:1", source="s", origin="s", group="1", text="",
        prompt=[{"role": "user", "content": "#Person1#: 내일 회의 자료는 Python으로 만들어요?"}],
        completion=[{"role": "assistant", "content": answer}],
        label="", rejected=[], extra={"references": json.dumps(others)} if others else {},
    )  # fmt: skip


def test_length_by_hand() -> None:
    usual = Taught(40, 80, None, True)
    assert [length.worth(n, usual) for n in (0, 10, 40, 60, 80, 100, 160, 200)] == [0, 0.25, 1, 1, 1, 0.75, 0, 0]


def test_usual_length_is_that_of_the_training_answers(tmp_path) -> None:
    work = work_with(tmp_path, ["가" * n for n in range(0, 101)])
    assert (taught(work).shortest, taught(work).longest) == (10, 90)
    found = length.rate(work, [row("")] * 4, ["나" * 5, "나" * 50, "나" * 135, ""])
    np.testing.assert_allclose(found, [0.5, 1, 0.5, 0])


def test_rouge_takes_the_best_reference_and_content_words_only(tmp_path) -> None:
    work = work_with(tmp_path, [POLITE])
    rows = [row("전혀 다른 이야기입니다.", "지우는 회의를 준비한다."), row(POLITE), row(POLITE)]
    found = rouge.rate(work, rows, ["지우는 회의를 준비한다.", POLITE, "강아지가 공원에서 뛰었다."])
    assert found[0] == found[1] == 1
    assert found[2] == 0


@pytest.mark.parametrize(
    "answer, missing",
    [
        (POLITE, set()),
        ("지우는 회의가 있어요. 민수는 자료를", {"finished"}),
        ("지우는 회의가 있어요.<|im_end|>", {"clean", "language"}),
        ("지우는 회의가 있어요.\n### Response:\n네, 좋아요.", {"clean", "language"}),
        ("Jiwoo has a meeting tomorrow morning.", {"language"}),
        ("#Person1#은 Python을 써요.", set()),
        ("지우는 내일 회의가 있어요. 지우는 내일 회의가 있어요.", {"no_repeats"}),
        ("지우는 회의가 있다. 민수는 자료를 준비한다.", {"speech_level"}),
        ("", set(clean.SIGNS)),
    ],
)
def test_each_sign_of_a_clean_answer(answer, missing, tmp_path) -> None:
    work = work_with(tmp_path, [POLITE, "저는 집에 가요.", "오늘은 비가 와요."])
    found = clean.signs(work, [row(POLITE)], [answer])[0]
    assert {name for name, shown in found.items() if not shown} == missing
    assert clean.rate(work, [row(POLITE)], [answer])[0] == pytest.approx(1 - len(missing) / 5)


def test_the_speech_level_of_the_recipe_goes_before_that_of_the_training_answers(tmp_path) -> None:
    answers = [POLITE, "저는 집에 가요.", "오늘은 비가 와요."]
    work = work_with(tmp_path, answers, task={"type": "chat", "speech_level": "haera"})
    assert not clean.signs(work, [row(POLITE)], [POLITE])[0]["speech_level"]


def test_nothing_is_said_about_the_language_where_korean_was_not_taught(tmp_path) -> None:
    work = work_with(tmp_path, ["I am going home.", "It rains."])
    assert clean.rate(work, [row("It rains.")], ["It is late."])[0] == 1


def test_rewards_are_weighed_and_kept_apart(tmp_path, monkeypatch) -> None:
    tiny_online.use_rewards(
        monkeypatch, one=lambda work, rows, answers: np.array([1.0, 2.0]), two=lambda *given: np.array([0.5, -1.0])
    )
    work = work_with(tmp_path, [POLITE], rewards={"one": 2.0, "two": -1.0})
    total, parts = combined(work, [row(""), row("")], ["a", "b"])
    assert total.tolist() == [1.5, 5.0]
    assert {name: values.tolist() for name, values in parts.items()} == {"one": [1.0, 2.0], "two": [0.5, -1.0]}


def test_a_reward_that_is_no_number_stops_the_run(tmp_path, monkeypatch) -> None:
    tiny_online.use_rewards(monkeypatch, one=lambda *given: np.array([1.0, np.nan]))
    work = work_with(tmp_path, [POLITE], rewards={"one": 1.0})
    with pytest.raises(RunError) as error:
        combined(work, [row(""), row("")], ["a", "b"])
    assert error.value.key == "train.reinforcement.not_finite"
