from __future__ import annotations

from contextlib import ExitStack, nullcontext

import pytest
import torch
from torch.nn import functional

from dadeum.models.precision import Precision
from dadeum.models.tree_attention import trees
from dadeum.training.choices import choose
from dadeum.training.head import IGNORED
from dadeum.training.methods.sft import build
from dadeum.training.prefix import StepCollator, cut, plain_pass, tree_pass
from dadeum.training.rows import encode, prompt_groups, token_weights
from dadeum.training.sft import LengthWindowSampler
from dadeum.training.work import trainable_model
from tests.tiny import decide_recipe, work_on, write_splits


@pytest.fixture
def trainer(tiny_llama, tmp_path):
    from dadeum.core.run import Run
    from dadeum.models.load import load_tokenizer
    from dadeum.models.render import Renderer

    recipe = decide_recipe(tiny_llama)
    run = Run.create(recipe, tmp_path / "run")
    write_splits(run)
    tokenizer = load_tokenizer(recipe.model)
    rows = encode(recipe, Renderer(tokenizer, recipe.render), recipe.stages[0], run.split_path("train"))
    work = work_on(recipe, tmp_path / "stage")
    return build(work, trainable_model(work), tokenizer, rows, rows[:4])


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
@pytest.mark.parametrize("own_head", [False, True])
@pytest.mark.parametrize("tokens_per_pass", [10_000, 70])
def test_loss_and_gradient_equal_the_plain_ones(trainer, share, own_head, tokens_per_pass):
    """Trees, padding, the head in chunks and several passes change the work, not the result."""
    rows = [trainer.train_dataset[i] for i in range(6)]
    trainer.own_head = own_head
    collator = StepCollator(0, tokens_per_pass, share)
    with trees(trainer.model) if share else nullcontext():
        step = collator(rows)
        assert (len(step["passes"]) > 1) is (tokens_per_pass == 70)
        count = trainer._get_num_items_in_batch([step], torch.device("cpu"))
        ours = sum(trainer.compute_loss(trainer.model, one, num_items_in_batch=count) for one in step["passes"])
        trained = [(n, p) for n, p in trainer.model.named_parameters() if p.requires_grad]
        ours_gradient = torch.autograd.grad(ours, [p for _, p in trained])
    plain = plain_loss(trainer.model, rows)
    plain_gradient = torch.autograd.grad(plain, [p for _, p in trained])
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)
    for (name, _), a, b in zip(trained, ours_gradient, plain_gradient, strict=True):
        assert (a - b).norm() <= 1e-4 * (b.norm() + 1e-6), name


def test_weights_scale_the_tokens_that_decide(trainer):
    rows = [trainer.train_dataset[i] for i in range(4)]
    doubled = [row | {"weights": [2 * weight for weight in row["weights"]]} for row in rows]
    once, twice = (trainer.compute_loss(trainer.model, plain_pass(batch, 0)) for batch in (rows, doubled))
    torch.testing.assert_close(twice, 2 * once)


def row(prompt, answer):
    labels = [IGNORED] * len(prompt) + answer
    return {"input_ids": prompt + answer, "labels": labels, "weights": [0.0] * len(prompt) + [1.0] * len(answer)}


def test_a_plain_pass_pads_left_and_counts_positions_from_the_first_token():
    batch = plain_pass([row([5], [6, 7]), row([8], [9])], pad_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [0, 8, 9]]
    assert batch["answer_labels"].tolist() == [[6, 7, IGNORED], [IGNORED, 9, IGNORED]]
    assert batch["position_ids"].tolist() == [[0, 1, 2], [0, 0, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 1, 1]]


def test_a_tree_pass_holds_the_prefix_once_and_no_last_token():
    prefix = list(range(10, 20))
    batch = tree_pass([row([*prefix, 5, 6], [7]), row([*prefix, 8], [9])])
    tokens = list(zip(batch["input_ids"][0].tolist(), batch["position_ids"][0].tolist(), strict=True))
    assert sorted(tokens) == sorted([*zip(prefix, range(10), strict=True), (5, 10), (6, 11), (8, 10)])
    predicts = dict(zip(batch["input_ids"][0].tolist(), batch["answer_labels"][0].tolist(), strict=True))
    assert {token: label for token, label in predicts.items() if label != IGNORED} == {6: 7, 8: 9}


