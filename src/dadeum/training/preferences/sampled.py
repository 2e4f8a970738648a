"""Pairs from the model itself: it answers training rows several times, and the answers are rated against the reference.

The worst answer loses; better is what a person wrote, or the best of the answers. Ratings are ROUGE over content words
(`core/rouge.py`), the mean of ROUGE-1, -2 and -L, against the nearest of a row's references.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from typing import Any

from dadeum.core.examples import Example, answer_of
from dadeum.core.generation import Generation
from dadeum.core.progress import counter
from dadeum.core.rouge import rouge_many
from dadeum.core.stages import Pairs
from dadeum.models.engines import load_engine
from dadeum.tasks.summarize import references
from dadeum.training.preferences.kept import Found, LeftOut, Preference
from dadeum.training.preferences.prompts import Prompts, plain
from dadeum.training.work import Work

_TEMPERATURE = 1.0
"""Where the recipe writes without one: answers that are all the same make no pair."""


def sampled_pairs(work: Work, prompts: Prompts) -> Found:
    """One pair for every training row that is asked, or the reason why there is none."""
    rows = chosen_rows([row for row in prompts.training if answer_of(row)], work.stage.pairs.rows, work.recipe.seed)
    if not rows:
        return []
    found: Found = []
    for row, answers in zip(rows, _answers(work, rows), strict=True):
        asked = prompts.of_training_row(row)
        pair = pair_of(row, answers, work.stage.pairs)
        if isinstance(pair, str):
            found.append(LeftOut(row.id, "sampled", pair))
        else:
            better, worse, why, gap = pair
            found.append(Preference(row.id, "sampled", asked.group, asked.turns, better, worse, why, gap))
    return found


def chosen_rows(rows: list[Example], number: int | None, seed: int) -> list[Example]:
    """So many rows drawn with the seed, in the order of the split; None: all."""
    if number is None or number >= len(rows):
        return rows
    drawn = sorted(random.Random(seed).sample(range(len(rows)), number))
    return [rows[index] for index in drawn]


def sampling(generation: Generation) -> Generation:
    """The recipe's way of writing, but drawn, one answer at a time and as it comes."""
    changes = {"temperature": generation.temperature or _TEMPERATURE, "beams": 1, "candidates": 1, "finish": ()}
    return generation.model_copy(update=changes)


def _answers(work: Work, rows: list[Example]) -> Iterator[list[Any]]:
    """What the model that the stage begins with writes to each row; its weights are gone afterwards."""
    recipe, number = work.recipe, work.stage.pairs.sampled
    engine = load_engine(recipe, work.before)
    longest = recipe.generation.max_new_tokens or max(len(engine.renderer.answer_ids(answer_of(row))) for row in rows)
    written = engine.write_candidates(
        [row.prompt for row in rows], number, longest, work.stage.batch_size,
        progress=counter(work.progress, "train.preferences.sampling", len(rows)),
        generation=sampling(recipe.generation), seed=recipe.seed,
    )  # fmt: skip
    engine.close()
    del engine
    gc.collect()
    return iter(written)


def pair_of(row: Example, written: list[Any], pairs: Pairs) -> tuple[str, str, str, float] | str:
    """(better, worse, why, gap), or the reason why these answers make no pair.

    An answer that the limit on its length cut off may lose, but not win: its end was never written.
    """
    finished: dict[str, bool] = {}
    for one in written:
        answer = one.text.strip()
        finished[answer] = finished.get(answer, False) or one.finished
    answers = list(finished)
    known = references(row)
    ratings = [max(each.mean for each in one) for one in rouge_many(answers, [known] * len(answers), True)]
    worst = min(range(len(answers)), key=ratings.__getitem__)
    if pairs.better == "reference":
        better, high = answer_of(row).strip(), 1.0
    else:
        able = [index for index in range(len(answers)) if finished[answers[index]] and answers[index]]
        if not able:
            return "unfinished"
        best = max(able, key=ratings.__getitem__)
        better, high = answers[best], ratings[best]
    if plain(better) == plain(answers[worst]):
        return "equal"
    return better, answers[worst], f"{pairs.better} {high:.3f} > {ratings[worst]:.3f}", high - ratings[worst]
