"""The stages of a recipe: one training method each, chained. A stage begins with what the one before it trained.

`training/methods/<method>.py` does the work. What `trainer_args` gives is passed to that method's trainer unchanged.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dadeum.core.section import Section

Method = Literal["sft", "seq2seq", "dpo", "reward", "rloo", "grpo", "ppo", "contrastive"]


class EarlyStopping(Section):
    metric: str = "eval_loss"
    """Value that must fall: on the validation split, or `loss` for the training loss, which cannot see overfitting."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Evaluations (of `loss`: steps) without a new best before the stage stops. Kept is what validated best, if any."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """By how much a value must fall to count as a new best."""


class Watch(Section):
    """A look at how answers begin while the model learns (docs/guide/start-patterns.md)."""

    every: Annotated[int, Field(ge=1)] = 50
    """Optimizer steps between looks."""
    prompts: Annotated[int, Field(ge=1)] = 24
    """Questions, evenly over the validation rows; a chat with fewer is filled up with dadeum's own."""
    answers: Annotated[int, Field(ge=0)] = 8
    """Of these so many are answered; the others cost one forward pass."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 24
    """Tokens of such an answer."""
    stop: bool = False
    """End the stage when two looks in a row say collapsed; what is kept, and which checkpoint lies before, is said."""


class AnyStage(Section):
    """What every method has: how long, how fast, in what portions, and when to look."""

    name: str
    method: Method
    start: Literal["previous", "base"] = "previous"
    """Weights to begin with: what the stage before trained, or the untuned model."""
    epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """Peak rate of AdamW; 2e-4 suits LoRA, a tenth of it full tuning."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Rows that memory must hold at once, per device; a pass takes what fits into the room of so many longest rows."""
    accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Optimizer step = batch_size × accumulation_steps × devices rows, however many passes they take."""
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    warmup: Annotated[float, Field(ge=0)] = 0.03
    """Below 1 a share of all steps, from 1 on a number of steps."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third slower."""
    optim: str = "adamw_torch"
    """Any optimizer name of transformers, such as paged_adamw_32bit."""
    eval_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between validation losses; None is once per epoch."""
    save_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between checkpoints; None follows eval_steps."""
    save_total_limit: Annotated[int, Field(ge=1)] = 3
    """Checkpoints kept; the best one survives rotation."""
    early_stopping: EarlyStopping | None = None
    watch: Watch | None = None
    """Look at the beginnings of answers as training goes (sft, dpo, rloo, grpo, ppo of a decoder); None: do not."""
    trainer_args: dict[str, Any] = Field(default_factory=dict)
    """Passed to the settings of the method's trainer unchanged; names are checked before anything is loaded."""


class Supervised(AnyStage):
    """Cross-entropy on the answer and its end token."""

    instructions: tuple[str, ...] = ()
    """Ways to ask for the same (task `summarize`), the task's own instruction among them if wanted; none: only that."""
    augment: Literal["sample", "copy"] = "sample"
    """sample: each epoch asks each row in one of these ways, drawn with the seed. copy: every row in every way."""


class Sft(Supervised):
    """Supervised fine-tuning of a decoder."""

    method: Literal["sft"]
    tokens_per_pass: Annotated[int, Field(ge=1)] | None = None
    """Most tokens in one forward pass; None: batch_size × the longest row. Changes time and memory, not the result."""
    share_prefix: bool = True
    """Compute once what rows begin with in common. Proves itself on the first rows, or is left out with a warning."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the transformer layers; auto does it where a long training on a CPU earns the minute back."""
    label_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight in the loss of the answer tokens that differ between labels; 1 is plain cross-entropy."""


class Seq2Seq(Supervised):
    """Supervised fine-tuning of an encoder-decoder (KoBART, T5, mBART) with transformers' Seq2SeqTrainer."""

    method: Literal["seq2seq"]


