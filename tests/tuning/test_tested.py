"""What the test rows say of the recipe as it was and of the one that was found, by every kind of task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_json, write_jsonl
from dadeum.evaluation.decide.scorers import Answers, Resampling, score_system
from dadeum.evaluation.decide.scores import Sample, Scores
from dadeum.evaluation.evaluate import evaluate
from dadeum.tuning.record import Objective
from dadeum.tuning.tested import on_test
from tests.evaluation.answers.conftest import chat_world, engines  # noqa: F401
from tests.evaluation.retrieve.conftest import KNOWN_BY_TUNED, encoders  # noqa: F401
from tests.evaluation.retrieve.made import OTHERS, WORDS, made_run
from tests.tiny import decide_recipe

LABELS = ("BLOCK", "ALLOW")
GOLD = [0, 1] * 20


def objective(name: str, direction: str = "maximize") -> Objective:
    return Objective(name=name, direction=direction)  # type: ignore[arg-type]


def decided(folder: Path, of_block: list[float], gold: list[int] | None = None) -> tuple[Recipe, Run]:
    """A run that gave BLOCK these probabilities."""
    recipe = decide_recipe("/base", seed=1, data={"sources": [{"path": "/mails.csv"}]})
    run, truth = Run.create(recipe, folder), np.array(gold or GOLD)
    said = np.array([[share, 1 - share] for share in of_block])
    system = score_system(LABELS, truth, Answers(said.argmax(1), said), Resampling(1, 100))
    scores = Scores(
        task="decide", labels=list(LABELS), positive="BLOCK", systems={"tuned": system}, calibration=None,
        num_rows={"train": 0, "validation": 0, "test": len(truth)}, generation=None, comparisons=[], gates=[],
        verdict="no_baseline", test_hash="same",
    )  # fmt: skip
    write_json(run.scores_path, scores.model_dump(mode="json"))
    write_jsonl(
        run.samples_path,
        (
            Sample(
                id=f"s:{row}", source="s", origin="s", text="", label=LABELS[truth[row]],
                predicted=LABELS[said[row].argmax()], probabilities=dict(zip(LABELS, said[row].tolist(), strict=True)),
                confidence=float(said[row].max()), baselines={},
            ).model_dump(mode="json")
            for row in range(len(truth))
        ),
    )  # fmt: skip
    return recipe, run


@pytest.fixture(scope="module")
def blind_and_sharp(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Run, Run]:
    """One run that says BLOCK to everything, one that is right throughout."""
    root = tmp_path_factory.mktemp("decided")
    recipe, blind = decided(root / "blind", [0.6] * 40)
    return recipe, blind, decided(root / "sharp", [0.9 if label == 0 else 0.1 for label in GOLD])[1]


@pytest.mark.parametrize(
    ("metric", "direction", "before", "after"),
    [
        ("accuracy", "maximize", 0.5, 1.0), ("recall.ALLOW", "maximize", 0.0, 1.0),
        ("f1.BLOCK", "maximize", 2 / 3, 1.0), ("brier", "minimize", 0.52, 0.02), ("ece", "minimize", 0.1, 0.1),
        ("roc_auc", "maximize", 0.5, 1.0), ("average_precision", "maximize", 0.5, 1.0),
    ],
)  # fmt: skip
def test_objective_of_a_decision_stands_first_and_is_paired(
    blind_and_sharp: tuple[Recipe, Run, Run], metric: str, direction: str, before: float, after: float
) -> None:
    found = on_test(*blind_and_sharp, [objective(metric, direction)])
    first = found.tested[0]
    assert (first.metric, first.direction, found.num_rows) == (metric, direction, 40)
    assert (first.default.value, first.tuned.value) == pytest.approx((before, after))
    assert first.difference.value == pytest.approx(after - before)
    assert first.difference.low <= first.difference.value <= first.difference.high
    assert first.verdict == ("unclear" if metric == "ece" else "better")
    assert {"accuracy", "macro_f1"} <= {one.metric for one in found.tested}
    assert all(any("40" in line for line in found.sentences[language]) for language in ("ko", "en"))
    recipe, blind, sharp = blind_and_sharp
    back = on_test(recipe, sharp, blind, [objective(metric, direction)]).tested[0]
    assert back.verdict == ("unclear" if metric == "ece" else "worse")


def test_few_rows_decide_nothing(tmp_path: Path) -> None:
    gold = [0, 1, 0, 1]
    recipe, blind = decided(tmp_path / "blind", [0.1, 0.9, 0.1, 0.9], gold)
    _, sharp = decided(tmp_path / "sharp", [0.9, 0.1, 0.9, 0.1], gold)
    found = on_test(recipe, blind, sharp, [objective("brier", "minimize")])
    assert found.tested[0].difference.high < 0
    assert {one.verdict for one in found.tested} == {"unclear"}


def test_figures_without_a_value_per_row_are_named(blind_and_sharp: tuple[Recipe, Run, Run]) -> None:
    asked = [objective("generation.json_valid"), objective("peak_memory_mb", "minimize"), objective("eval_loss")]
    found = on_test(*blind_and_sharp, asked)
    assert [(notice.key, notice.values) for notice in found.notices] == [
        ("tune.finish.notice.unpaired", {"metric": "generation.json_valid"})
    ]
    assert [one.metric for one in found.tested] == ["macro_f1", "accuracy"]


def test_answers_are_compared_by_closeness_and_a_loss_by_that_of_the_test_rows(
    tmp_path: Path,
    chat_world: Any,  # noqa: F811
    engines: Any,  # noqa: F811
) -> None:
    recipe = chat_world.recipe_with(evaluate={"baselines": ()}, task={"handoff": None})
    sharp = chat_world.make_run(recipe, tmp_path / "sharp")
    evaluate(recipe, sharp)
    engines.tuned = engines.base
    babbling = chat_world.make_run(recipe, tmp_path / "babbling")
    evaluate(recipe, babbling)
    found = on_test(recipe, babbling, sharp, [objective("eval_loss", "minimize"), objective("chrf")])
    assert [one.metric for one in found.tested[:2]] == ["loss", "chrf"]
    assert [one.verdict for one in found.tested[:2]] == ["better", "better"]
    assert found.tested[0].direction == "minimize" and found.tested[0].difference.high < 0


def test_retrievers_are_compared_by_what_they_serve(
    tmp_path: Path,
    encoders: Callable[..., Any],  # noqa: F811
) -> None:
    runs = []
    for name, known in (("half", KNOWN_BY_TUNED), ("all", [*WORDS, *OTHERS])):
        encoders(known)
        recipe, run = made_run(tmp_path / name)
        evaluate(recipe, run)
        runs.append(run)
    found = on_test(recipe, *runs, [objective("tuned.recall@1")])
    assert [one.metric for one in found.tested[:2]] == ["tuned.recall@1", "mrr@10"]
    first = found.tested[0]
    assert first.verdict == "better" and first.tuned.value == 1.0
    assert first.default.value == pytest.approx(0.5, abs=0.05)
