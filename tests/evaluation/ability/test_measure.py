"""Which choice is most probable, and what changed between two models."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.errors import ModelError, RecipeError
from dadeum.core.progress import silent
from dadeum.evaluation.ability import measure as subject
from dadeum.evaluation.ability.measure import answered, compared, measure, score
from dadeum.evaluation.ability.questions import Question, questions
from dadeum.evaluation.ability.result import Answered, Change

FOUR = tuple(Question(f"science:{number}", "science", "?", ("가", "나", "다", "라"), number) for number in range(4))
NUM = len(questions())


def recipe_of(base: Path | str, **changes: Any) -> Any:
    from tests.tiny import decide_recipe

    return decide_recipe(base, **({"task": {"type": "chat"}} | changes))


def with_right(num_right: int, start: int = 0, gap: float = 0.5) -> Answered:
    """A model that knows `num_right` of all questions, from place `start` on."""
    knows = np.roll(np.arange(NUM) < num_right, start)
    sums = np.full((NUM, 4), -2.0)
    for number, question in enumerate(questions()):
        sums[number, question.right] += gap if knows[number] else -gap
    return answered(sums, np.ones((NUM, 4)), questions())


# -- one model ------------------------------------------------------------------------------------
def test_the_mean_per_token_decides_and_the_sum_is_told() -> None:
    # Question 0: right by mean (-1 a token against -2), wrong by sum (-3 against -2).
    sums = np.array([[-3.0, -2.0, -9.0, -9.0], [-9.0, -1.0, -2.0, -3.0], [-1.0, -9.0, -9.0, -9.0], [-4.0] * 4])
    lengths = np.ones((4, 4))
    lengths[0, 0] = 3
    found = answered(sums, lengths, FOUR)
    assert found.right == [True, True, False, False]
    assert found.gaps == pytest.approx([1.0, 1.0, -8.0, 0.0])
    assert (found.accuracy.value, found.accuracy_by_sum.value) == (0.5, 0.25)
    assert found.gap.value == pytest.approx(-1.5)
    assert found.by_subject["science"].model_dump() == {"num": 4, "num_right": 2, "gap": pytest.approx(-1.5)}


def test_a_model_that_prefers_nothing_is_not_right() -> None:
    found = answered(np.full((NUM, 4), -1.0), np.ones((NUM, 4)), questions())
    assert found.accuracy.value == 0
    assert found.at_chance


@pytest.mark.parametrize(("num_right", "at_chance"), [(40, True), (45, True), (80, False)])
def test_at_chance_until_the_interval_is_above_it(num_right: int, at_chance: bool) -> None:
    assert with_right(num_right).at_chance is at_chance


# -- two models -----------------------------------------------------------------------------------
def test_questions_are_compared_one_by_one() -> None:
    other, tuned = with_right(100), with_right(100, start=10)
    found = compared(tuned, other)
    assert (found.num_lost, found.num_gained, found.p_value) == (10, 10, 1.0)
    assert found.accuracy.value == 0
    # Each of the 20 moved by a nat: half up, half down.
    assert found.gap.value == pytest.approx(0)
    assert found.gap.high > 0 > found.gap.low


@pytest.mark.parametrize(
    ("num_right", "verdict"),
    [(100, "no_worse"), (110, "no_worse"), (98, "no_worse"), (70, "worse"), (90, "worse")],
)
def test_the_verdict_rests_on_the_whole_interval(num_right: int, verdict: str) -> None:
    found = compared(with_right(num_right), with_right(100))
    assert found.verdict == verdict
    assert found.accuracy.value == pytest.approx((num_right - 100) / NUM)
    assert found.num_lost == max(0, 100 - num_right)


def test_much_change_in_both_directions_is_undecided() -> None:
    assert compared(with_right(100, start=40), with_right(103)).verdict == "undecided"


def test_exact_mcnemar_of_a_loss() -> None:
    # 10 lost, none gained: 2 / 2**10.
    assert compared(with_right(90), with_right(100)).p_value == pytest.approx(2 / 1024)


def test_a_model_that_knew_nothing_has_nothing_to_lose() -> None:
    found = compared(with_right(10), with_right(42))
    assert found.at_chance
    assert found.verdict == "undecided"
    assert not compared(with_right(10), with_right(80)).at_chance


def test_gaps_tell_what_right_answers_do_not() -> None:
    found = compared(with_right(100, gap=0.2), with_right(100, gap=0.5))
    assert found.accuracy.value == 0
    assert found.verdict == "no_worse"
    # 100 right ones lost 0.3, 60 wrong ones gained 0.3.
    assert found.gap.value == pytest.approx(-0.3 * 40 / 160)


def test_answers_to_other_questions_are_refused() -> None:
    first = with_right(100)
    with pytest.raises(ValueError, match="different questions"):
        compared(first, first.model_copy(update={"questions": "other"}))


def test_what_is_stored_can_be_read_again() -> None:
    first, second = with_right(90), with_right(100)
    change = compared(first, second)
    assert Answered.model_validate_json(first.model_dump_json()) == first
    assert Change.model_validate_json(change.model_dump_json()) == change


# -- real models ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def few() -> tuple[Question, ...]:
    return tuple(question for question in questions() if question.id.endswith(":3"))


def test_scores_are_those_of_each_answer_alone(tiny_llama: Path, few: tuple[Question, ...]) -> None:
    import torch

    from dadeum.models.engines import load_engine

    engine = load_engine(recipe_of(tiny_llama), None)
    told: list[int] = []
    sums, lengths = score(engine, few, told.append)
    assert sum(told) == len(few)
    question, render = few[1], engine.renderer
    before = render.prompt_ids([{"role": "user", "content": question.prompt}])
    for place, choice in enumerate(question.choices):
        after = render.answer_ids(choice)[: -len(render.end_ids)]
        assert render.tokenizer.decode(after) == choice
        with torch.inference_mode():
            log_probs = engine.model(torch.tensor([before + after])).logits[0].float().log_softmax(-1)
        each = [log_probs[len(before) - 1 + at, token].item() for at, token in enumerate(after)]
        assert sums[1, place] == pytest.approx(sum(each), abs=1e-3)
        assert lengths[1, place] == len(after)


def test_packed_trees_and_plain_rows_agree(
    tiny_llama: Path, few: tuple[Question, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dadeum.models.engines import load_engine
    from dadeum.models.scoring import Scorer

    engine = load_engine(recipe_of(tiny_llama), None)
    taken: list[bool] = []
    plain_call = Scorer.__call__
    monkeypatch.setattr(
        Scorer, "__call__", lambda self, rows: (taken.append(self.uses_trees), plain_call(self, rows))[1]
    )
    packed, _ = score(engine, few, lambda newly: None)
    assert taken and all(taken)

    def stay_plain(self: Scorer, prompts: list[list[int]], stack: ExitStack) -> None:
        return None

    monkeypatch.setattr(Scorer, "choose_path", stay_plain)
    plain, _ = score(engine, few, lambda newly: None)
    assert packed == pytest.approx(plain, abs=1e-3)


def test_a_model_that_learnt_the_answers_gets_them_right_and_one_that_unlearns_them_is_worse(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions()[:8]
    monkeypatch.setattr(subject, "questions", lambda: asked)
    recipe = recipe_of(tiny_llama)
    steps: list[tuple[str, int, int]] = []
    base = measure(recipe, None, lambda *step: steps.append(step), "base_model")
    assert base.at_chance
    assert steps[0] == ("evaluate.ability.progress.base_model", 0, 8)
    assert steps[-1] == ("evaluate.ability.progress.base_model", 8, 8)
    teach_answers(recipe, asked, tmp_path / "knows")
    knows = measure(recipe_of(tmp_path / "knows"), None, silent, "before")
    assert knows.accuracy.value >= 0.9
    assert not knows.at_chance
    # The same questions asked of the untuned model stand for one that forgot what it was taught.
    change = compared(base, knows)
    assert change.verdict == "worse"
    assert change.gap.high < 0
    assert change.num_lost > change.num_gained


def teach_answers(recipe: Any, asked: tuple[Question, ...], folder: Path) -> None:
    import torch
    from torch.nn import functional

    from dadeum.models.engines import load_engine

    engine = load_engine(recipe, None)
    render, model = engine.renderer, engine.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    rows = []
    for question in asked:
        before = render.prompt_ids([{"role": "user", "content": question.prompt}])
        rows.append((before, render.answer_ids(question.choices[question.right])))
    longest = max(len(before) + len(after) for before, after in rows)
    pad = render.tokenizer.pad_token_id
    ids = torch.tensor([[*a, *b] + [pad] * (longest - len(a) - len(b)) for a, b in rows])
    labels = torch.tensor([[-100] * len(a) + b + [-100] * (longest - len(a) - len(b)) for a, b in rows])
    for _ in range(80):
        logits = model(ids).logits
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        if loss.item() < 0.05:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(str(folder))
    render.tokenizer.save_pretrained(str(folder))


def test_the_instruction_of_the_recipe_is_not_part_of_the_question(
    tiny_llama: Path, few: tuple[Question, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "questions", lambda: few)
    one = measure(recipe_of(tiny_llama), None, silent, "base_model")
    role = {"type": "chat", "instruction": "JSON으로만 답하는 상담사입니다."}
    assert measure(recipe_of(tiny_llama, task=role), None, silent, "base_model") == one
    assert one.num == len(few)


def test_retrievers_and_encoder_decoders_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    from dadeum.models.seq2seq_engine import Seq2SeqEngine

    with pytest.raises(RecipeError) as refused:
        measure(retriever(tiny_llama), None, silent, "base_model")
    assert refused.value.key == "evaluate.ability.no_answers"
    with pytest.MonkeyPatch.context() as patched:
        engine = Seq2SeqEngine.__new__(Seq2SeqEngine)
        patched.setattr(Seq2SeqEngine, "close", lambda self: None)
        patched.setattr(subject, "load_engine", lambda recipe, weights: engine)
        with pytest.raises(RecipeError) as refused:
            measure(recipe_of(tiny_llama), None, silent, "base_model")
    assert refused.value.key == "evaluate.ability.no_decoder"


def retriever(base: Path) -> Any:
    return recipe_of(
        base,
        task={"type": "retrieve"},
        data={"sources": [{"path": "unused"}], "corpus": {"sources": ["unused"]}},
        stages=[{"name": "embed", "method": "contrastive"}],
    )


def test_a_model_that_diverged_is_named(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = np.zeros((NUM, 4))
    broken[20, 1] = np.nan
    monkeypatch.setattr(subject, "score", lambda engine, asked, count: (broken, np.ones((NUM, 4))))
    with pytest.raises(ModelError) as found:
        measure(recipe_of(tiny_llama), None, silent, "tuned")
    assert found.value.values["question"] == "science:1"
