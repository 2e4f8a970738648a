"""Two processes with half the rows each learn what one process learns."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from multiprocessing import set_forkserver_preload
from pathlib import Path

import pytest
import torch
from torch import multiprocessing
from torch.distributed import is_gloo_available

pytestmark = pytest.mark.skipif(not is_gloo_available(), reason="torch without gloo")

NUM_ROWS, EPOCHS = 24, 2


def learn(rank: int, world_size: int, port: int, base: str, folder: str) -> None:
    """The stage that dadeum would run, as this rank of `world_size`; every rank leaves its weights and its rows."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}
    if world_size > 1:
        torch.distributed.init_process_group("gloo", rank=rank, world_size=world_size, timeout=timedelta(seconds=60))
    from transformers import set_seed

    from dadeum.core.recipe import Recipe
    from dadeum.models.load import load_tokenizer
    from dadeum.models.tree_attention import trees
    from dadeum.training.methods.sft import build
    from dadeum.training.work import trainable_model
    from tests.tiny import decide_recipe, work_on

    torch.set_num_threads(1)
    stage = {"name": "sft", "method": "sft", "epochs": EPOCHS, "batch_size": 8 // world_size, "learning_rate": 1e-2}
    recipe: Recipe = decide_recipe(base, stages=[stage | {"tokens_per_pass": 60, "optim": "sgd"}])
    set_seed(recipe.seed)
    work = work_on(recipe, Path(folder) / f"stage-{world_size}")
    trainer = build(work, trainable_model(work), load_tokenizer(recipe.model), rows(), [])
    trainer.data_collator.share = True
    seen, passes = [], []
    cut = trainer.data_collator.__class__.__call__

    def watch(self, batch):
        out = cut(self, batch)
        seen.append(sorted(one["input_ids"][1] for one in batch))
        passes.append(len(out["passes"]))
        return out

    trainer.data_collator.__class__.__call__ = watch
    with trees(trainer.model):
        trainer.train()
    weights = {name: value.detach() for name, value in trainer.model.named_parameters() if value.requires_grad}
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    torch.save((weights, seen, passes, losses), Path(folder) / f"{world_size}-{rank}.pt")
    if world_size > 1:
        torch.distributed.destroy_process_group()


def rows():
    """Answers of one to five tokens, so that ranks have unlike numbers of them; the second token names the row."""
    random = torch.Generator().manual_seed(0)
    common = torch.randint(10, 400, (20,), generator=random).tolist()
    made = []
    for number in range(NUM_ROWS):
        prompt = [5, 10 + number, *common, *torch.randint(10, 400, (1 + number % 7,), generator=random).tolist()]
        answer = torch.randint(10, 400, (1 + number % 5,), generator=random).tolist()
        labels = [-100] * len(prompt) + answer
        made.append(
            {"input_ids": prompt + answer, "labels": labels, "weights": [0.0] * len(prompt) + [1.0] * len(answer)}
        )
    return made


@pytest.fixture(scope="module")
def learned(tiny_llama, tmp_path_factory):
    """{(world size, rank): (weights, rows of each step, passes of each step, losses)}."""
    folder = tmp_path_factory.mktemp("ddp")
    # One process loads the libraries, the three ranks are forks of it: ten seconds less for each.
    set_forkserver_preload(["dadeum.training.train", "dadeum.training.methods.sft"])
    for world_size in (1, 2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = (world_size, port, str(tiny_llama), str(folder))
        multiprocessing.start_processes(learn, args=arguments, nprocs=world_size, start_method="forkserver")
    return {(size, rank): torch.load(folder / f"{size}-{rank}.pt") for size, rank in ((1, 0), (2, 0), (2, 1))}


def test_two_ranks_learn_what_one_learns(learned):
    alone = learned[1, 0]
    for rank in (0, 1):
        weights, _, passes, losses = learned[2, rank]
        assert max(passes) > 1
        assert losses == pytest.approx(alone[3], rel=1e-4)
        moved = sum(float(value.norm()) for name, value in weights.items() if "lora_B" in name)
        assert moved > 1e-3
        for name, value in weights.items():
            assert float((value - alone[0][name]).norm()) <= 1e-4 * float(value.norm()) + 1e-7, name


def test_ranks_of_one_step_have_the_rows_of_one_batch_and_see_every_row_once(learned):
    both = [sorted(a + b) for a, b in zip(learned[2, 0][1], learned[2, 1][1], strict=True)]
    assert both == learned[1, 0][1]
    per_epoch = NUM_ROWS // 8
    for epoch in range(EPOCHS):
        steps = both[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(row for step in steps for row in step) == list(range(10, 10 + NUM_ROWS))
    assert both[:per_epoch] != both[per_epoch:]
