"""Teacher-forced log likelihoods, against a plain forward pass of each row alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from dadeum.core.examples import Example, Turn
from dadeum.core.recipe import Render
from dadeum.models import likelihood
from dadeum.models.engines import Engine, load_engine
from dadeum.models.likelihood import Labelled, Likelihood, log_likelihoods
from dadeum.models.render import LossOn, Renderer
from tests.tiny import decide_recipe


@pytest.fixture(scope="module")
def engine(tiny_llama):
    return load_engine(decide_recipe(tiny_llama), None)


def talk(number: int) -> Example:
    """Three exchanges of growing length."""
    turns: list[Turn] = []
    for turn in range(3):
        turns.append({"role": "user", "content": "무료 당첨 " * (number + turn)})
        turns.append({"role": "assistant", "content": "회의 일정 안내 " * (1 + number % 3) + str(turn)})
    return Example(
        id=str(number), source="s", origin="s", group="g", text="t", prompt=turns[:-1], completion=turns[-1:], label=""
    )


def alone(engine: Engine, renderer: Renderer, row: Example) -> Likelihood:
    """One unpadded row, all logits."""
    rendered = renderer.render(row)
    with torch.inference_mode():
        logits = engine.model(torch.tensor([rendered.input_ids])).logits[0].double().log_softmax(-1)
    taken = [(at, label) for at, label in enumerate(rendered.labels) if label != -100]
    return Likelihood(sum(float(logits[at - 1, label]) for at, label in taken), len(taken))


@pytest.mark.parametrize("loss_on", ["last_answer", "all_answers"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_it_is_what_a_plain_forward_pass_says(engine: Engine, loss_on: LossOn, batch_size: int) -> None:
    renderer = Renderer(engine.renderer.tokenizer, Render(), loss_on)
    rows = [talk(number) for number in (4, 1, 6, 2, 3)]
    done: Counter[str] = Counter()
    found = Engine(engine.model, renderer).log_likelihoods(rows, batch_size, lambda num: done.update(rows=num))
    wanted = [alone(engine, renderer, row) for row in rows]
    assert [one.num_tokens for one in found] == [one.num_tokens for one in wanted]
    assert [one.log_prob for one in found] == pytest.approx([one.log_prob for one in wanted], abs=1e-3)
    assert done["rows"] == len(rows)


def test_every_answer_and_its_end_token_are_weighed(engine: Engine) -> None:
    last, every = (Renderer(engine.renderer.tokenizer, Render(), loss_on) for loss_on in ("last_answer", "all_answers"))
    row = talk(2)
    answers = [turn["content"] for turn in [*row.prompt, *row.completion] if turn["role"] == "assistant"]
    sizes = [len(last.answer_ids(answer)) for answer in answers]
    weighed = [Engine(engine.model, one).log_likelihoods([row], 1)[0].num_tokens for one in (last, every)]
    assert weighed == [sizes[-1], sum(sizes)]


def test_a_bound_on_memory_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [talk(number) for number in range(6)]
    whole = engine.log_likelihoods(rows, 6)
    monkeypatch.setattr(likelihood, "_LOGIT_BYTES", 1)
    assert [one.log_prob for one in engine.log_likelihoods(rows, 6)] == pytest.approx(
        [one.log_prob for one in whole], abs=1e-3
    )


def test_a_row_that_teaches_nothing_weighs_nothing(engine: Engine) -> None:
    rows = [Labelled([5, 6, 7], [-100] * 3), Labelled([5, 6, 7, 8], [-100, -100, 7, 8])]
    with torch.inference_mode():
        silent, spoken = log_likelihoods(engine.model, rows, 2, 0, lambda num: None)
    assert silent == Likelihood(0.0, 0)
    assert spoken.num_tokens == 2
    assert spoken.log_prob < 0


def test_answers_that_were_cut_off_are_known(engine: Engine) -> None:
    prompts = [talk(number).prompt for number in (1, 2)]
    short = engine.write(prompts, 3, 2)
    assert [one.finished for one in short] == [False, False]
    assert engine.generate(prompts, 3, 2) == [one.text for one in short]
    stop = engine.renderer.tokenizer(short[0].text, add_special_tokens=False).input_ids[0]
    ending = Engine(engine.model, engine.renderer)
    ending.renderer.__dict__["stop_ids"] = (stop,)
    try:
        assert ending.write(prompts[:1], 3, 2)[0].finished
    finally:
        del ending.renderer.__dict__["stop_ids"]
