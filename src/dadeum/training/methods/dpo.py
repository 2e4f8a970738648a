"""Direct preference optimization: trl's DPOTrainer, pairs packed, the reference where the stage begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dadeum.core.stats import bootstrap
from dadeum.models.load import load_tokenizer
from dadeum.models.memory import fenced
from dadeum.models.render import Renderer, loss_on
from dadeum.training.arguments import base_arguments
from dadeum.training.preferences.build import build_pairs
from dadeum.training.preferences.kept import Preference
from dadeum.training.stopping import stopping
from dadeum.training.work import Ready, Told, Work, enough_memory, trainable_model

CONFIG = ("trl", "DPOConfig")

Pairs = list[dict[str, Any]]
_MEASURED = 256
"""Pairs on which before and after are compared, at most."""


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError where no pair is left, ModelError for what this machine cannot hold."""
    from datasets import Dataset
    from transformers import set_seed

    from dadeum.training.preferences.dpo_trainer import OTHER_LOSSES, with_reference
    from dadeum.training.preferences.packed import choose

    stage, run = work.stage, work.run
    made = build_pairs(work)
    set_seed(work.recipe.seed)  # a new adapter begins the same, whether pairs were sampled just now or before
    tokenizer = load_tokenizer(work.recipe.model)
    renderer = Renderer(tokenizer, work.recipe.render, loss_on(work.recipe))
    parts = {"train": encode(renderer, made.train), "validation": encode(renderer, made.validation)}
    with ExitStack() as stack:
        stack.enter_context(fenced())
        with enough_memory(stage):
            trainer = build(work, tokenizer, parts)
            tried = sorted(parts["train"], key=lambda pair: -sum(map(len, pair.values())))[:2]
            trainer.precompute_ref_logps = True
            # One nat away from the reference, so that the whole formula shows and not its middle only.
            tried = with_reference(tried, trainer.log_probs(tried) - [1.0, 0.0])
            choices = choose(trainer, tried, [name for name in OTHER_LOSSES if name in stage.trainer_args], stack)
            referred = trainer.refer(work.folder, parts)
        trainer.train_dataset = Dataset.from_list(referred["train"])
        if referred["validation"]:
            trainer.eval_dataset = Dataset.from_list(referred["validation"])
        run.event("stage_computed", stage=stage.name, **choices)

        def told() -> Told:
            measured = figures(trainer, (referred["validation"] or referred["train"])[:_MEASURED], work)
            counts = {f"pairs_{name}": float(number) for name, number in made.counts.items()}
            return Told(trainer.num_tokens, trainer.tokens_computed, choices, counts | measured)

        yield Ready(trainer, tokenizer, len(parts["train"]), told)


def encode(renderer: Renderer, pairs: list[Preference]) -> Pairs:
    """Token ids as trl names them; both answers with what ends them."""
    return [
        {
            "prompt_ids": renderer.prompt_ids(pair.prompt),
            "chosen_ids": renderer.answer_ids(pair.chosen),
            "rejected_ids": renderer.answer_ids(pair.rejected),
        }
        for pair in pairs
    ]


def build(work: Work, tokenizer: Any, parts: dict[str, Pairs]) -> Any:
    """The trainer; its pairs still lack the reference's log probabilities."""
    from datasets import Dataset
    from trl import DPOConfig

    from dadeum.training.preferences.dpo_trainer import PairTrainer

    stage, validation = work.stage, parts["validation"]
    model = trainable_model(work)
    ours = base_arguments(work, len(parts["train"]), bool(validation)) | {
        "beta": stage.beta,
        "max_length": None,
        # For an adapter trl keeps a copy of it, for a whole model it would load a second one.
        "precompute_ref_log_probs": not hasattr(model, "peft_config"),
    }
    return PairTrainer(
        work,
        model=model,
        args=DPOConfig(**(ours | stage.trainer_args)),
        train_dataset=Dataset.from_list(parts["train"]),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tokenizer,
        callbacks=stopping(stage, bool(validation)),
    )


def figures(trainer: Any, pairs: Pairs, work: Work) -> dict[str, float]:
    """Log probabilities before and after, how often chosen is likelier, and the margin β·(log ratios), with interval.

    On held-out pairs, or on those that were learnt where there are none.
    """
    import numpy as np

    before = np.array([[pair["ref_chosen_logps"], pair["ref_rejected_logps"]] for pair in pairs])
    after = trainer.log_probs(pairs)
    margin = work.stage.beta * ((after - before)[:, 0] - (after - before)[:, 1])
    won = margin > 0
    samples = work.recipe.evaluate.bootstrap_samples
    accuracy = bootstrap(lambda rows: float(won[rows].mean()), len(won), work.recipe.seed, samples)
    found = {
        "measured_pairs": len(pairs),
        "chosen_log_prob_before": before[:, 0].mean(), "chosen_log_prob": after[:, 0].mean(),
        "rejected_log_prob_before": before[:, 1].mean(), "rejected_log_prob": after[:, 1].mean(),
        "chosen_likelier_before": (before[:, 0] > before[:, 1]).mean(),
        "chosen_likelier": (after[:, 0] > after[:, 1]).mean(),
        "margin": margin.mean(),
        "accuracy": accuracy.value, "accuracy_low": accuracy.low, "accuracy_high": accuracy.high,
    }  # fmt: skip
    return {name: round(float(value), 6) for name, value in found.items()}
