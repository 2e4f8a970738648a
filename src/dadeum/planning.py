"""plan(recipe): every problem at once, and what the run will cost, before any weight is loaded.

Reads the sources, cleans and splits them in memory, tokenises them, checks them, and counts the model's parameters on
the meta device. Writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dadeum.core.errors import DadeumError, Problems
from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Contrastive, Online, OnPairs, Seq2Seq, Sft
from dadeum.core.task import Answer, Retrieve

if TYPE_CHECKING:
    from dadeum.data.lengths.question_tokens import QuestionCounter
    from dadeum.data.lengths.tokens import TokenCounter
    from dadeum.data.repairs.cleaning import StepCount
    from dadeum.models.render import Fitted
    from dadeum.models.size import Size
    from dadeum.training.amounts import Amount
    from dadeum.training.fit import Fit

    Counter = TokenCounter | QuestionCounter


@dataclass(frozen=True)
class Lengths:
    """Token percentiles of prompt plus answer over all rows that will be used."""

    p50: int
    p95: int
    p99: int
    longest: int
    longest_answer: int
    rows_cut: int
    """Rows whose input will be shortened."""
    limit: int


@dataclass(frozen=True)
class StageCost:
    """What one stage is expected to need; None where this machine gives no ground for a figure."""

    name: str
    steps: int
    tokens: int
    """Prompt and answer tokens of all epochs."""
    seconds: float | None
    memory: Fit
    """Peak while the stage trains, what the machine has, and what to change where that is less."""
    notes: tuple[str, ...] = ()
    """What the figures were counted from where that is not the training rows alone."""


@dataclass
class Plan:
    """Filled step by step; `problems` stops a run before it begins."""

    rows_in: int = 0
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    """split → label → rows."""
    removed: dict[str, int] = field(default_factory=dict)
    """reason → rows."""
    cleaned: list[StepCount] = field(default_factory=list)
    """Rows that each clean step changed and removed, in the order of the steps."""
    notes: list[str] = field(default_factory=list)
    """Sentences about what was guessed or chosen."""
    lengths: Lengths | None = None
    stages: list[StageCost] = field(default_factory=list)
    chunk_tokens: list[int] = field(default_factory=list)
    """Of every chunk of the corpus; empty for tasks without documents."""
    findings: list[Finding] = field(default_factory=list)
    problems: list[DadeumError] = field(default_factory=list)


def plan(recipe: Recipe) -> Plan:
    """Never raises for a user's mistake: each one stands in `problems`."""
    from dadeum.evaluation.gates import check_gates_syntax
    from dadeum.evaluation.judge import judge_note, judge_problems
    from dadeum.models.start_checks import start_notes, start_problems
    from dadeum.serving.preflight import export_problems, licence_notes
    from dadeum.training.arguments import check_stages

    found = Plan()
    found.problems += [*check_gates_syntax(recipe), *check_stages(recipe), *judge_problems(recipe)]
    found.problems += start_problems(recipe)
    found.notes += start_notes(recipe)
    found.notes += [note] if (note := judge_note(recipe)) else []
    counter = _tokenizer(recipe, found)
    rows = _data(recipe, counter, found)
    if counter:
        found.notes += _surprises(counter, rows)
    if counter and rows:
        _lengths(recipe, rows, counter, found)
        _cost(counter.recipe, rows, counter, found)
    found.notes += licence_notes(recipe)
    told = {problem.key for problem in found.problems}  # a base that cannot be read was told already
    found.problems += [problem for problem in export_problems(recipe) if problem.key not in told]
    # What cannot be read is met by everything that reads it.
    found.problems = list({(problem.key, str(problem)): problem for problem in found.problems}.values())
    return found


def _surprises(counter: Counter, splits: dict[str, list[Fitted]]) -> list[str]:
    """What the model's family does that people do not expect; of a default system text only where it comes in."""
    prompts = [row.example.prompt for rows in splits.values() for row in rows if row.example]
    always = bool(prompts) and all(prompt[0]["role"] == "system" for prompt in prompts)
    return [str(note) for note in counter.notes if not (always and note.key == "models.families.default_system")]


