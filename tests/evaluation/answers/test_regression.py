from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.examples import Example
from dadeum.core.measured import Measured
from dadeum.evaluation.ability.result import Answered, Change
from dadeum.evaluation.answers.regression import cost_of, made_for_repair, regression, verdict
from dadeum.evaluation.answers.regression_view import held_rows
from dadeum.evaluation.answers.repair import headline_parts, sentences
from dadeum.evaluation.answers.repair_scores import AbilityScores, Held
from dadeum.evaluation.evaluate import evaluate


@pytest.mark.parametrize(
    ("lost", "num", "is_share", "expected"),
    [
        ((-0.03, 0.01), 40, False, "no_worse"),
        ((0.005, 0.015), 40, False, "no_worse"),  # surely a loss, and surely within what is tolerated
        ((0.01, 0.05), 40, False, "worse"),
        ((0.03, 0.05), 8, False, "worse"),
        ((-0.01, 0.03), 40, False, "undecided"),
        ((-0.03, 0.01), 12, False, "undecided"),  # a bootstrap of twelve is too narrow
        ((0.03, 0.05), 5, False, "undecided"),
        ((0.0, 0.0), 40, True, "undecided"),  # none of 40 was lost; of 1,000 it may still be 75
        ((0.0, 0.0), 200, True, "no_worse"),
    ],
)
def test_no_worse_takes_an_interval_within_the_tolerance(
    lost: tuple[float, float], num: int, is_share: bool, expected: str
) -> None:
    assert cost_of(lost, 0.02, num, is_share) == expected


def held(outcome: Any, metric: str = "loss") -> Held:
    return Held(metric=metric, before=1, tuned=1, value=0, low=0, high=0, tolerance=0.1, num_rows=9, outcome=outcome)


def test_one_loss_is_a_loss_and_all_must_be_no_worse() -> None:
    assert verdict([held("no_worse"), held("worse"), held("undecided")]) == "worse"
    assert verdict([held("no_worse"), held("undecided")]) == "undecided"
    assert verdict([held("no_worse"), held("no_worse")]) == "no_worse"
    assert verdict([]) == "not_measured"


def rows_of(sources: dict[str, int]) -> list[Example]:
    names = [source for source, num in sources.items() for _ in range(num)]
    return [
        Example(
            id=str(number), source=name, origin=name, group=f"g{number}", text="", prompt=[], completion=[], label="",
        )
        for number, name in enumerate(names)
    ]  # fmt: skip


def per_row(rows: list[Example], lost: dict[str, float]) -> dict[str, Any]:
    """The loss of both models; by source the tuned one's is higher by so much."""
    random = np.random.default_rng(0)
    before = random.normal(2.0, 0.1, len(rows))
    more = np.array([lost[row.source] for row in rows]) + random.normal(0, 0.005, len(rows))
    closeness = random.uniform(0.3, 0.5, len(rows))
    return {
        "tuned": {"loss": before + more, "chrf": closeness},
        "before": {"loss": before, "chrf": closeness},
    }


def test_rows_that_were_made_for_the_repair_do_not_count(chat_world: Any) -> None:
    recipe = chat_world.recipe_with()
    rows = rows_of({"talks": 40, "no-warning": 30, "korean_sft_correction": 20})
    values = per_row(rows, {"talks": 0.2, "no-warning": -1.0, "korean_sft_correction": -1.0})
    found = regression(recipe, rows, values, ["chrf"], None)
    assert found is not None
    assert (found.verdict, found.num_rows) == ("worse", 40)
    assert found.left_out == {"no-warning": 30, "korean_sft_correction": 20}
    loss, closeness = found.figures
    assert loss.outcome == "worse" and loss.value == pytest.approx(0.2, abs=0.01)
    assert loss.tolerance == pytest.approx(0.02 * loss.before)
    assert closeness.outcome == "no_worse" and closeness.value == 0
    assert found.by_source == {}  # there is one alone


