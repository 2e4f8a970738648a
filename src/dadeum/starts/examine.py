"""examine(model, weights, prompts): does it still begin its answers by what it was asked? One pass, few tokens.

The base model, asked the same, tells what tuning changed; the training answers tell whether it was taught that way.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dadeum.core.errors import DataError, RecipeError
from dadeum.core.examples import Turn
from dadeum.core.measured import Notice
from dadeum.core.model import Model
from dadeum.core.progress import Progress, counter, silent
from dadeum.core.recipe import Recipe
from dadeum.models.engines import Engine, load_engine
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from dadeum.models.writing import Written
from dadeum.starts.first_tokens import Distribution, divergence, first_tokens
from dadeum.starts.openings import NUM_SHOWN, drift, openings
from dadeum.starts.result import Openings, Side, Starts
from dadeum.starts.verdict import MIN_PROMPTS, MIN_TOLD, is_silent, judge

Prompt = list[Turn]
TAUGHT_ANSWERS = 500
"""Training answers that are read: Kiwi takes seconds for them, minutes for all of a large file."""
_SHOWN_CHARACTERS = 300
"""Of a question beside its answer."""


@dataclass(frozen=True)
class Limits:
    """How much is asked of each model."""

    answers: int = 64
    """Prompts that are answered, evenly over the list; the first token is looked at after all of them."""
    max_new_tokens: int = 24
    """Tokens of an answer. A tokenizer that knows little Hangul writes a syllable in three."""
    batch_size: int = 8


def examine(
    subject: Recipe | Model,
    weights: Path | None,
    prompts: Sequence[Prompt],
    base: bool = True,
    *,
    taught: Sequence[str] = (),
    limits: Limits = Limits(),
    progress: Progress = silent,
) -> Starts:
    """`weights` is what a stage trained, None the untuned model itself; a bare model section speaks by its template.

    Prompts end with a user turn and should be held out. `taught` are training answers: the cause, or the measure.
    """
    recipe = subject if isinstance(subject, Recipe) else _bare(subject)
    if recipe.task.type in ("decide", "retrieve"):
        raise RecipeError("starts.no_free_answers", task=recipe.task.type)
    distinct = each_once(prompts)
    tuned, ours = _side(recipe, weights, distinct, limits, progress, "tuned")
    compared = base and weights is not None
    untuned, theirs = _side(recipe, None, distinct, limits, progress, "base_model") if compared else (None, None)
    told = _notices(tuned, len(distinct), len(prompts), min(len(distinct), limits.answers))
    lessons = lessons_of(taught, recipe.seed)
    level_drift, reference = _drift(tuned.answers, lessons, untuned.answers if untuned else None)
    verdict, reasons = judge(tuned, lessons, level_drift if reference == "taught" else None)
    return Starts(
        verdict=verdict,
        reasons=reasons,
        num_prompts=len(distinct),
        max_new_tokens=limits.max_new_tokens,
        model=tuned,
        base=untuned,
        base_verdict=judge(untuned, None, None)[0] if untuned else None,
        taught=lessons,
        divergence=divergence(ours.mean, theirs.mean) if theirs else None,
        level_drift=level_drift,
        level_reference=reference,
        questions=[one[-1]["content"][:_SHOWN_CHARACTERS] for one in evenly(distinct, limits.answers)[:NUM_SHOWN]],
        notices=[*told, *_sampled(lessons, len(taught))],
    )


def _bare(model: Model) -> Recipe:
    """A model without a recipe, as a conversation with it."""
    return Recipe.model_validate(
        {
            "name": "starts",
            "task": {"type": "chat"},
            "model": model.model_dump(),
            "data": {"sources": [{"path": "none"}]},
            "stages": [{"name": "none", "method": "sft"}],
        }
    )


def each_once(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Each prompt once: the same question asked again says the same again."""
    if not prompts:
        raise DataError("starts.no_prompts")
    for number, prompt in enumerate(prompts, start=1):
        if not prompt or prompt[-1]["role"] != "user" or not prompt[-1]["content"].strip():
            raise DataError("starts.no_question", number=number)
    keys = [tuple((turn["role"], turn["content"]) for turn in prompt) for prompt in prompts]
    return list(dict(zip(keys, prompts, strict=True)).values())


def _side(
    recipe: Recipe, weights: Path | None, prompts: list[Prompt], limits: Limits, progress: Progress, who: str
) -> tuple[Side, Distribution]:
    """One model, loaded and freed again."""
    with closing(load_engine(recipe, weights)) as engine:
        if isinstance(engine, Seq2SeqEngine):
            raise RecipeError("starts.no_decoder", base=recipe.model.base)
        return look(engine, prompts, limits, recipe.seed, progress, who)


def look(
    engine: Engine, prompts: list[Prompt], limits: Limits, seed: int, progress: Progress = silent, who: str = "tuned"
) -> tuple[Side, Distribution]:
    """A model that is there already, such as one that is being trained: figures without a verdict."""
    count = counter(progress, f"starts.progress.{who}", len(prompts))
    first = first_tokens(engine, prompts, limits.batch_size, seed, count)
    asked = evenly(prompts, limits.answers)
    count = counter(progress, f"starts.progress.answers.{who}", len(asked))
    written = engine.write(asked, limits.max_new_tokens, limits.batch_size, count)
    return Side(first=first.figures, answers=openings(written, seed)), first


def lessons_of(taught: Sequence[str], seed: int) -> Openings | None:
    """How training answers begin, of TAUGHT_ANSWERS drawn with the seed."""
    if not taught:
        return None
    drawn = random.Random(seed).sample(list(taught), min(len(taught), TAUGHT_ANSWERS))
    return openings([Written(answer, True) for answer in drawn], seed)


def _sampled(lessons: Openings | None, num: int) -> list[Notice]:
    if lessons is None or num <= TAUGHT_ANSWERS:
        return []
    return [Notice(key="starts.notice.taught_sample", values={"num": TAUGHT_ANSWERS, "total": num})]


def evenly(prompts: list[Prompt], num: int) -> list[Prompt]:
    """`num` of them over the whole list: files are often sorted by topic."""
    if len(prompts) <= num:
        return prompts
    return [prompts[place * len(prompts) // num] for place in range(num)]


def _drift(
    tuned: Openings, taught: Openings | None, base: Openings | None
) -> tuple[float | None, Literal["taught", "base"] | None]:
    """Against the training answers, else the base; nothing where one side has too few sentences that tell."""
    if taught and min(taught.num_told, tuned.num_told) >= MIN_TOLD:
        return drift(tuned.levels, taught.levels), "taught"
    if base and min(base.num_told, tuned.num_told) >= MIN_TOLD:
        return drift(tuned.levels, base.levels), "base"
    return None, None


def _notices(side: Side, num: int, num_given: int, num_answered: int) -> list[Notice]:
    """What limits the verdict."""
    found = []
    if num < MIN_PROMPTS:
        found.append(Notice(key="starts.notice.few_prompts", values={"num": num, "least": MIN_PROMPTS}))
    if num < num_given:
        found.append(Notice(key="starts.notice.repeated", values={"num": num_given - num}))
    if num_answered < num:
        found.append(Notice(key="starts.notice.sample", values={"num": num_answered, "total": num}))
    if is_silent(side.first):
        shares = {"partial": round(100 * side.first.partial.value), "form": round(100 * side.first.form.value)}
        found.append(Notice(key="starts.notice.silent", values={**shares}))
    return found
