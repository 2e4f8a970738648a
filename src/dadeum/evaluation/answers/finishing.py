"""The finishing steps of a recipe on what models wrote, and what each of them gained on its own.

A step is compared with the answers that it was given, row by row: three steps that are only measured together could
hide one that harms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dadeum.core.generation import Finish
from dadeum.core.recipe import Recipe
from dadeum.core.speech import Level
from dadeum.core.task import Answer, Chat, Summarize
from dadeum.evaluation.answers.figures import PerRow, Resampling, metrics_of, rate
from dadeum.evaluation.answers.rows import Rows
from dadeum.evaluation.answers.scores import Finishing
from dadeum.evaluation.answers.systems import Spoken
from dadeum.evaluation.metrics._texts import taught_sample
from dadeum.evaluation.metrics.speech_level import taught_shares
from dadeum.tasks import answer

OF_MODELS = ("tuned", "before", "base_model")
"""Systems that write: the others say what people wrote, or sentences of the dialogue."""


@dataclass(frozen=True)
class Finished:
    """What one system said, before and after every step."""

    spoken: Spoken
    """After all steps."""
    steps: tuple[Finish, ...]
    versions: tuple[list[str], ...]
    """The answers as they were written, and after each step."""

    @property
    def raw(self) -> list[str]:
        return self.versions[0]


def finished(recipe: Recipe, rows: Rows, spoken: Mapping[str, Spoken]) -> dict[str, Finished]:
    """Every system that writes, by name; {} where the recipe has no steps or nothing was written."""
    steps = recipe.generation.finish
    if not steps or recipe.evaluate.generate_rows == 0:
        return {}
    level = wanted_level(recipe, rows)
    return {name: _finished(said, steps, level) for name, said in spoken.items() if name in OF_MODELS}


def _finished(said: Spoken, steps: tuple[Finish, ...], level: Level | None) -> Finished:
    versions = [said.answers]
    for step in steps:
        versions.append([answer.finished(text, [step], level) for text in versions[-1]])
    crisis = [answer.finished(text, steps, level) for text in said.crisis]
    return Finished(replace(said, answers=versions[-1], crisis=crisis), steps, tuple(versions))


def wanted_level(recipe: Recipe, rows: Rows) -> Level | None:
    """The recipe's speech level, or the commonest of the training answers; None where none tells one."""
    task = recipe.task
    if isinstance(task, Chat | Summarize | Answer) and task.speech_level is not None:
        return task.speech_level
    shares = taught_shares(taught_sample(rows.train, recipe.seed))
    return max(shares, key=lambda level: shares[level], default=None)


def gains(
    recipe: Recipe,
    rows: Rows,
    found: Finished,
    last: PerRow,
    resampling: Resampling,
    progress: Callable[[int, int], None],
) -> list[Finishing]:
    """Each step against the answers before it; `last` are the figures of the finished answers, taken already."""
    better = metrics_of(recipe.task.type)
    measured: list[PerRow] = []
    for number, version in enumerate(found.versions[:-1]):
        progress(number, len(found.steps))
        changed = not measured or version != found.versions[number - 1]
        measured.append(_rated(recipe, rows, version) if changed else measured[-1])
    progress(len(found.steps), len(found.steps))
    measured.append(last)
    return [
        Finishing(
            step=step,
            num_changed=sum(old != new for old, new in zip(*found.versions[place : place + 2], strict=True)),
            differences={
                metric: difference
                for metric, side in better.items()
                if metric in measured[place] and metric in measured[place + 1]
                and (difference := resampling.difference(metric, side, measured[place + 1][metric],
                                                         measured[place][metric])) is not None
            },
        )
        for place, step in enumerate(found.steps)
    ]  # fmt: skip


def _rated(recipe: Recipe, rows: Rows, answers: list[str]) -> PerRow:
    return rate(rows.asked(recipe, answers), lambda done, total: None)
