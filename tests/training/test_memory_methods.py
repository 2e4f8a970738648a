"""What pairs and written answers are said to need: counted without contents against the real code."""

from __future__ import annotations

import pytest
import torch

from dadeum.models.load import add_adapter, load_base
from dadeum.models.precision import Precision
from dadeum.models.tree_attention import trees
from dadeum.training.live_bytes import LiveBytes
from dadeum.training.memory import expected
from dadeum.training.memory_methods import Answers, PreferencePairs, Writing, _padded, at_once
from dadeum.training.memory_trace import EmptyModel
from tests.training.tiny_online import recipe as online_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)
LORA, FULL = "lora", "none"


def recipe_of(base, method, adapter=LORA, **changes):
    if method in ("dpo", "reward"):
        recipe = online_recipe(base, "grpo", adapter)
        stage = {"name": method, "method": method, "batch_size": 2, "pairs": {"sampled": 2}} | changes
        last = {"name": "last", "method": "sft"}  # a reward model alone trains nothing
        return type(recipe).model_validate(recipe.model_dump(mode="json") | {"stages": [stage, last]})
    return online_recipe(base, method, adapter, **({"batch_size": 4, "beta": 0.1} | changes))


def pairs_of(number, prompt=40, answer=20):
    def ids(first, length):
        return [5 + (first * 37 + k * 11) % 300 for k in range(length)]

    return [
        {"prompt_ids": ids(n, prompt + n), "chosen_ids": ids(n + 50, answer), "rejected_ids": ids(n + 90, answer - n)}
        for n in range(number)
    ]


def real(recipe):
    model = load_base(recipe.model, FP32, trainable=True)
    if recipe.model.adapter.type != FULL:
        model = add_adapter(model, recipe.model.adapter, False)
    return model.train()


def live_for(model) -> LiveBytes:
    live = LiveBytes()
    for tensor in [*model.parameters(), *model.buffers()]:
        live.ignore(tensor)
    return live


def undropped(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


@pytest.mark.parametrize("adapter", [LORA, FULL])
def test_pairs_are_counted_as_the_trainer_computes_them(tiny_llama, adapter):
    from dadeum.training.pairs import dpo_loss, pair_log_probs, pair_rows

    recipe, pairs = recipe_of(tiny_llama, "dpo", adapter), pairs_of(2)
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    counted = PreferencePairs(pairs).peak(empty, recipe.stages[0], 1)

    model = real(recipe)
    live, zeros = live_for(model), torch.zeros(2)
    with trees(model), live:
        dpo_loss(pair_log_probs(model, pair_rows(pairs)), (zeros, zeros)).backward()
    assert counted.training == pytest.approx(live.peak, rel=0.03)


def test_trying_the_pairs_in_trls_way_takes_more_than_packed_training(tiny_llama):
    """Four rows with their prompts against two prompts and four answers."""
    recipe, pairs = recipe_of(tiny_llama, "dpo"), pairs_of(2, prompt=200, answer=10)
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    counted = PreferencePairs(pairs).peak(empty, recipe.stages[0], 1)
    assert counted.before > 1.4 * counted.training

    from trl.trainer.utils import add_fused_lm_head

    model = undropped(real(recipe))
    add_fused_lm_head(model.get_base_model(), outputs=("log_probs", "entropy"))
    live = live_for(model)
    with live:
        (-model(**_padded(pairs), use_cache=False, fused_lm_head=True).log_probs.sum()).backward()
    assert counted.before == pytest.approx(live.peak + empty.trained_bytes, rel=0.03)


@pytest.mark.parametrize("adapter", [LORA, FULL])
def test_a_reward_model_has_one_number_in_place_of_a_vocabulary(tiny_llama, adapter):
    from dadeum.training.pairs import last_hidden, reward_loss
    from dadeum.training.preferences.classifier import trainable_reward_model

    recipe, pairs = recipe_of(tiny_llama, "reward", adapter), pairs_of(2)
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    model = trainable_reward_model(recipe, FP32, None, False).train()
    assert empty.weight_bytes == pytest.approx(sum(one.nbytes for one in model.parameters()), rel=0.001)
    assert empty.trained_bytes == sum(one.nbytes for one in model.parameters() if one.requires_grad)

    counted = PreferencePairs(pairs).peak(empty, recipe.stages[0], 1)
    rows = [pair["prompt_ids"] + pair[name] for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    live = live_for(model)
    base = model.get_base_model() if adapter == LORA else model
    with trees(model), live:
        rewards = base.score(last_hidden(model, rows)).squeeze(-1)
        reward_loss(rewards[:2], rewards[2:]).backward()
    assert counted.training == pytest.approx(live.peak, rel=0.03)


def test_a_step_of_ppo_is_counted_as_it_is_computed(tiny_llama):
    from dadeum.training.ppo.policy import add_value_head, padded_texts, see

    recipe = recipe_of(tiny_llama, "ppo")
    stage, empty = recipe.stages[0], EmptyModel(recipe.model, recipe.stages[0], "fp32")
    counted = Answers(50, 12, goes_on=False).peak(empty, stage, 1)

    model = undropped(real(recipe))
    add_value_head(model)
    texts, live = padded_texts([[7] * 50, [7] * 40] * 2, [[8] * 12] * 4, 0, "cpu"), live_for(model)
    with live:
        seen = see(model, texts, 1.0)
        (seen.log_probs.sum() + seen.values.sum()).backward()
    assert counted.training == pytest.approx(live.peak, rel=0.03)
    assert counted.held == 0  # a new adapter switched off is the reference
    assert Answers(50, 12, goes_on=True).peak(empty, stage, 1).held == empty.trained_bytes


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_a_copied_model_and_a_reward_model_stay_beside(tiny_llama, method):
    def needed(**changes):
        recipe = recipe_of(tiny_llama, method, FULL, **changes)
        return expected(recipe, recipe.stages[0], "fp32", Answers(50, 12, goes_on=False), on_gpu=False)

    alone, kept = needed(beta=0.0).weights, needed().weights
    rewards = {"letters": 1.0, "model": 1.0}
    assert kept == pytest.approx(2 * alone) and needed(rewards=rewards).weights == pytest.approx(3 * alone)


def test_answers_that_are_written_hold_their_keys_and_values(tiny_llama):
    recipe = recipe_of(tiny_llama, "grpo")
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    short, long = (empty.write_bytes(8, 100, answer) for answer in (400, 800))
    # Keys and values of 2 heads of 16 numbers of 4 bytes in two layers, and one layer more while it is copied.
    assert long - short == pytest.approx(400 * 8 * 3 * 2 * 32 * 4, rel=0.05)
    assert empty.model.training


def test_trl_writes_the_answers_of_all_passes_at_once(tiny_llama):
    stages = {m: recipe_of(tiny_llama, m, batch_size=4, accumulation_steps=2).stages[0] for m in ("grpo", "ppo")}
    assert (at_once(stages["grpo"]), at_once(stages["ppo"])) == (8, 4)
    assert at_once(stages["grpo"].model_copy(update={"trainer_args": {"steps_per_generation": 1}})) == 4


def test_sampled_answers_are_written_before_the_training(tiny_llama):
    recipe, pairs = recipe_of(tiny_llama, "dpo"), pairs_of(2)
    empty = EmptyModel(recipe.model, recipe.stages[0], "fp32")
    plain = PreferencePairs(pairs).peak(empty, recipe.stages[0], 1)
    sampled = PreferencePairs(pairs, Writing(128, 400, 400)).peak(empty, recipe.stages[0], 1)
    assert sampled.before > 3 * plain.before and sampled.training == plain.training
