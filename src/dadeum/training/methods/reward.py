"""A reward model: trl's RewardTrainer on the policy's own layers, judged on pairs that it has not seen."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dadeum.core.stats import bootstrap
from dadeum.models.load import load_tokenizer
from dadeum.models.memory import fenced
from dadeum.models.render import Renderer, loss_on
from dadeum.training.arguments import base_arguments
from dadeum.training.preferences.build import build_pairs
from dadeum.training.preferences.kept import Preference
from dadeum.training.stopping import stopping
from dadeum.training.work import Ready, Told, Work, enough_memory

CONFIG = ("trl", "RewardConfig")

Pairs = list[dict[str, Any]]
_SCALED_BY = 256
"""Pairs whose rewards give the scale, at most."""


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError where no pair is left, ModelError for what makes no classifier or does not fit."""
    from transformers import set_seed

    from dadeum.training.preferences.classifier import write_scale
    from dadeum.training.preferences.packed import choose
    from dadeum.training.preferences.reward_trainer import OTHER_LOSSES

    stage, run = work.stage, work.run
    made = build_pairs(work)
    set_seed(work.recipe.seed)  # a new head begins the same, whether pairs were sampled just now or before
    tokenizer = load_tokenizer(work.recipe.model)
    renderer = Renderer(tokenizer, work.recipe.render, loss_on(work.recipe))
    train, validation = encode(renderer, made.train), encode(renderer, made.validation)
    with ExitStack() as stack:
        stack.enter_context(fenced())
        with enough_memory(stage):
            trainer = build(work, renderer, train, validation)
            choices = choose(trainer, train, [name for name in OTHER_LOSSES if name in stage.trainer_args], stack)
        run.event("stage_computed", stage=stage.name, **choices)

        def save(folder: Path) -> None:
            trainer.model.save_pretrained(str(folder))
            found = trainer.rewards(train[:_SCALED_BY])
            write_scale(folder, float(found.mean()), float(found.std()))

        def told() -> Told:
            counts = {f"pairs_{name}": float(number) for name, number in made.counts.items()}
            measured = figures(trainer.rewards(train[:_SCALED_BY]), trainer.rewards(validation), work)
            return Told(trainer.num_tokens, trainer.tokens_computed, choices, counts | measured)

        yield Ready(trainer, tokenizer, len(train), told, save)


def encode(renderer: Renderer, pairs: list[Preference]) -> Pairs:
    """Token ids as trl names them: each answer behind its prompt, with what ends it."""
    return [
        {
            name: renderer.prompt_ids(pair.prompt) + renderer.answer_ids(answer)
            for name, answer in (("chosen_ids", pair.chosen), ("rejected_ids", pair.rejected))
        }
        for pair in pairs
    ]


def build(work: Work, renderer: Renderer, train: Pairs, validation: Pairs) -> Any:
    """The trainer on the policy's layers with a new head."""
    from datasets import Dataset
    from trl import RewardConfig

    from dadeum.training.preferences.classifier import last_token_padding, trainable_reward_model
    from dadeum.training.preferences.reward_trainer import RewardPairTrainer

    stage, recipe = work.stage, work.recipe
    # trl reads the padding off the tokenizer; the one that is saved stays as it was.
    tokenizer = copy.deepcopy(renderer.tokenizer)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(last_token_padding(renderer))
    ours = base_arguments(work, len(train), bool(validation)) | {
        "max_length": None,
    }
    return RewardPairTrainer(
        work,
        model=trainable_reward_model(recipe, work.precision, work.before, stage.gradient_checkpointing),
        args=RewardConfig(**(ours | stage.trainer_args)),
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tokenizer,
        callbacks=stopping(stage, bool(validation)),
    )


def figures(seen: Any, unseen: Any, work: Work) -> dict[str, float]:
    """How often the better answer gets the higher reward: of pairs that were learnt, and of held-out ones."""
    found = {"accuracy_train": float((seen[:, 0] > seen[:, 1]).mean())}
    if len(unseen):
        won = unseen[:, 0] > unseen[:, 1]
        samples = work.recipe.evaluate.bootstrap_samples
        interval = bootstrap(lambda rows: float(won[rows].mean()), len(won), work.recipe.seed, samples)
        found |= {"accuracy": interval.value, "accuracy_low": interval.low, "accuracy_high": interval.high}
        found |= {"measured_pairs": float(len(won)), "margin": float((unseen[:, 0] - unseen[:, 1]).mean())}
    return {name: round(value, 6) for name, value in found.items()}
