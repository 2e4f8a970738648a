"""trl's RLOO and GRPO on our prompts: the token ids of our renderer, our stop tokens, our rewards, our reference.

trl would render and tokenise prompts itself, and find the end of an answer by the model's settings: both may differ
from what the model was taught with. Everything else is trl's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOTrainer, RLOOTrainer
from trl.trainer.utils import RepeatSampler

from dadeum.core.examples import Example
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer, loss_on
from dadeum.training.arguments import base_arguments
from dadeum.training.online import Decoder, Probe, Prompts, prompts_per_step, read_prompts
from dadeum.training.reference import frozen, policy_saver, without_dropout
from dadeum.training.rewards.base import rated
from dadeum.training.work import Ready, Told, Work, enough_memory, trainable_model


class _EpochSampler(RepeatSampler):
    """trl's order forgets on resuming how many epochs there were; here it is a function of seed and epoch alone."""

    def set_epoch(self, epoch: int) -> None:
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)


class _OurPrompts:
    """A prompt of the data set is the row's place in the split, as text; here it becomes the row's token ids."""

    prompt_ids: list[list[int]]
    tokens_computed = 0

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.prompt_ids[int(place)] for place in prompts], None, {}

    def _get_train_sampler(self, dataset: Any = None) -> _EpochSampler:
        sampler = super()._get_train_sampler(dataset)  # type: ignore[misc]
        names = ("data_source", "mini_repeat_count", "batch_size", "repeat_count", "shuffle", "seed")
        return _EpochSampler(**{name: getattr(sampler, name) for name in names})

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        found = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        # Writing, the policy's view, the reference's, and the update.
        self.tokens_computed += 4 * (found["prompt_ids"].numel() + found["completion_ids"].numel())
        return found


class RlooTrainer(_OurPrompts, RLOOTrainer):
    """RLOOTrainer on token ids."""


class GrpoTrainer(_OurPrompts, GRPOTrainer):
    """GRPOTrainer on token ids."""


@contextmanager
def ready_with(work: Work, kind: type, config: type) -> Iterator[Ready]:
    """The stage with trl's trainer `kind` and its settings `config`."""
    recipe = work.recipe
    tokenizer = load_tokenizer(recipe.model)
    renderer = Renderer(tokenizer, recipe.render, loss_on(recipe))
    prompts = read_prompts(work, renderer)
    probe = Probe(work, renderer, prompts.max_new_tokens)
    with enough_memory(work.stage):
        model = trainable_model(work)
        probe.look(model, "before")
        trainer = build(kind, config, work, model, renderer, prompts)

    def told() -> Told:
        probe.look(trainer.model, "after")
        together = prompts_per_step(work.stage)
        choices = {
            "prompts_per_step": together,
            "max_new_tokens": prompts.max_new_tokens,
            # trl fills every step: what is left of a shuffled epoch is not asked in it.
            "prompts_left_out_per_epoch": len(prompts.rows) % together,
        }
        figures = probe.told(trainer.state.log_history)
        return Told(trainer.state.num_input_tokens_seen, trainer.tokens_computed, choices, figures)

    yield Ready(trainer, tokenizer, len(prompts.rows), told, policy_saver(trainer))


def build(kind: type, config: type, work: Work, model: Any, renderer: Renderer, prompts: Prompts) -> Any:
    """The trainer, its reference taken from `model` as it is now."""
    stage, decode = work.stage, Decoder(renderer)
    # An epoch answers every prompt of its full steps `generations` times.
    full = len(prompts.rows) // prompts_per_step(stage) * prompts_per_step(stage)
    settings = base_arguments(work, full * stage.generations, has_validation=False) | {
        "num_generations": stage.generations,
        "max_completion_length": prompts.max_new_tokens,
        "temperature": stage.temperature,
        "beta": stage.beta,
        "epsilon": stage.clip,
        "reward_weights": list(stage.rewards.values()),
        "disable_dropout": True,
    }
    args = config(**(settings | stage.trainer_args))
    has_adapter = hasattr(model, "peft_config")
    beta, reference = args.beta, None
    if beta and not has_adapter:
        # trl would read it from the model's name: without revision, and not what an earlier stage left in memory.
        args.beta, reference = 0.0, frozen(model)
        without_dropout(reference)
    with _stopping_at(model, renderer.stop_ids):
        trainer = kind(
            model=model,
            reward_funcs=[reward_function(work, name, prompts.rows, decode) for name in stage.rewards],
            args=args,
            train_dataset=_data(len(prompts.rows)),
            processing_class=renderer.tokenizer,
        )
    trainer.prompt_ids = prompts.ids
    if reference is not None:
        _use(trainer, reference, beta)
    for parameter in trainer.model.parameters():
        # trl puts the adapter of a quantised base in bf16, where small updates are lost; ours stay fp32.
        if parameter.requires_grad and parameter.dtype is not torch.float32:
            parameter.data = parameter.data.float()
    return trainer


def _data(count: int) -> Dataset:
    return Dataset.from_list([{"prompt": str(place), "place": place} for place in range(count)])


def _use(trainer: Any, reference: Any, beta: float) -> None:
    """What trl does with a reference that it has read itself."""
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(reference, temperature=trainer.temperature)
    trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
    trainer.args.beta = trainer.beta = beta


@contextmanager
def _stopping_at(model: Any, stop_ids: tuple[int, ...]) -> Iterator[None]:
    """trl asks the model's settings where answers end, once; they are put back, because they are saved."""
    settings = model.generation_config
    own = (settings.eos_token_id, settings.pad_token_id)
    settings.eos_token_id = list(stop_ids)
    try:
        yield
    finally:
        settings.eos_token_id, settings.pad_token_id = own


def reward_function(work: Work, name: str, rows: list[Example], decode: Decoder) -> Callable[..., list[float]]:
    """A reward as trl calls it; it is logged under its name."""

    def rate(completion_ids: list[list[int]], place: list[int], **_: Any) -> list[float]:
        answers = [decode(ids) for ids in completion_ids]
        return [float(value) for value in rated(work, name, [rows[one] for one in place], answers)]

    rate.__name__ = name
    return rate