def _tokenizer(recipe: Recipe, found: Plan) -> Counter | None:
    from dadeum.data.lengths.tokens import counter_of

    try:
        return counter_of(recipe)
    except DadeumError as error:
        found.problems.append(error)
        return None


def _data(recipe: Recipe, counter: Counter | None, found: Plan) -> dict[str, list[Fitted]]:
    """Token counts of each split's rows, as `data build` would write them; {} when they cannot be made."""
    from dadeum.data.check import blocking, find_problems
    from dadeum.data.prepare import prepare

    try:
        prepared = prepare(recipe, counter)
        lengths = prepared.limited.lengths if prepared.limited else None
        found.findings = find_problems(recipe, prepared.examples, counter, lengths)
        found.problems += blocking(recipe, found.findings)
    except Problems as error:
        found.problems += error.problems
        return {}
    except DadeumError as error:
        found.problems.append(error)
        return {}
    found.rows_in = prepared.rows_in
    found.removed = prepared.removed_by_reason
    found.cleaned = prepared.steps
    found.used = prepared.labels
    found.notes += prepared.notes
    found.chunk_tokens = [chunk.num_tokens for chunk in prepared.passages.chunks] if prepared.passages else []
    return prepared.limited.fitted if prepared.limited else {}


def _lengths(recipe: Recipe, splits: dict[str, list[Fitted]], counter: Counter, found: Plan) -> None:
    from dadeum.training.question_amounts import length_notes, prompt_notes

    if isinstance(recipe.task, Retrieve):
        found.notes += length_notes(recipe, splits, counter)  # type: ignore[arg-type]
        return
    found.notes += prompt_notes(splits) if isinstance(recipe.task, Answer) else []
    rows = [row for split in splits.values() for row in split]
    lengths = sorted(row.prompt_tokens + row.answer_tokens for row in rows)

    def percentile(share: float) -> int:
        return lengths[min(len(lengths) - 1, math.ceil(share * len(lengths)) - 1)]

    found.lengths = Lengths(
        p50=percentile(0.5),
        p95=percentile(0.95),
        p99=percentile(0.99),
        longest=lengths[-1],
        longest_answer=max(row.answer_tokens for row in rows),
        rows_cut=sum(row.was_cut for row in rows),
        limit=recipe.render.max_length_tokens,
    )


def _shared_prefix(counter: TokenCounter, rows: list[Fitted]) -> int:
    """Tokens that all prompts begin with, judged by the first rows: training computes them once a batch."""
    from dadeum.models.render import common_prefix

    return common_prefix([counter.renderer.prompt_ids(row.example.prompt) for row in rows[:20] if row.example])


def _cost(recipe: Recipe, splits: dict[str, list[Fitted]], counter: Counter, found: Plan) -> None:
    """Steps, tokens, memory and time of every stage; also finds adapter targets that match nothing."""
    from dadeum.models.attention import attention_notes
    from dadeum.models.load import load_config
    from dadeum.models.precision import choose_precision
    from dadeum.models.size import measure_size
    from dadeum.training.question_amounts import contrastive_amount

    try:
        size = measure_size(recipe.model, embeds=isinstance(recipe.task, Retrieve))
        precision = choose_precision(recipe.model.precision)
    except DadeumError as error:
        found.problems.append(error)
        return
    found.notes.append(text("plan.size", total=size.total, trained=size.adapter, share=size.adapter / size.total))
    found.notes.append(f"{precision.dtype}: {text(precision.reason)} {_rates(precision.gflops)}".rstrip())
    if precision.isa_limit:
        found.notes.append(text("plan.isa_limit", limit=precision.isa_limit))
    found.notes += attention_notes(recipe, precision, load_config)
    rate = precision.gflops.get(precision.dtype)
    for stage in recipe.stages:
        try:
            if isinstance(stage, Contrastive):
                made = contrastive_amount(recipe, stage, splits, found.chunk_tokens, counter)  # type: ignore[arg-type]
                found.stages.append(_of_amount(recipe, stage, size, precision.dtype, rate, made))
                continue
            found.stages.append(_stage(recipe, stage, size, precision.dtype, rate, splits, counter))  # type: ignore[arg-type]
        except DadeumError as error:
            found.problems.append(error)


