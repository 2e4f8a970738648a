"""Names and numbers of figures of free answers, in both languages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dadeum.core.generation import Generation
from dadeum.core.measured import Measured
from dadeum.core.messages import text
from dadeum.core.words import MISSING, Words, number, plain, told
from dadeum.evaluation import report_words
from dadeum.evaluation.answers.scores import Difference
from dadeum.evaluation.report_words import interval, rate, say, say_or, signed

_MOST_DECIMALS = 1e5


# -- names ----------------------------------------------------------------------------------------
def family(task: str) -> str:
    """Beginning of the sentences that speak of this task's answers."""
    return {"summarize": "summaries", "answer": "grounded"}.get(task, "answers")


def system_name(task: str, system: str) -> Words:
    """`constant` → its name; of summaries it is another system than of answers."""
    general = report_words.system_name(system)
    return say_or(f"summaries.systems.{system}", "") if _is_renamed(task, system) else general


def short_name(task: str, system: str) -> Words:
    general = report_words.short_name(system)
    return say_or(f"summaries.short.{system}", "") if _is_renamed(task, system) else general


def _is_renamed(task: str, system: str) -> bool:
    return task == "summarize" and system in ("constant", "reference")


def metric_name(metric: str) -> Words:
    """`speech_level` → its name; a figure that this program does not know keeps its own."""
    return told(f"evaluate.metrics.{metric}.name", {}) or plain(metric)


def metric_meaning(metric: str, task: str = "") -> Words:
    """Of grounded answers some figures look at something else."""
    own = told(f"evaluate.grounded.meanings.{metric}", {}) if task == "answer" else None
    return own or told(f"evaluate.metrics.{metric}.what", {}) or plain("")


def figure(metric: str, value: float | None) -> str:
    """0.3124 → 0.312; a perplexity 34.12 → 34.1, since its third digit is noise."""
    if metric != "perplexity" or value is None or not math.isfinite(value):
        return rate(value)
    return number(value, 1) if value < _MOST_DECIMALS else f"{value:.1e}"


def figure_interval(metric: str, found: Measured) -> Words:
    """0.290~0.334 (ko), 0.290 to 0.334 (en)."""
    return interval(figure(metric, found.low), figure(metric, found.high), found)


def change(metric: str, value: float) -> str:
    """+0.021, or +3.4 of a perplexity."""
    return signed(value, digits=1) if metric == "perplexity" else signed(value)


def change_interval(metric: str, found: Difference) -> Words:
    low, high = change(metric, found.low), change(metric, found.high)
    measured = Measured(value=found.value, low=found.low, high=found.high)
    return plain(MISSING) if math.isnan(found.value) else interval(low, high, measured, "units.signed_interval")


def compared(
    differences: Mapping[str, Difference], first: Mapping[str, float], second: Mapping[str, float],
    name: Callable[[str], Words], language: str,
) -> list[str]:  # fmt: skip
    """A line per figure of two runs: both values, the difference with its interval, and what that says."""
    lines = []
    for metric, found in differences.items():
        shown = {"name": name(metric).get(language), "difference": change(metric, found.value)}
        values = {"first": figure(metric, first[metric]), "second": figure(metric, second[metric])}
        ends = {end: change(metric, getattr(found, end)) for end in ("low", "high")}
        outcome = text(f"evaluate.compare.outcome.{found.outcome}", language)
        lines.append(text("evaluate.compare.metric", language, outcome=outcome, **shown, **values, **ends))
    return lines


# -- how it was written ---------------------------------------------------------------------------
def generation_words(generation: Generation, max_new_tokens: int) -> Words:
    """Settings of writing that are not what they are without any, in one sentence."""
    said = [say("summaries.writing.limit", num=max_new_tokens)]
    if generation.beams > 1:
        said.append(say("summaries.writing.beams", num=generation.beams, penalty=f"{generation.length_penalty:g}"))
    elif generation.temperature:
        settings = {"temperature": f"{generation.temperature:g}", "top_p": f"{generation.top_p:g}"}
        said.append(say("summaries.writing.sampled", **settings))
    else:
        said.append(say("summaries.writing.greedy"))
    if generation.candidates > 1:
        said.append(say("summaries.writing.candidates", num=generation.candidates))
    if generation.no_repeat_ngram:
        said.append(say("summaries.writing.no_repeat", num=generation.no_repeat_ngram))
    if generation.repetition_penalty != 1:
        said.append(say("summaries.writing.penalty", penalty=f"{generation.repetition_penalty:g}"))
    return Words(", ".join(one.ko for one in said), ", ".join(one.en for one in said))
