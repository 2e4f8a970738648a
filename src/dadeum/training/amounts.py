"""What a stage on pairs or on rewards makes of the training rows: steps, tokens, work, and what memory depends on.

Where answers are yet to be written they are counted as long as they may get, and the notes say so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, answer_of
from dadeum.core.messages import text
from dadeum.core.model import NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.stages import Online, OnPairs, Ppo
from dadeum.models.render import Fitted, Renderer
from dadeum.training.arguments import steps_per_epoch
from dadeum.training.memory import Passes
from dadeum.training.memory_methods import Answers, Pair, PreferencePairs, Writing
from dadeum.training.online import prompts_per_step
from dadeum.training.preferences.build import sift, split
from dadeum.training.preferences.judged import pairs_of_file
from dadeum.training.preferences.kept import Found
from dadeum.training.preferences.prompts import Prompts
from dadeum.training.preferences.sampled import chosen_rows

Splits = Mapping[str, Sequence[Fitted]]
_FILLER = 1
"""Token id that stands for one that nobody has written yet."""


@dataclass(frozen=True)
class Amount:
    """Of all epochs of a stage."""

    steps: int
    tokens: int
    """Prompt and answer tokens that are learnt from, as often as they are."""
    computed: float
    """Tokens that go forward and back through the model; what goes forward only counts by its share."""
    rows: Passes
    notes: list[str] = field(default_factory=list)


def amount(recipe: Recipe, stage: OnPairs | Online, splits: Splits, renderer: Renderer) -> Amount:
    """DataError where a file of pairs cannot be used, or too few rows fill a step."""
    if isinstance(stage, OnPairs):
        return _of_pairs(recipe, stage, splits, renderer)
    return _of_answers(recipe, stage, splits, renderer)


def forward_share(recipe: Recipe) -> float:
    """FLOPs of a forward pass ÷ of forward and back: 2 of 4 for frozen weights, 2 of 6 for trained ones."""
    return 1 / 3 if isinstance(recipe.model.adapter, NoAdapter) else 1 / 2


# -- pairs ------------------------------------------------------------------------------------------
def _of_pairs(recipe: Recipe, stage: OnPairs, splits: Splits, renderer: Renderer) -> Amount:
    pairs, held_out, notes = _filed(recipe, stage, splits, renderer)
    writing = None
    if stage.pairs.sampled:
        rows = chosen_rows([row for row in _examples(splits, "train") if answer_of(row)], stage.pairs.rows, recipe.seed)
        sampled, writing = _sampled(recipe, stage, rows, renderer)
        # Whole groups are held out until the share is reached, so that this is the most that may be left.
        held = min(round(recipe.data.split.validation * len(sampled)), len(sampled) - 1)
        pairs, held_out = pairs + sampled[: len(sampled) - held], held_out + held
        notes.append(
            text("plan.methods.sampled", stage=stage.name, pairs=len(sampled), answers=len(rows) * stage.pairs.sampled,
                 tokens=writing.answer)
        )  # fmt: skip
    if not pairs:
        raise DataError("plan.methods.no_pairs", stage=stage.name, path=stage.pairs.path or "-")
    once = sum(len(pair["prompt_ids"]) for pair in pairs)
    answers = sum(len(pair[name]) for pair in pairs for name in ("chosen_ids", "rejected_ids"))
    reference = 0.0
    if stage.method == "dpo":
        reference = (once + answers) * (1 + held_out / len(pairs)) * forward_share(recipe)
    return Amount(
        steps=math.ceil(steps_per_epoch(len(pairs), stage) * stage.epochs),
        tokens=int((2 * once + answers) * stage.epochs),
        computed=(once + answers) * stage.epochs + reference,
        rows=PreferencePairs(pairs, writing),
        notes=notes,
    )


def _filed(recipe: Recipe, stage: OnPairs, splits: Splits, renderer: Renderer) -> tuple[list[Pair], int, list[str]]:
    """(pairs to learn, number of held-out ones, what to say) of the stage's file, by the reader of the run."""
    if not stage.pairs.path or not Path(stage.pairs.path).is_file():  # a missing one is among the recipe's problems
        return [], 0, []
    held_out = [row for name in ("validation", "test") for row in _examples(splits, name)]
    prompts = Prompts.of_rows(recipe, _examples(splits, "train"), held_out)
    found: Found = pairs_of_file(Path(stage.pairs.path), prompts)
    usable, left_out = sift(found, stage, renderer)
    train, validation = split(usable, recipe.data.split.validation, recipe.seed)
    reasons = Counter(text(f"train.preferences.reason.{one.reason}") for one in left_out)
    said = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    note = text("plan.methods.filed", stage=stage.name, train=len(train), validation=len(validation),
                left_out=len(left_out), reasons=f" ({said})" if said else "")  # fmt: skip
    made = [
        {
            "prompt_ids": renderer.prompt_ids(pair.prompt),
            "chosen_ids": renderer.answer_ids(pair.chosen),
            "rejected_ids": renderer.answer_ids(pair.rejected),
        }
        for pair in train
    ]
    return made, len(validation), [note]


