from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.errors import RecipeError
from dadeum.core.measured import Measured
from dadeum.core.recipe import Recipe
from dadeum.evaluation.conditions import Condition, parse_condition
from dadeum.evaluation.decide.gates import check_gates, check_gates_syntax, known_metrics, metric_of
from dadeum.evaluation.decide.scores import ClassScores, Generation, SystemScores
from dadeum.evaluation.scores import Gate


def recipe(
    baselines: tuple[str, ...] = ("majority", "tfidf", "base_model"), generate_rows: int = 10, **gates: str
) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "r",
            "task": {"type": "decide", "instruction": "?", "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"]},
            "model": {"base": "b", "adapter": {"type": "none"}},
            "data": {"sources": [{"path": "x.csv"}]},
            "stages": [{"name": "sft", "method": "sft"}],
            "evaluate": {"baselines": baselines, "generate_rows": generate_rows, "gates": gates},
        }
    )


def gate(metric: str, condition: str, **values: object) -> Recipe:
    return recipe(**values, **{metric: condition})  # type: ignore[arg-type]


def system(accuracy: float, macro_f1: float, ece: float | None = None, roc_auc: float | None = None) -> SystemScores:
    block = ClassScores(precision=0.5, recall=accuracy, f1=0.6, support=4)
    return SystemScores(
        accuracy=Measured(value=accuracy, low=0, high=1),
        macro_f1=Measured(value=macro_f1, low=0, high=1),
        per_class={"BLOCK": block, "ALLOW": block.model_copy(update={"recall": 0.25})},
        confusion=[[1, 0], [0, 1]],
        ece=ece,
        roc_auc=roc_auc,
    )


SYSTEMS = {
    "tuned": system(0.9, 0.88, ece=0.05),
    "majority": system(0.5, 0.33),
    "tfidf": system(0.92, 0.87, ece=0.02, roc_auc=0.97),
    "base_model": system(0.6, 0.55, ece=0.3),
}
GENERATION = Generation(
    num_rows=10, json_valid=1.0, schema_valid=0.9, agreement=0.8, accuracy=0.7, invalid_examples=[]
)  # fmt: skip


# -- reading --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (">= 0.8", Condition(">=", 0.8, None)),
        ("<.05", Condition("<", 0.05, None)),
        (" <= 1e-2 ", Condition("<=", 0.01, None)),
        ("> -1", Condition(">", -1.0, None)),
        (">= baselines.tfidf", Condition(">=", None, "tfidf")),
        (">baselines.best", Condition(">", None, "best")),
    ],
)
def test_conditions_are_read(condition: str, expected: Condition) -> None:
    assert parse_condition("accuracy", condition) == expected


