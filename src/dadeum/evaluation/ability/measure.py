"""measure(recipe, weights): which of four answers does a model find most probable? compared(): was any unlearnt?

Nothing is generated: each choice is scored as the answer to the question, by its mean log probability per token. A sum
would favour choices of few tokens, and how many tokens a Korean word takes says nothing about whether it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from dadeum.core.errors import ModelError, RecipeError
from dadeum.core.examples import Turn
from dadeum.core.measured import Measured
from dadeum.core.progress import Progress, counter
from dadeum.core.recipe import Recipe
from dadeum.core.stats import bootstrap_counts, mcnemar
from dadeum.evaluation.ability.questions import SUBJECTS, Question, questions, questions_hash
from dadeum.evaluation.ability.result import TOLERANCE, Answered, Change, Subject, Verdict
from dadeum.models.engines import Engine, load_engine
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from dadeum.models.writing import Counter

_SEED = 42
_SAMPLES = 2000
_TRIED = 5
"""Questions on which packed trees are held against plain rows before they are trusted."""

Scored = tuple[np.ndarray, np.ndarray]


def measure(recipe: Recipe, weights: Path | None, progress: Progress, who: str) -> Answered:
    """`weights` is what a stage trained, None the untuned base; `who` is tuned, before or base_model.

    A plain user turn, without the recipe's instruction: that is a role or a form of its own ("answer as JSON"), and
    two recipes with different instructions would be asked different questions.
    """
    if recipe.task.type == "retrieve":
        raise RecipeError("evaluate.ability.no_answers", task=recipe.task.type)
    asked = questions()
    with closing(load_engine(recipe, weights)) as engine:
        if isinstance(engine, Seq2SeqEngine):
            raise RecipeError("evaluate.ability.no_decoder", base=recipe.model.base)
        sums, lengths = score(engine, asked, counter(progress, f"evaluate.ability.progress.{who}", len(asked)))
    if not np.isfinite(sums).all():
        number = int(np.isfinite(sums).all(axis=1).argmin())
        raise ModelError("evaluate.ability.not_numbers", question=asked[number].id, base=recipe.model.base)
    return answered(sums, lengths, asked)


def score(engine: Engine, asked: Sequence[Question], count: Counter) -> Scored:
    """Log probability of each choice, and its number of tokens, both (questions, choices).

    What ends an answer is left out: whether a model would stop there is a habit, not knowledge.
    """
    import torch

    from dadeum.models.scoring import Scorer

    render = engine.renderer
    prompts = [render.prompt_ids([_turn(question)]) for question in asked]
    spans = [[render.answer_ids(choice)[: -len(render.end_ids)] for choice in question.choices] for question in asked]
    pad_id = render.tokenizer.pad_token_id
    sums = np.zeros((len(asked), len(asked[0].choices)))
    with torch.inference_mode(), ExitStack() as stack:
        tried = Scorer(engine.model, spans[0], pad_id)
        tried.choose_path(prompts[:_TRIED], stack)
        for number, (prompt, choices) in enumerate(zip(prompts, spans, strict=True)):
            scorer = Scorer(engine.model, choices, pad_id)
            scorer.uses_trees = tried.uses_trees
            sums[number] = scorer([prompt])[0]
            count(1)
    return sums, np.array([[len(choice) for choice in choices] for choices in spans])


def _turn(question: Question) -> Turn:
    return {"role": "user", "content": question.prompt}


def answered(sums: np.ndarray, lengths: np.ndarray, asked: Sequence[Question]) -> Answered:
    """Figures from log probabilities and numbers of tokens, (questions, choices)."""
    places = np.array([question.right for question in asked])
    gaps = _gaps(sums / lengths, places)
    right, right_by_sum = gaps > 0, _gaps(sums, places) > 0
    subjects = np.array([question.subject for question in asked])
    return Answered(
        num=len(asked),
        questions=questions_hash(),
        right=right.tolist(),
        gaps=gaps.tolist(),
        accuracy=_mean(right),
        gap=_mean(gaps),
        accuracy_by_sum=_mean(right_by_sum),
        by_subject={
            name: Subject(
                num=int(of_it.sum()), num_right=int(right[of_it].sum()), gap=float(gaps[of_it].mean())
            )
            for name in SUBJECTS
            if (of_it := subjects == name).any()
        },
    )  # fmt: skip


def _gaps(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Score of the right choice minus the best wrong one. A tie is not right: nothing was preferred."""
    rows = np.arange(len(scores))
    wrong = scores.copy()
    wrong[rows, right] = -np.inf
    gaps: np.ndarray = scores[rows, right] - wrong.max(axis=1)
    return gaps


def compared(tuned: Answered, other: Answered) -> Change:
    """`tuned` minus `other`, each question with itself; ValueError for answers to different questions."""
    if tuned.questions != other.questions or tuned.num != other.num:
        raise ValueError("answers to different questions cannot be compared")
    first, second = np.array(tuned.right), np.array(other.right)
    test = mcnemar(first, second)
    accuracy = _mean(first.astype(float) - second.astype(float))
    return Change(
        num=tuned.num,
        accuracy=accuracy,
        gap=_mean(np.array(tuned.gaps) - np.array(other.gaps)),
        num_lost=test.only_second,
        num_gained=test.only_first,
        p_value=test.p_value,
        at_chance=other.at_chance,
        verdict="undecided" if other.at_chance else _verdict(accuracy),
    )


def _verdict(difference: Measured) -> Verdict:
    """The whole interval counts: a loss of the tolerance is ruled out, or some loss is sure, or neither."""
    if difference.low > -TOLERANCE:
        return "no_worse"
    return "worse" if difference.high < 0 else "undecided"


def _mean(values: np.ndarray) -> Measured:
    each, counts = np.unique(values, return_counts=True)
    found = bootstrap_counts(lambda drawn: drawn @ each / drawn.sum(1), counts, _SEED, _SAMPLES)
    return Measured(value=float(values.mean()), low=found.low, high=found.high)
