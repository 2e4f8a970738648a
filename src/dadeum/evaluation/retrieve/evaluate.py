"""How good is the tuned retriever, beside BM25 and itself before tuning, on questions that nothing has seen.

Every test question is put to all chunks. How words and meaning are joined, and whether the tuned model is used alone
or with BM25, is chosen on validation questions. Leaves evaluation/scores.json and evaluation/samples.jsonl.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dadeum.core.measured import Measured
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, write_json, write_jsonl
from dadeum.core.stages import Contrastive
from dadeum.evaluation.retrieve.figures import Drawing, PerQuestion, metrics, per_question, reciprocal
from dadeum.evaluation.retrieve.gates import check_gates
from dadeum.evaluation.retrieve.notices import count_cut, notices
from dadeum.evaluation.retrieve.parts import parts
from dadeum.evaluation.retrieve.questions import Asked, Questions, read_questions
from dadeum.evaluation.retrieve.samples import samples
from dadeum.evaluation.retrieve.scores import (
    MAIN,
    SHOWN,
    Comparison,
    Hybrid,
    RetrievalScores,
    Served,
    SystemRanking,
    Tried,
    Verdict,
    beside_bm25,
)
from dadeum.evaluation.retrieve.search import Searched, Tuned, by_base, by_tuned, by_words
from dadeum.retrieval.hybrid import DEPTH, Fusion, best_fusion, combined, is_above
from dadeum.retrieval.ranking import Ranking

_PAIRS = (
    ("tuned", "bm25"), ("tuned_hybrid", "bm25"), ("tuned", "base_model"), ("tuned_hybrid", "base_hybrid"),
    ("tuned_hybrid", "tuned"),
)  # fmt: skip


@dataclass(frozen=True)
class Rated:
    """One system on the test questions."""

    ranking: Ranking
    ranks: list[list[int]]
    per_question: PerQuestion
    seconds: float


def evaluate(recipe: Recipe, run: Run, progress: Progress = silent) -> RetrievalScores:
    """Judge the trained model of `run` and write scores.json and samples.jsonl, both atomically.

    RunError when data are missing, DataError for questions whose right chunk is not in the corpus, ModelError when
    vectors are not numbers. Gates and adapter were looked at by the caller.
    """
    questions = read_questions(run)
    words = by_words(questions, progress)
    tuned = by_tuned(recipe, run.adapter_folder(recipe), questions, _dims(recipe), progress)
    base = by_base(recipe, run, questions, progress) if "base_model" in recipe.baselines else None
    hybrids = {"tuned_hybrid": _hybrid(words, tuned.searched, questions.validation)}
    systems = {"tuned": tuned.searched, "tuned_hybrid": _joined(words, tuned.searched, hybrids["tuned_hybrid"])}
    if "bm25" in recipe.baselines:
        systems["bm25"] = words
    if base is not None:
        hybrids["base_hybrid"] = _hybrid(words, base, questions.validation)
        systems |= {"base_model": base, "base_hybrid": _joined(words, base, hybrids["base_hybrid"])}
    rated = {name: _rated(questions.test, found.test, found.seconds) for name, found in systems.items()}
    scores = _scores(recipe, run, questions, tuned, rated, hybrids)
    written = samples(questions, {name: (one.ranking, one.ranks) for name, one in rated.items()}, scores.beside_bm25)
    write_jsonl(run.samples_path, (sample.model_dump(mode="json") for sample in written))
    write_json(run.scores_path, scores.model_dump(mode="json"))
    return scores


def rank_base(recipe: Recipe, run: Run, progress: Progress = silent) -> None:
    """Ask the untuned model: "before". Call it before training; `evaluate` reuses what it stored."""
    by_base(recipe, run, read_questions(run), progress)


# -- systems --------------------------------------------------------------------------------------
def _dims(recipe: Recipe) -> tuple[int, ...]:
    """What the last stage taught to work alone."""
    stage = recipe.stages[recipe.policy_stages[-1]]
    return stage.matryoshka if isinstance(stage, Contrastive) else ()


def _hybrid(words: Searched, meaning: Searched, asked: Asked) -> Hybrid:
    """The best way to join both on validation questions; ranks 1 to 1 where there are none."""
    if not asked.rows:
        return Hybrid(method="ranks", weight=1.0, num_questions=0)

    def judge(ranking: Ranking) -> list[float]:
        return [reciprocal(places) for places in asked.ranks(ranking)]

    chosen, tried = best_fusion(words.validation, meaning.validation, judge)
    joined = judge(combined(words.validation, meaning.validation, DEPTH, chosen))
    alone = judge(meaning.validation)
    return Hybrid(
        **vars(chosen),
        num_questions=len(asked.rows),
        words=_mean(judge(words.validation)),
        meaning=_mean(alone),
        chosen=_mean(joined),
        is_meaning_better=is_above(alone, joined),
        tried=[Tried(**vars(one.fusion), figure=one.figure) for one in tried],
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _joined(words: Searched, meaning: Searched, how: Hybrid) -> Searched:
    fusion = Fusion(how.method, how.weight)
    validation, test = (
        combined(getattr(words, of), getattr(meaning, of), DEPTH, fusion) for of in ("validation", "test")
    )
    return Searched(validation, test, words.seconds + meaning.seconds)


def _rated(asked: Asked, ranking: Ranking, seconds: float) -> Rated:
    ranks = asked.ranks(ranking)
    return Rated(ranking, ranks, per_question(ranks, [len(gold) for gold in asked.gold]), seconds)


# -- results --------------------------------------------------------------------------------------
def _scores(
    recipe: Recipe, run: Run, questions: Questions, tuned: Tuned, rated: Mapping[str, Rated], hybrids: dict[str, Hybrid]
) -> RetrievalScores:
    test = questions.test
    drawing = Drawing([row.group for row in test.rows], recipe.seed, recipe.evaluate.bootstrap_samples)
    columns = {name: one.per_question for name, one in rated.items()}
    measured = drawing.measured(columns)
    comparisons = _comparisons(drawing, columns)
    how, cut = hybrids["tuned_hybrid"], count_cut(recipe, questions)
    served: Served = "tuned" if how.is_meaning_better or not how.num_questions else "tuned_hybrid"
    return RetrievalScores(
        task="retrieve",
        metrics=metrics(),
        num_rows=questions.num_rows,
        num_groups=drawing.num_groups,
        num_chunks=len(questions.corpus.chunks),
        num_documents=len(questions.corpus.documents),
        judged_by={"chunk": test.by_document.count(False), "document": test.by_document.count(True)},
        systems={name: SystemRanking(metrics=measured[name], seconds=one.seconds) for name, one in rated.items()},
        hybrids=hybrids,
        hybrid_method=how.method,
        hybrid_weight=how.weight,
        served=served,
        comparisons=comparisons,
        parts=parts(questions, columns, beside_bm25(served, how.weight), recipe),
        matryoshka=_matryoshka(questions.test, tuned, drawing),
        dimensions=tuned.dimensions,
        cut=cut,
        model_name=recipe.model.base,
        model_revision=tuned.revision,
        seconds_chunks=tuned.seconds_chunks,
        seed=recipe.seed,
        gates=check_gates(recipe, measured, served),
        verdict=_verdict(comparisons, served),
        test_hash=file_hash(run.split_path("test")),
        asked_hash=questions.asked_hash,
        corpus_hash=questions.corpus.hash,
        warnings=notices(recipe, questions, cut, hybrids),
    )


def _comparisons(drawing: Drawing, columns: Mapping[str, PerQuestion]) -> list[Comparison]:
    return [
        Comparison(system=one, baseline=other, differences=drawing.differences(columns[one], columns[other], SHOWN))
        for one, other in _PAIRS
        if one in columns and other in columns
    ]


def _matryoshka(test: Asked, tuned: Tuned, drawing: Drawing) -> dict[int, dict[str, Measured]]:
    num_gold = [len(gold) for gold in test.gold]
    columns = {
        str(size): {name: found[name] for name in SHOWN}
        for size, ranking in tuned.shortened.items()
        if (found := per_question(test.ranks(ranking), num_gold))
    }
    return {int(size): found for size, found in drawing.measured(columns).items()} if columns else {}


def _verdict(comparisons: list[Comparison], served: str) -> Verdict:
    """The served system against BM25."""
    found = next((one for one in comparisons if (one.system, one.baseline) == (served, "bm25")), None)
    if found is None:
        return "no_baseline"
    outcome = found.differences[MAIN].outcome
    assert outcome != "different"
    return outcome
