"""Pairs that share prompts give what unshared rows give, and what trl's own trainers give."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional

from dadeum.models.tree_attention import trees
from dadeum.training.pairs import dpo_loss, last_hidden, pair_log_probs, pair_rows, reward_loss, tokens_saved
from dadeum.training.prefix import relative_difference

SIZES = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "initializer_range": 0.2, "pad_token_id": 0, "vocab_size": 420,
}  # fmt: skip


def pairs():
    """Three pairs under one instruction, one of them twice, and one alone; answers begin alike or are one token."""
    random = torch.Generator().manual_seed(0)

    def tokens(count):
        return torch.randint(3, 400, (count,), generator=random).tolist()

    system, mail = tokens(40), tokens(15)
    return [
        {"prompt_ids": system + mail, "chosen_ids": [7, 8, *tokens(3)], "rejected_ids": [7, 8, *tokens(6)]},
        {"prompt_ids": system + tokens(9), "chosen_ids": tokens(1), "rejected_ids": tokens(2)},
        {"prompt_ids": system + mail, "chosen_ids": tokens(4), "rejected_ids": tokens(1)},
        {"prompt_ids": tokens(12), "chosen_ids": tokens(12), "rejected_ids": tokens(10)},
    ]


def causal(family="Llama"):
    import transformers

    torch.manual_seed(3)
    name = {"Llama": "Llama", "Gemma3": "Gemma3Text"}[family]
    extra = {} if family == "Llama" else {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 20}
    config = getattr(transformers, f"{name}Config")(**SIZES, **extra)
    model = getattr(transformers, f"{family}ForCausalLM")._from_config(config, attn_implementation="eager")
    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(model, lora).eval()


def classifier():
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(4)
    config = LlamaConfig(**SIZES, num_labels=1)
    return LlamaForSequenceClassification._from_config(config, attn_implementation="eager").eval()


def gradient(loss, model):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, trained, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)]


def alone(model, prompt, answer):
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    return -functional.cross_entropy(logits, torch.tensor(answer), reduction="sum")


def unshared(model, wanted):
    return [
        torch.stack([alone(model, pair["prompt_ids"], pair[answer]) for pair in wanted])
        for answer in ("chosen_ids", "rejected_ids")
    ]


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("family", ["Llama", "Gemma3"])
def test_dpo_equals_rows_one_by_one(family, checkpointed):
    model, wanted = causal(family), pairs()
    with torch.no_grad(), model.disable_adapter():
        reference = unshared(model, wanted)
    policy = unshared(model, wanted)
    loss = dpo_loss(tuple(policy), tuple(reference), beta=0.3)
    expected = gradient(loss, model)
    if checkpointed:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
    rows = pair_rows(wanted)
    with trees(model):
        with torch.no_grad(), model.disable_adapter():
            shared_reference = pair_log_probs(model, rows)
        shared = pair_log_probs(model, rows)
        shared_loss = dpo_loss(shared, shared_reference, beta=0.3)
        found = gradient(shared_loss, model)
    for one, other in zip([*shared, *shared_reference], [*policy, *reference], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shared_loss, loss, rtol=1e-5, atol=1e-6)
    assert relative_difference(expected, found) < 1e-4


def test_last_hidden_and_reward_equal_rows_one_by_one():
    model = classifier()
    wanted = pairs()
    rows = [pair["prompt_ids"] + pair[answer] for answer in ("chosen_ids", "rejected_ids") for pair in wanted]
    rows += [rows[0], rows[0][:-1]]  # twice the same, and one that another goes on from
    expected = torch.cat([model(input_ids=torch.tensor([row])).logits for row in rows])
    with trees(model):
        found = model.score(last_hidden(model, rows))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        weights = torch.arange(1.0, len(rows) + 1).unsqueeze(1)
        ours = gradient((found * weights).sum(), model)
    assert relative_difference(gradient((expected * weights).sum(), model), ours) < 1e-4


def test_tokens_saved_counts_padding_and_repeated_prompts():
    rows = [row["input_ids"] for row in pair_rows(pairs())]
    assert tokens_saved(rows) > 2.5
    assert tokens_saved([[1, 2, 3]]) == 1


def arguments(config_class, folder, **changes):
    return config_class(
        str(folder), use_cpu=True, bf16=False, report_to="none", per_device_train_batch_size=4, max_length=None,
        disable_tqdm=True, activation_checkpointing=False, **changes,
    )  # fmt: skip


def test_dpo_loss_equals_that_of_trl(tiny_llama, tmp_path):
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    wanted = pairs()
    trainer = DPOTrainer(
        causal(),
        args=arguments(DPOConfig, tmp_path, beta=0.3),
        train_dataset=Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}]),
        processing_class=AutoTokenizer.from_pretrained(tiny_llama),
    )
    model = trainer.model.eval()  # trl keeps a copy of the adapter as the reference
    with trees(model), torch.no_grad():
        reference = pair_log_probs(model, pair_rows(wanted))
    torch.manual_seed(5)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    with trees(model):
        found = dpo_loss(pair_log_probs(model, pair_rows(wanted)), reference, beta=0.3)
        ours = gradient(found, model)
    loss = trainer.compute_loss(model, trainer.data_collator(wanted))
    assert abs(loss.item() - 0.6931) > 0.01
    torch.testing.assert_close(found, loss, rtol=1e-5, atol=1e-6)
    assert relative_difference(gradient(loss, model), ours) < 1e-4


def test_reward_loss_equals_that_of_trl(tiny_llama, tmp_path):
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    model, wanted = classifier(), pairs()
    both = [{answer: pair["prompt_ids"] + pair[answer] for answer in ("chosen_ids", "rejected_ids")} for pair in wanted]
    rows = [one[answer] for answer in ("chosen_ids", "rejected_ids") for one in both]
    with trees(model):
        chosen, rejected = model.score(last_hidden(model, rows)).squeeze(-1).chunk(2)
        found = reward_loss(chosen, rejected)
        ours = gradient(found, model)
    trainer = RewardTrainer(model, args=arguments(RewardConfig, tmp_path), train_dataset=Dataset.from_list(both),
                            processing_class=AutoTokenizer.from_pretrained(tiny_llama))  # fmt: skip
    model.eval()
    loss = trainer.compute_loss(model, trainer.data_collator(both))
    torch.testing.assert_close(found, loss, rtol=1e-5, atol=1e-6)
    assert relative_difference(gradient(loss, model), ours) < 1e-4