def _sampled(recipe: Recipe, stage: OnPairs, rows: list[Example], renderer: Renderer) -> tuple[list[Pair], Writing]:
    """One pair a row at most, its written side as long as it may be (longer pairs are left out)."""
    taught = [renderer.answer_ids(answer_of(row)) for row in rows]
    longest = recipe.generation.max_new_tokens or max(map(len, taught), default=1)
    pairs: list[Pair] = []
    for row, answer in zip(rows, taught, strict=True):
        prompt = renderer.prompt_ids(row.prompt)
        written = [_FILLER] * max(1, min(longest, recipe.render.max_length_tokens - len(prompt)))
        chosen = answer if stage.pairs.better == "reference" else [*written[:-1], _FILLER + 1]
        pairs.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": written})
    prompts = max((len(pair["prompt_ids"]) for pair in pairs), default=1)
    return pairs, Writing(stage.batch_size, prompts, longest)


# -- answers that are rated -------------------------------------------------------------------------
def _of_answers(recipe: Recipe, stage: Online, splits: Splits, renderer: Renderer) -> Amount:
    rows, together = splits["train"], prompts_per_step(stage)
    is_ppo = isinstance(stage, Ppo)
    if len(rows) < (1 if is_ppo else together):
        raise DataError(
            "plan.methods.too_few_rows",
            stage=stage.name,
            rows=len(rows),
            needed=together,
            generations=stage.generations,
        )
    longest = stage.max_new_tokens or max(row.answer_tokens for row in rows)
    # trl leaves out what does not fill a step; ppo makes a smaller step of it.
    per_epoch = math.ceil(len(rows) / together) if is_ppo else len(rows) // together
    steps = math.ceil(per_epoch * stage.epochs)
    answers = min(steps * together, math.ceil(len(rows) * max(stage.epochs, steps / per_epoch))) * stage.generations
    tokens = answers * (sum(row.prompt_tokens for row in rows) / len(rows) + longest)
    forward = forward_share(recipe)
    if isinstance(stage, Ppo):  # its own view and the reference's, then the updates
        factor = stage.updates + 2 * forward
    else:
        factor = stage.trainer_args.get("num_iterations", 1) + (forward if stage.beta else 0)
    place = [one.name for one in recipe.stages].index(stage.name)
    earlier = any(before < place for before in recipe.policy_stages)
    goes_on = stage.start == "previous" and (earlier or recipe.model.start is not None)
    note = text("plan.methods.written", stage=stage.name, prompts=together, generations=stage.generations,
                answers=answers, tokens=longest)  # fmt: skip
    memory = Answers(max(row.prompt_tokens for row in rows), longest, goes_on)
    return Amount(steps, int(tokens), tokens * factor, memory, [note])


def _examples(splits: Splits, name: str) -> list[Example]:
    return [row.example for row in splits.get(name, ()) if row.example is not None]
