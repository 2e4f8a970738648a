from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dadeum.training.prefix import IGNORED, PrefixCollator, gradient_difference, shared_length
from dadeum.training.rows import encode, token_weights
from dadeum.training.sft import LengthWindowSampler
from dadeum.training.train import _model, _trainer
from tests.tiny import decide_recipe, write_splits


@pytest.fixture
def trainer(tiny_llama, tmp_path):
    from dadeum.core.run import Run
    from dadeum.models.load import load_tokenizer
    from dadeum.models.precision import Precision
    from dadeum.models.render import Renderer

    recipe = decide_recipe(tiny_llama)
    run = Run.create(recipe, tmp_path / "run")
    write_splits(run)
    tokenizer = load_tokenizer(recipe.model)
    rows = encode(recipe, Renderer(tokenizer, recipe.render), recipe.stages[0], run.split_path("train"))
    precision = Precision("fp32", "train.precision.asked", {}, None)
    model = _model(recipe, recipe.stages[0], precision, None)
    return _trainer(recipe, recipe.stages[0], precision, model, tokenizer, (rows, rows[:4]), tmp_path / "stage")


def plain_loss(model, rows):
    """Unpadded rows one by one, every position scored: the textbook loss."""
    total, count = 0.0, 0
    for row in rows:
        logits = model(torch.tensor([row["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(row["labels"])[1:]
        total = total + functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
        count += int((labels != IGNORED).sum())
    return total / count


@pytest.mark.parametrize("share", [False, True])
def test_loss_and_gradient_equal_the_plain_ones(trainer, share):
    """Left padding, the shared prefix and `logits_to_keep` change the work, not the result."""
    trainer.data_collator.share = share
    rows = [trainer.train_dataset[i] for i in range(6)]
    batch = trainer.data_collator(rows)
    assert ("prefix_ids" in batch) is share
    trained = [(n, p) for n, p in trainer.model.named_parameters() if p.requires_grad]
    ours = trainer.compute_loss(trainer.model, batch)
    ours_gradient = torch.autograd.grad(ours, [p for _, p in trained])
    plain = plain_loss(trainer.model, rows)
    plain_gradient = torch.autograd.grad(plain, [p for _, p in trained])
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)
    for (name, _), a, b in zip(trained, ours_gradient, plain_gradient, strict=True):
        assert (a - b).norm() <= 1e-4 * (b.norm() + 1e-6), name


def test_weights_scale_the_tokens_that_decide(trainer):
    rows = [trainer.train_dataset[i] for i in range(4)]
    doubled = [row | {"weights": [2 * weight for weight in row["weights"]]} for row in rows]
    once, twice = (trainer.compute_loss(trainer.model, trainer.data_collator(batch)) for batch in (rows, doubled))
    torch.testing.assert_close(twice, 2 * once)


def row(prompt, answer):
    labels = [IGNORED] * len(prompt) + answer
    return {"input_ids": prompt + answer, "labels": labels, "weights": [0.0] * len(prompt) + [1.0] * len(answer)}


def test_collator_pads_left_and_counts_positions_from_the_first_token():
    batch = PrefixCollator(pad_id=0, share=False)([row([5], [6, 7]), row([8], [9])])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [0, 8, 9]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [IGNORED, IGNORED, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 0, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 1, 1]]


def test_shared_prefix_is_taken_out_once_and_positions_go_on_after_it():
    prefix = list(range(10, 20))
    batch = PrefixCollator(pad_id=0, share=True)([row([*prefix, 5, 6], [7]), row([*prefix, 8], [9])])
    assert batch["prefix_ids"].tolist() == [prefix]
    assert batch["input_ids"].tolist() == [[5, 6, 7], [0, 8, 9]]
    assert batch["position_ids"].tolist() == [[10, 11, 12], [9, 10, 11]]
    assert batch["attention_mask"].tolist() == [[1] * 13, [1] * 10 + [0, 1, 1]]


def test_the_token_that_predicts_the_answer_is_never_shared():
    same = [row(list(range(10, 20)), [1]), row(list(range(10, 20)), [2])]
    assert shared_length(same) == 9
    assert shared_length(same[:1]) == 0
    assert shared_length([row([1, 2, 3], [4]), row([1, 2, 3], [5])]) == 0


def test_the_check_before_training_sees_a_model_that_shares_wrongly(trainer, monkeypatch):
    from dadeum.training import prefix

    rows = [trainer.train_dataset[i] for i in range(4)]
    assert gradient_difference(trainer.model, rows, 0) < 1e-4
    forgetful = prefix._prefix_cache

    def drops_keys(model, prefix_ids, num_rows):
        cache = forgetful(model, prefix_ids, num_rows)
        for layer in cache.layers:
            layer.values = layer.values * 0
        return cache

    monkeypatch.setattr(prefix, "_prefix_cache", drops_keys)
    assert gradient_difference(trainer.model, rows, 0) > 0.05


def test_token_weights_have_mean_one_and_raise_the_label():
    weights = token_weights([1, 2, 9, 8, 3], [[9, 8], [7]], label_weight=4.0)
    assert sum(weights) == pytest.approx(5)
    assert weights[2] == weights[3] == pytest.approx(4 * weights[0])
    assert token_weights([1, 2], [[9]], 4.0) == [1.0, 1.0]


def test_sampler_sees_every_row_once_in_batches_of_like_length():
    lengths = [(7 * i) % 50 + 1 for i in range(103)]
    sampler = LengthWindowSampler(lengths, batch_size=4, seed=3)
    order = list(sampler)
    assert sorted(order) == list(range(103))
    spread = [max(batch) - min(batch) for batch in _lengths(order, lengths)]
    random_order = torch.randperm(103, generator=torch.Generator().manual_seed(0)).tolist()
    random_spread = [max(batch) - min(batch) for batch in _lengths(random_order, lengths)]
    assert sum(spread) < 0.4 * sum(random_spread)


def test_sampler_order_depends_on_seed_and_epoch_alone():
    lengths = list(range(1, 60))
    first, again = (LengthWindowSampler(lengths, 4, seed=3) for _ in range(2))
    assert list(first) == list(again)
    again.set_epoch(1)
    assert list(first) != list(again)
    assert list(LengthWindowSampler(lengths, 4, seed=4)) != list(first)


def _lengths(order, lengths):
    return [[lengths[row] for row in order[i : i + 4]] for i in range(0, len(order) - 4, 4)]
