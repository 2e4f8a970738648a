"""Tiny real models and tokenizers built on the spot: random weights, real architecture, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + CHAT_TEMPLATE
)
_TEXTS = [
    '{"action": "BLOCK"}',
    '{"action": "ALLOW"}',
    '{"subject": "(광고) 무료 당첨 안내", "attachments": []}',
    '{"subject": "회의 일정 안내드립니다", "attachments": ["회의록.docx"]}',
    "Is this mail spam? Answer BLOCK or ALLOW as JSON. system user assistant",
    "### Instruction:\n### Input:\n### Response:\n",
]


def save_tokenizer(folder: Path, template: str | None = CHAT_TEMPLATE) -> Any:
    """Byte-level BPE with ChatML control tokens, trained on a handful of lines."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_TEXTS * 3, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|im_start|>"
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def save_llama(folder: Path, template: str | None = CHAT_TEMPLATE, seed: int = 0) -> Path:
    """A two-layer Llama with a tokenizer, loadable with from_pretrained(folder)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = save_tokenizer(folder, template)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder


def decide_recipe(base: Path | str, **changes: Any) -> Any:
    """A small recipe for the `decide` task; `changes` replace whole sections."""
    from dadeum.core.recipe import Recipe

    raw: dict[str, Any] = {
        "name": "tiny",
        "task": {
            "type": "decide",
            "instruction": "Is this mail spam? Answer BLOCK or ALLOW as JSON.",
            "labels": ["BLOCK", "ALLOW"],
            "input_fields": ["subject"],
        },
        "model": {"base": str(base), "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"},
        "data": {"sources": [{"path": "unused.csv"}]},
        "render": {"max_length_tokens": 256},
        "stages": [{"name": "sft", "method": "sft", "epochs": 2, "batch_size": 4, "learning_rate": 5e-3}],
        "evaluate": {"bootstrap_samples": 100, "generate_rows": 4, "batch_size": 4},
    }
    return Recipe.model_validate(raw | changes)


def example(number: int, label: str, subject: str | None = None) -> Any:
    """One row of a two-word world: 당첨 is BLOCK, 회의 is ALLOW."""
    from dadeum.core.examples import Example
    from dadeum.tasks import decide

    subject = subject or (f"무료 당첨 {number}" if label == "BLOCK" else f"회의 일정 {number}")
    task = decide_recipe("x").task
    fields = {"subject": subject}
    return Example(
        id=f"mail:{number}",
        source="mail",
        origin="mail",
        group=str(number),
        text=subject,
        prompt=decide.prompt(task, fields),
        completion=decide.completion(task, label),
        label=label,
    )


def write_splits(run: Any, sizes: tuple[int, int, int] = (16, 8, 8)) -> None:
    """train, validation and test parquet files of alternating labels."""
    import pyarrow.parquet as pq

    from dadeum.core.examples import SPLITS, to_table

    number = 0
    for split, size in zip(SPLITS, sizes, strict=True):
        rows = [example(i, ("BLOCK", "ALLOW")[i % 2]) for i in range(number, number + size)]
        number += size
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(rows), run.split_path(split))


def work_on(recipe: Any, folder: Path, stage: int = 0, **fields: Any) -> Any:
    """What a training method is given, in fp32, outside the spine; `folder` serves as the stage's."""
    from dadeum.core.progress import silent
    from dadeum.core.run import Run
    from dadeum.models.precision import Precision
    from dadeum.training.work import Work

    given = {"run": Run(folder.parent / "run"), "before": None, "reward_model": None, "progress": silent} | fields
    precision = Precision("fp32", "train.precision.asked", {}, None)
    return Work(recipe=recipe, stage=recipe.stages[stage], folder=folder, precision=precision, **given)


def evaluated_decider(root: Path) -> Any:
    """A run of full weights that was evaluated: nothing has to be trained before it can be served."""
    from dadeum.core.run import Run
    from dadeum.evaluation.decide.evaluate import evaluate

    recipe = decide_recipe(
        save_llama(root / "base"), model={"base": str(root / "base"), "adapter": {"type": "none"}, "precision": "fp32"},
        evaluate={"bootstrap_samples": 100, "generate_rows": 0, "batch_size": 4, "baselines": []},
    )  # fmt: skip
    made = Run.create(recipe, root / "run")
    write_splits(made)
    save_llama(made.adapter_folder(recipe), seed=1)
    evaluate(recipe, made)
    return made