class Pairs(Section):
    """Where pairs of a better and a worse answer come from: a file, the model itself, or both."""

    path: str | None = None
    """Pairs (chosen, rejected), rated answers or A/B votes, told apart by content; relative to the recipe."""
    sampled: Annotated[int, Field(ge=0)] = 0
    """Answers that the model of the stage before writes to every training row."""
    better: Literal["reference", "best"] = "reference"
    """Better side of a sampled pair: what a person wrote, or the best of the sampled answers. The worst one loses."""
    rows: Annotated[int, Field(ge=1)] | None = None
    """Training rows that are sampled for, drawn with the seed; None: all."""
    min_gap: Annotated[float, Field(ge=0)] = 0.05
    """Pairs whose ratings (0..1; ROUGE against the reference where sampled) are closer are left out and counted."""

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if self.path is None and self.sampled == 0:
            raise PydanticCustomError("pairs_from_nowhere", "pairs need a path, sampled answers, or both")
        if self.better == "best" and self.sampled == 1:
            raise PydanticCustomError("pairs_of_one", "the best of one answer is also the worst")
        return self


class OnPairs(AnyStage):
    pairs: Pairs


class Dpo(OnPairs):
    """Direct preference optimization (https://arxiv.org/abs/2305.18290); the reference is where the stage begins."""

    method: Literal["dpo"]
    beta: Annotated[float, Field(gt=0)] = 0.1
    """Strength of the pull towards the reference."""


class Reward(OnPairs):
    """A reward model (Bradley-Terry) for later stages; the model itself stays as it was."""

    method: Literal["reward"]


class Online(AnyStage):
    """The model answers, rewards rate it, and it learns from that."""

    rewards: Annotated[dict[str, float], Field(min_length=1)]
    """file in training/rewards: weight. `model` is the reward model of the last `reward` stage before."""
    generations: Annotated[int, Field(ge=1)] = 4
    """Answers per prompt that are compared with each other."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Of the answers that are rated."""
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longest answer that is rated; None: as long as the longest that was taught."""
    beta: Annotated[float, Field(ge=0)] = 0.05
    """Weight of the KL divergence from where the stage begins."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far a token's probability ratio may move in one round of updates (PPO's ε)."""


class Rloo(Online):
    """REINFORCE with the other answers as baseline (https://arxiv.org/abs/2402.14740)."""

    method: Literal["rloo"]


class Grpo(Online):
    """Group relative policy optimization (https://arxiv.org/abs/2402.03300)."""

    method: Literal["grpo"]


class Ppo(Online):
    """Proximal policy optimization (https://arxiv.org/abs/1707.06347) with a value head and GAE."""

    method: Literal["ppo"]
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Discount per token."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Bias against variance of the advantages (https://arxiv.org/abs/1506.02438)."""
    value_coefficient: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the value loss."""
    updates: Annotated[int, Field(ge=1)] = 4
    """Passes over each batch of answers."""


class Negatives(Section):
    """Chunks that look right and are not, beside those of the other questions of a batch."""

    by: tuple[Literal["words", "model"], ...] = ("words",)
    """Who finds them: BM25, the model as the stage begins, or both in turn."""
    number: Annotated[int, Field(ge=0)] = 1
    """Per question; 0: only the other chunks of the batch."""
    depth: Annotated[int, Field(ge=1)] = 50
    """They are taken from the so many best that are not gold."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Left out as probably right: chunks that the model finds within this share as similar as the gold, or more."""


class Contrastive(AnyStage):
    """Embedding training with sentence-transformers: questions near their chunks, far from others."""

    method: Literal["contrastive"]
    loss: Literal["mnr", "cosent", "cosine"] = "mnr"
    """mnr: the right chunk against all of the batch (https://arxiv.org/abs/1705.00652). cosent, cosine: pairs."""
    temperature: Annotated[float, Field(gt=0)] = 0.05
    """Cosines are divided by this before they are compared; the loss `cosine` has none."""
    negatives: Negatives = Negatives()
    matryoshka: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """The first so many dimensions are trained to work alone as well (https://arxiv.org/abs/2205.13147)."""


Stage = Annotated[Sft | Seq2Seq | Dpo | Reward | Rloo | Grpo | Ppo | Contrastive, Field(discriminator="method")]