def _stage(
    recipe: Recipe,
    stage: AnyStage,
    size: Size,
    dtype: str,
    rate: float | None,
    splits: dict[str, list[Fitted]],
    counter: TokenCounter,
) -> StageCost:
    from dadeum.models.render import Renderer
    from dadeum.training.arguments import steps_per_epoch
    from dadeum.training.instructions import rows_per_epoch

    if isinstance(stage, OnPairs | Online) and isinstance(counter.renderer, Renderer):
        from dadeum.training.amounts import amount

        return _of_amount(recipe, stage, size, dtype, rate, amount(recipe, stage, splits, counter.renderer))
    rows, copies = splits["train"], rows_per_epoch(stage, 1)
    return StageCost(
        name=stage.name,
        steps=math.ceil(steps_per_epoch(copies * len(rows), stage) * stage.epochs),
        tokens=int(copies * sum(row.prompt_tokens + row.answer_tokens for row in rows) * stage.epochs),
        seconds=copies * _seconds(recipe, stage, size, rows, counter, rate) if rate else None,
        memory=_memory(recipe, stage, dtype, rows, counter),
    )


def _of_amount(recipe: Recipe, stage: AnyStage, size: Size, dtype: str, rate: float | None, made: Amount) -> StageCost:
    from dadeum.models.size import training_seconds
    from dadeum.training.fit import fit

    seconds = training_seconds(recipe, size, made.computed, rate) if rate else None
    memory = fit(recipe, stage, dtype, made.rows)
    return StageCost(stage.name, made.steps, made.tokens, seconds, memory, tuple(made.notes))


def _seconds(
    recipe: Recipe, stage: AnyStage, size: Size, rows: list[Fitted], counter: TokenCounter, rate: float
) -> float:
    from dadeum.models.size import seq2seq_seconds, training_seconds

    sources = sum(row.prompt_tokens for row in rows) * stage.epochs
    targets = sum(row.answer_tokens for row in rows) * stage.epochs
    if isinstance(stage, Seq2Seq):
        return seq2seq_seconds(recipe, size, sources, targets, rate)
    together = stage.batch_size * stage.accumulation_steps
    shared = _shared_prefix(counter, rows) if isinstance(stage, Sft) and stage.share_prefix else 0
    computed = sources + targets - shared * (1 - 1 / together) * len(rows) * stage.epochs
    return training_seconds(recipe, size, computed, rate)


def _memory(recipe: Recipe, stage: AnyStage, dtype: str, rows: list[Fitted], counter: TokenCounter) -> Fit:
    from dadeum.models.render import Renderer
    from dadeum.models.seq2seq_render import Seq2SeqRenderer
    from dadeum.training.fit import Fit, fit
    from dadeum.training.memory import PairRows, StageRows

    renderer = counter.renderer

    def example_at(index: int) -> Example:
        example = rows[index].example
        assert example is not None  # rows that have to go are not among these
        return example

    if isinstance(stage, Sft) and isinstance(renderer, Renderer):

        def row_at(index: int) -> dict[str, list[Any]]:
            rendered = renderer.render(example_at(index))
            weights = [1.0] * len(rendered.input_ids)
            return {"input_ids": rendered.input_ids, "labels": rendered.labels, "weights": weights}

        lengths = [row.prompt_tokens + row.answer_tokens for row in rows]
        return fit(recipe, stage, dtype, StageRows(lengths, row_at))
    if isinstance(stage, Seq2Seq) and isinstance(renderer, Seq2SeqRenderer):

        def batch(indices: list[int]) -> dict[str, Any]:
            return renderer.training_batch([renderer.row(example_at(index)) for index in indices])

        return fit(recipe, stage, dtype, PairRows([(row.prompt_tokens, row.answer_tokens) for row in rows], batch))
    return Fit(None, None, unknown_because=text("plan.method_not_counted", method=stage.method))


def _rates(gflops: dict[str, float]) -> str:
    if not gflops:
        return ""
    return "(" + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in gflops.items()) + ")"
