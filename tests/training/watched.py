"""Chats with a tiny model that answers them well already, as a stage that may be watched."""

from __future__ import annotations

import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file

from dadeum.core.examples import SPLITS, Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.training.train import train
from dadeum.training.watch import STATE
from tests.starts.conftest import PROMPTS
from tests.tiny import decide_recipe

WATCH = {"every": 4, "prompts": 21, "answers": 8, "max_new_tokens": 20}


def chat_recipe(base, watch=None, adapter="none", **changes) -> Recipe:
    stage = {"name": "sft", "method": "sft", "epochs": 4, "batch_size": 7, "learning_rate": 2e-3, "watch": watch}
    lora = {"type": "lora", "r": 4, "alpha": 8, "dropout": 0.2}
    model = {"base": str(base), "adapter": lora if adapter == "lora" else {"type": "none"}, "precision": "fp32"}
    return decide_recipe(base, task={"type": "chat"}, model=model, stages=[stage | changes])


def chats(answers, split):
    rows = []
    for number, (question, answer) in enumerate(zip(PROMPTS, answers, strict=True)):
        prompt, told = [{"role": "user", "content": question}], [{"role": "assistant", "content": answer}]
        rows.append(Example(f"{split}:{number}", "chat", "chat", f"{split}{number}", question, prompt, told, ""))
    return rows


def new_run(recipe, folder, answers, validation=True) -> Run:
    run = Run.create(recipe, folder)
    for split in SPLITS:
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(chats(answers, split) if validation or split == "train" else []), run.split_path(split))
    return run


def learn(recipe, folder, answers, **kept):
    run = new_run(recipe, folder, answers, **kept)
    return run, train(recipe, run)["sft"]


def looks(run: Run) -> list[dict]:
    return [row for row in read_jsonl(run.metrics_path) if STATE in row]


def events(run: Run, kind: str) -> list[dict]:
    return [row for row in read_jsonl(run.folder / "events.jsonl") if row["event"] == kind]


def weights(run: Run, recipe: Recipe) -> dict[str, torch.Tensor]:
    folder = run.adapter_folder(recipe)
    return load_file(next(folder.glob("*model.safetensors")))


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(tensor, b[name]) for name, tensor in a.items())