@pytest.mark.parametrize(
    "condition",
    ["", "0.8", "== 0.8", ">= ", ">= eighty", ">= 0.8 or True", ">= baselines.", ">= baselines.a.b", "=> 0.8", ">= 80%",
     ">= __import__('os').getcwd()", ">= 0.8\n> 0.9", ">= nan"],
)  # fmt: skip
def test_anything_else_is_refused_and_never_run(condition: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_condition("accuracy", condition)
    assert caught.value.key == "evaluate.gates.bad_condition"
    assert condition in str(caught.value)


@given(st.text(max_size=20))
def test_no_text_breaks_the_reader(condition: str) -> None:
    try:
        found = parse_condition("accuracy", condition)
    except RecipeError:
        return
    assert (found.number is None) != (found.baseline is None)


@given(st.sampled_from([">=", ">", "<=", "<"]), st.floats(-10, 10))
def test_every_number_can_be_written(operator: str, number: float) -> None:
    assert parse_condition("accuracy", f"{operator} {number!r}") == Condition(operator, number, None)


# -- checking a recipe ----------------------------------------------------------------------------
def test_sound_gates_have_no_problem() -> None:
    sound = {metric: ">= 0.5" for metric in known_metrics(recipe())}
    assert check_gates_syntax(recipe(**sound)) == []  # type: ignore[arg-type]
    assert check_gates_syntax(recipe(macro_f1="> baselines.best", ece="<= baselines.tfidf")) == []
    assert check_gates_syntax(recipe()) == []


@pytest.mark.parametrize(
    ("bad", "key", "said"),
    [
        (gate("macrof1", ">= 0.8"), "evaluate.gates.unknown_metric", "macro_f1"),
        (gate("recall.BLOK", ">= 0.8"), "evaluate.gates.unknown_metric", "recall.BLOCK"),
        (gate("accuracy", "about 0.8"), "evaluate.gates.bad_condition", "about 0.8"),
        (gate("accuracy", "> baselines.tf_idf"), "evaluate.gates.unknown_baseline", "tfidf"),
        (gate("accuracy", "> baselines.tfidf", baselines=("majority",)), "evaluate.gates.unknown_baseline", "majority"),
        (gate("accuracy", "> baselines.best", baselines=()), "evaluate.gates.baseline_lacks_metric", "best"),
        (gate("ece", "< baselines.majority"), "evaluate.gates.baseline_lacks_metric", "majority"),
        (gate("generation.agreement", "> baselines.tfidf"), "evaluate.gates.baseline_lacks_metric", "tfidf"),
        (gate("generation.agreement", "> 0.9", generate_rows=0), "evaluate.gates.no_generation", "generate_rows"),
    ],
)
def test_every_mistake_says_what_to_write(bad: Recipe, key: str, said: str) -> None:
    (problem,) = check_gates_syntax(bad)
    assert problem.key == key
    for language in ("ko", "en"):
        assert said in problem.in_language(language)


def test_all_mistakes_come_at_once() -> None:
    problems = check_gates_syntax(recipe(macrof1=">= 0.8", accuracy="good", f1_BLOCK="> 1"))
    assert [problem.values["metric"] for problem in problems] == ["macrof1", "accuracy", "f1_BLOCK"]


# -- judging --------------------------------------------------------------------------------------
def judge(metric: str, condition: str, generation: Generation | None = GENERATION) -> Gate:
    (found,) = check_gates(gate(metric, condition), SYSTEMS, generation)
    return found


@pytest.mark.parametrize(
    ("metric", "condition", "value", "target", "passed"),
    [
        ("macro_f1", ">= baselines.tfidf", 0.88, 0.87, True),
        ("accuracy", ">= baselines.tfidf", 0.9, 0.92, False),
        ("accuracy", "> baselines.best", 0.9, 0.92, False),
        ("accuracy", ">= 0.9", 0.9, 0.9, True),
        ("accuracy", "> 0.9", 0.9, 0.9, False),
        ("ece", "<= baselines.best", 0.05, 0.02, False),  # the best error is the smallest
        ("ece", "< baselines.base_model", 0.05, 0.3, True),
        ("recall.BLOCK", ">= 0.85", 0.9, 0.85, True),
        ("recall.ALLOW", ">= 0.85", 0.25, 0.85, False),
        ("generation.schema_valid", ">= 0.95", 0.9, 0.95, False),
        ("generation.accuracy", "> 0.6", 0.7, 0.6, True),
    ],
)
def test_gates_are_judged(metric: str, condition: str, value: float, target: float, passed: bool) -> None:
    assert judge(metric, condition) == Gate(
        metric=metric, condition=condition, value=value, target=target, passed=passed
    )


def test_a_figure_that_was_not_measured_does_not_pass() -> None:
    found = judge("roc_auc", ">= 0.1")  # the tuned system has none
    assert (found.value, found.target, found.passed) == (None, 0.1, False)
    found = judge("ece", "< baselines.majority")
    assert (found.value, found.target, found.passed) == (0.05, None, False)
    assert judge("generation.accuracy", "> 0.6", None).passed is False


def test_every_known_metric_can_be_looked_up() -> None:
    for metric in known_metrics(recipe()):
        assert metric_of(metric, SYSTEMS["tfidf"], GENERATION) is not None or metric in ("brier", "average_precision")