def test_one_prompt_with_two_answers_keeps_both_targets():
    """The token that predicts the answer is never shared, or one answer would overwrite the other."""
    prompt = list(range(10, 20))
    batch = tree_pass([row(prompt, [1]), row(prompt, [2])])
    assert sorted(label for label in batch["answer_labels"][0].tolist() if label != IGNORED) == [1, 2]
    assert batch["input_ids"].numel() == len(prompt) + 1


def test_a_step_is_cut_by_tokens_with_like_rows_together():
    rows = [row([*([group] * 20), number], [7]) for number in range(4) for group in (1, 2)]
    parts = cut(rows, budget=2 * (22 + 3 * 2))
    assert sorted(len(part) for part in parts) == [8]
    parts = cut(rows, budget=22 + 3 * 2)
    assert [{r["input_ids"][0] for r in part} for part in parts] == [{1}, {2}]
    assert sorted(r["input_ids"] for part in cut(rows, 1) for r in part) == sorted(r["input_ids"] for r in rows)


def test_rows_of_one_long_instruction_are_a_group_and_rows_of_one_wording_are_not():
    instructions = [[1] * 40, [2] * 40]
    rows = [[*instructions[i % 2], i, i] for i in range(60)]
    groups = prompt_groups(rows, step_size=4)
    assert {groups[i] for i in range(0, 60, 2)} != {groups[i] for i in range(1, 60, 2)}
    assert len(set(groups)) == 2
    assert 0 not in groups
    same_instruction = [[*instructions[0], *([3] * 10 if i % 2 else [4] * 10), i] for i in range(60)]
    assert set(prompt_groups(same_instruction, step_size=4)) == {0}
    assert prompt_groups(rows[:3], step_size=4) == [0, 0, 0]


def test_the_choice_sees_a_model_that_shares_wrongly(trainer, monkeypatch, caplog):
    from dadeum.models import prefix_tree

    rows = [trainer.train_dataset[i] for i in range(8)]
    stage = decide_recipe("x").stages[0]
    precision = Precision("fp32", "train.precision.asked", {}, None)
    with ExitStack() as stack:
        right = choose(trainer, stage, rows, precision, stack)
    assert right.prefix_shared
    assert right.own_head
    assert right.prefix_difference < 1e-4
    assert right.compile_reason == "train.compile.too_short"

    def sees_everything(self, window, dtype, copies=1):
        return torch.zeros(1, 1, copies * self.queries.shape[1], self.keys.shape[1])

    monkeypatch.setattr(prefix_tree.Block, "mask", sees_everything)
    with ExitStack() as stack:
        wrong = choose(trainer, stage, rows, precision, stack)
    assert not wrong.prefix_shared
    assert wrong.prefix_difference > 0.05
    assert wrong.own_head
    assert trainer.data_collator.share is False
    assert trainer.model.get_base_model().config._attn_implementation == "sdpa"
    assert any("기울기" in record.getMessage() for record in caplog.records)


def test_the_recipe_can_switch_sharing_off(trainer):
    stage = decide_recipe("x").stages[0].model_copy(update={"share_prefix": False})
    rows = [trainer.train_dataset[i] for i in range(4)]
    with ExitStack() as stack:
        found = choose(trainer, stage, rows, Precision("fp32", "train.precision.asked", {}, None), stack)
    assert (found.prefix_shared, found.prefix_difference, found.own_head) == (False, None, True)


def test_token_weights_have_mean_one_and_raise_the_label():
    weights = token_weights([1, 2, 9, 8, 3], [[9, 8], [7]], label_weight=4.0)
    assert sum(weights) == pytest.approx(5)
    assert weights[2] == weights[3] == pytest.approx(4 * weights[0])
    assert token_weights([1, 2], [[9]], 4.0) == [1.0, 1.0]


def test_sampler_sees_every_row_once_in_batches_of_like_length():
    lengths = [(7 * i) % 50 + 1 for i in range(103)]
    sampler = LengthWindowSampler(lengths, step_size=4, seed=3)
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