def test_each_source_is_told_alone(chat_world: Any) -> None:
    rows = rows_of({"talks": 60, "mails": 30})
    found = regression(chat_world.recipe_with(), rows, per_row(rows, {"talks": -0.5, "mails": 0.3}), [], None)
    assert found is not None and found.verdict == "no_worse"
    assert {source: one[0].outcome for source, one in found.by_source.items()} == {
        "talks": "no_worse",
        "mails": "worse",
    }
    shown = [(row.source.ko, row.outcome) for row in held_rows(found)]
    assert shown == [("모두", "better"), ("talks", "better"), ("mails", "worse")]


def test_only_repair_rows_measure_nothing(chat_world: Any) -> None:
    rows = rows_of({"correction": 30})
    found = regression(chat_world.recipe_with(), rows, per_row(rows, {"correction": -1.0}), [], None)
    assert found is not None and (found.verdict, found.num_rows, found.figures) == ("not_measured", 0, [])
    assert regression(chat_world.recipe_with(), rows, {"tuned": {}}, [], None) is None


def test_sources_of_a_recipe_that_are_made_for_a_repair(chat_world: Any) -> None:
    sources = [
        {"make": "no-warning", "name": "mine"}, {"make": "korean-sft"}, {"path": "/d/correction_3500.jsonl"},
        {"path": "/d/talk.jsonl"}, {"make": "correction"},
    ]  # fmt: skip
    recipe = chat_world.recipe_with(data={"sources": sources})
    assert made_for_repair(recipe) == {"mine", "correction_3500", "correction"}


def known(share: float, low: float) -> Answered:
    return Answered(
        num=160, questions="q", right=[True] * 160, gaps=[0.1] * 160, by_subject={},
        accuracy=Measured(value=share, low=low, high=1), gap=Measured(value=0, low=0, high=0),
        accuracy_by_sum=Measured(value=share, low=low, high=1),
    )  # fmt: skip


@pytest.mark.parametrize(("is_at_chance", "expected"), [(False, "worse"), (True, "no_worse")])
def test_general_ability_counts_unless_there_was_none(chat_world: Any, is_at_chance: bool, expected: str) -> None:
    change = Change(
        num=160, accuracy=Measured(value=-0.2, low=-0.3, high=-0.1), gap=Measured(value=0, low=0, high=0), num_lost=40,
        num_gained=8, p_value=0.001, at_chance=is_at_chance, verdict="undecided" if is_at_chance else "worse",
    )  # fmt: skip
    ability = AbilityScores(
        systems={"tuned": known(0.4, 0.3), "before": known(0.6, 0.5)}, differences={"before": change}
    )
    rows = rows_of({"talks": 40})
    found = regression(chat_world.recipe_with(), rows, per_row(rows, {"talks": -0.5}), [], ability)
    assert found is not None and found.verdict == expected
    assert [one.metric for one in found.figures] == ["loss", *([] if is_at_chance else ["ability"])]


def test_a_run_that_goes_on_says_what_it_cost(tmp_path: Path, chat_world: Any, engines: Any) -> None:
    recipe = chat_world.recipe_with()
    scores = evaluate(recipe, chat_world.make_run(recipe, tmp_path / "run"))
    rows = rows_of({"talks": 40})
    cost = regression(recipe, rows, per_row(rows, {"talks": 0.3}), ["chrf"], None)
    scores = scores.model_copy(
        update={"regression": cost, "systems": scores.systems | {"before": scores.systems["base_model"]}}
    )
    assert headline_parts(scores, "as_good")[1].ko == "다른 능력이 나빠졌습니다."
    said = [each.en for each in sentences(scores)]
    assert said[0].startswith("What it cost: on 40 rows of test data") and "became worse" in said[0]
    assert said[1].startswith("Loss: given adapter 1.99") and said[1].endswith("Worse.")
