"""A run that answers from documents, with models that are rules: baselines, kinds, the system score, hints, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError, RecipeError, RunError
from dadeum.core.examples import Example, Turn, answer_of, to_table
from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.core.run import Run
from dadeum.documents.stored import read_chunks, write_chunks
from dadeum.evaluation.answers import hints, models
from dadeum.evaluation.answers.baselines import answered_by
from dadeum.evaluation.answers.compare import AnswersComparison
from dadeum.evaluation.answers.facts import read_facts, read_samples
from dadeum.evaluation.answers.gates import check_gates_syntax
from dadeum.evaluation.answers.grounded_view import chunk_views, marked, source_text
from dadeum.evaluation.answers.rows import read_rows
from dadeum.evaluation.answers.scores import AnswerScores, OriginScores
from dadeum.evaluation.answers.verdict import judge
from dadeum.evaluation.answers.view import browser
from dadeum.evaluation.compare import compare, describe
from dadeum.evaluation.comparison.several import compare_runs
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.report import summary_lines, verdict_line, write_report
from dadeum.models.engines import Written
from dadeum.models.likelihood import Likelihood
from dadeum.tasks import answer, retrieve
from tests.corpora import ANSWER, SUBJECTS, chunks_of_corpus, questions, recipe_on

REFUSAL = ANSWER["refusal"]
HOSTILE = '<script>alert("x")</script> & <b>굵게</b>'


def recipe_with(folder: Path, **changes: Any) -> Any:
    task = ANSWER | changes.pop("task", {})
    return recipe_on(folder, "smollm2-135m", task, **changes)


def row(recipe: Any, number: int, kind: str) -> Example:
    """Question `number` of the corpus, its right chunk shown second, or not at all."""
    asked, chunks = questions()[number], chunks_of_corpus()
    place = number // 3
    gold, shown = chunks[place], [chunks[(place + 1) % len(chunks)], chunks[place]]
    extra = {key: asked[key] for key in (retrieve.DOMAIN, retrieve.DIFFICULTY)} | {answer.KIND: kind}
    completion = answer.completion(recipe.task, asked["answer"], [2])
    if kind != "answerable":
        shown, completion = shown[:1], answer.refusal(recipe.task)
        extra[answer.GOLD_ANSWER] = asked["answer"]
    ids = retrieve.as_extra([one.id for one in shown])
    return Example(
        id=f"questions:{number + 1}", source="questions", origin=gold.document, group=gold.document,
        text=asked["question"], prompt=answer.prompt(recipe.task, asked["question"], shown), completion=completion,
        label="", extra=extra | {answer.SHOWN: ids, retrieve.RELEVANT: retrieve.as_extra([gold.id])},
    )  # fmt: skip


def kind_of(number: int) -> str:
    """One in six is missed, one in six has no answer."""
    return {0: "missed", 3: "unanswerable"}.get(number % 6, "answerable")


def make_run(recipe: Any, folder: Path, test: list[Example] | None = None) -> Run:
    """All questions stand in the test split; those to learn from are the same under other ids."""
    run = Run.create(recipe, folder)
    write_chunks(run.split_path("chunks"), chunks_of_corpus())
    rows = [row(recipe, number, kind_of(number)) for number in range(36)] if test is None else test
    learnt = [replace(one, id=f"train:{place}") for place, one in enumerate(rows)]
    for split, examples in {"train": learnt, "validation": learnt[:4], "test": rows}.items():
        pq.write_table(to_table(examples), run.split_path(split))
    run.adapter_folder(recipe).mkdir(parents=True)
    return run


class RuleEngine:
    """Tuned: finds the number beside the word it is asked for, refuses where its place is not shown."""

    def __init__(self, tuned: bool) -> None:
        self._tuned = tuned
        self.renderer = SimpleNamespace(answer_ids=list, stop_ids=[0])

    def write(self, prompts: list[list[Turn]], *_: Any, **__: Any) -> list[Written]:
        return [Written(self._answer(prompt[-1]["content"]), finished=True) for prompt in prompts]

    def _answer(self, prompt: str) -> str:
        question = prompt.rpartition("질문: ")[2]
        name = next(name for name in SUBJECTS if name in question)
        if not self._tuned:
            return f"{name}은 좋은 곳입니다. 7,777원입니다."
        if f"{name} 이용" not in prompt:
            return REFUSAL
        number = SUBJECTS.index(name) + 1
        if "입장료" in question:
            return f"{number}천 원입니다. [2]" if number != 5 else "9,999원입니다. [1]"
        return f"오전 {number}시에 엽니다. [2]" if "몇 시" in question else f"{number:02d}00번입니다. [2]"

    def log_likelihoods(self, rows: list[Example], *_: Any, **__: Any) -> list[Likelihood]:
        nats = 0.5 if self._tuned else 4.0
        return [Likelihood(-nats * len(answer_of(row)), len(answer_of(row))) for row in rows]

    def close(self) -> None:
        pass


def evaluated(recipe: Any, run: Run, engine: type[RuleEngine] = RuleEngine) -> AnswerScores:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_engine", lambda recipe, weights: engine(weights is not None))
        found = evaluate(recipe, run)
    assert isinstance(found, AnswerScores)
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Run, AnswerScores]:
    """Evaluated once for this file."""
    folder = tmp_path_factory.mktemp("grounded")
    recipe = recipe_with(folder)
    run = make_run(recipe, folder / "run")
    return recipe, run, evaluated(recipe, run)


# -- systems and figures ------------------------------------------------------------------------
def test_every_baseline_and_what_each_is_good_at(judged: Any) -> None:
    _, _, scores = judged
    assert set(scores.systems) == {"tuned", "base_model", "sentence", "constant"}
    figures = {name: {key: one.value for key, one in system.metrics.items()} for name, system in scores.systems.items()}
    assert figures["tuned"]["content_rouge_l"] > 0.9
    assert figures["tuned"]["refusal_accuracy"] == 1
    assert figures["base_model"]["refusal_accuracy"] == 0.5
    assert figures["base_model"]["unsupported_numbers"] == 1
    assert figures["sentence"]["faithfulness"] == 1
    assert figures["constant"]["refused_right"] == 1  # the commonest training answer is the refusal
    assert figures["constant"]["refused_wrong"] == 1
    assert figures["tuned"]["system_score"] > figures["sentence"]["system_score"] > figures["constant"]["system_score"]
    assert scores.counted == ["content_rouge_l", "refused_right"]


def test_the_system_score_is_its_parts(judged: Any) -> None:
    _, _, scores = judged
    tuned = scores.systems["tuned"].metrics
    found = sum(scores.grounded.weights[part] * tuned[metric].value for part, metric in scores.grounded.parts.items())
    assert tuned["system_score"].value == pytest.approx(found)
    assert tuned["system_score"].low <= tuned["system_score"].value <= tuned["system_score"].high


def test_missed_questions_are_lost_and_kinds_are_told_apart(judged: Any) -> None:
    _, _, scores = judged
    assert scores.grounded.num_kinds == {"answerable": 24, "missed": 6, "unanswerable": 6}
    tuned = scores.systems["tuned"].metrics
    assert tuned["context_hit"].value == pytest.approx(24 / 30)
    assert tuned["answered_right"].value == pytest.approx(24 / 30)  # the one wrong amount was missed anyway
    assert scores.systems["tuned"].num_judged["answered_right"] == 30
    assert scores.grounded.by_kind["missed"].systems["tuned"]["answered_right"] == 0
    assert scores.grounded.by_kind["missed"].systems["tuned"]["refused_right"] == 1
    assert set(scores.grounded.by_difficulty) == {"easy", "hard"}
    assert set(scores.grounded.by_domain) == {"시설", "문화"}


def test_the_sentence_most_like_the_question_with_its_number(judged: Any) -> None:
    recipe, run, _ = judged
    rows = read_rows(recipe, run)
    said = answered_by(recipe, "sentence", rows).answers
    assert said[1] == "도서관 문은 오전 1시에 엽니다. [2]"
    silent = recipe.model_copy(update={"task": recipe.task.model_copy(update={"citations": False})})
    assert answered_by(silent, "sentence", rows).answers[1] == "도서관 문은 오전 1시에 엽니다."


def test_chunks_that_a_run_lost_are_named(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path)
    run = make_run(recipe, tmp_path / "run")
    write_chunks(run.split_path("chunks"), read_chunks(run.split_path("chunks"))[:-1])
    with pytest.raises(DataError, match=r"doc-12#p1-001-0000000b"):
        read_rows(recipe, run)
    run.split_path("chunks").unlink()
    with pytest.raises(RunError):
        read_rows(recipe, run)


# -- the recipe ---------------------------------------------------------------------------------
def test_a_weight_of_no_part_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, task={"score_weights": {"retrieval": 1, "faithfullness": 1}})
    (wrong,) = check_gates_syntax(recipe)
    assert wrong.key == "evaluate.grounded.unknown_part"
    assert wrong.values["near"] == "faithfulness"
    nothing = recipe_with(tmp_path, task={"score_weights": {"retrieval": 0}})
    assert [one.key for one in check_gates_syntax(nothing)] == ["evaluate.grounded.no_weights"]
    with pytest.raises(RecipeError):
        evaluate(nothing, Run.create(nothing, tmp_path / "run"))


def test_gates_know_the_figures_of_the_task(tmp_path: Path) -> None:
    gates = {"system_score": "> baselines.sentence", "answered_right": ">= 0.7", "unsupported_numbers": "<= 0.01"}
    recipe = recipe_with(tmp_path, evaluate={"gates": gates, "similarity_model": None, "bootstrap_samples": 100})
    assert check_gates_syntax(recipe) == []
    scores = evaluated(recipe, make_run(recipe, tmp_path / "run"))
    assert [gate.passed for gate in scores.gates] == [True, True, True]
    wrong = recipe_with(tmp_path, evaluate={"gates": {"crisis.handed_over": ">= 1"}})
    assert [one.key for one in check_gates_syntax(wrong)] == ["evaluate.gates.unknown_metric"]


# -- hints --------------------------------------------------------------------------------------
def told(scores: AnswerScores, recipe: Any, **figures: float) -> list[str]:
    """Names of the hints when the tuned model had these figures; `num_train` and `num_test` rows."""
    systems = dict(scores.systems)
    tuned = systems["tuned"]
    measured = {
        key: one.model_copy(update={"value": figures.get(key, one.value)}) for key, one in tuned.metrics.items()
    }
    systems["tuned"] = tuned.model_copy(update={"metrics": measured, "num_judged": dict.fromkeys(measured, 40)})
    sizes = {"train": int(figures.get("num_train", 300)), "test": 100}
    changed = scores.model_copy(
        update={"systems": systems, "num_rows": sizes, "num_answered": int(figures.get("num_test", 100))}
    )
    assert changed.grounded is not None
    found = hints.hints(recipe, recipe.task, changed, changed.grounded)
    for notice in found:
        for language in LANGUAGES:
            assert catalogue(language)[notice.key].format(**notice.values)
    return [notice.key.rpartition(".")[2] for notice in found]


def test_each_hint_rests_on_its_figure(judged: Any) -> None:
    recipe, _, scores = judged
    even = {"num_kinds": {"answerable": 38, "missed": 2}, "by_difficulty": {}, "by_domain": {}}
    kinds = scores.grounded.model_copy(update=even)
    fine = scores.model_copy(update={"grounded": kinds})
    assert told(fine, recipe, answered_right=0.95) == ["none"]
    assert told(fine, recipe, answered_right=0.5) == ["answering"]
    assert told(scores, recipe) == ["retrieval_bm25"]
    tuned = recipe.model_copy(update={"task": recipe.task.model_copy(update={"retriever": "runs/retriever"})})
    assert told(scores, tuned) == ["retrieval_retriever"]
    good = {"answered_right": 0.95}
    assert told(fine, recipe, refused_wrong=0.2, **good) == ["refused_wrong"]
    assert told(fine, recipe, refused_right=0.5, **good) == ["refused_right"]
    assert told(fine, recipe, unsupported_numbers=0.1, **good) == ["numbers_taught"]
    sampled = fine.model_copy(update={"generation": fine.generation.model_copy(update={"temperature": 0.7})})
    assert told(sampled, recipe, unsupported_numbers=0.1, **good) == ["numbers_sampled"]
    assert told(fine, recipe, faithfulness=0.6, **good) == ["unfaithful"]
    assert told(fine, recipe, citation_precision=0.6, **good) == ["citation_precision"]
    assert told(fine, recipe, citation_recall=0.6, **good) == ["citation_recall"]
    assert told(fine, recipe, cut_off=0.3, **good) == ["cut_off"]
    assert told(fine, recipe, num_train=40, num_test=20, **good) == ["few_to_learn", "few_to_judge"]
    slow = [one.model_copy(update={"standing": "as_good"}) for one in fine.comparisons]
    assert told(fine.model_copy(update={"comparisons": slow}), recipe, **good) == ["sentence_as_good"]


def test_a_weak_difficulty_and_a_weak_domain_are_named(judged: Any) -> None:
    recipe, _, scores = judged
    weak = {"hard": OriginScores(num_rows=20, systems={"tuned": {"answered_right": 0.4}})}
    rare = {"드문": OriginScores(num_rows=3, systems={"tuned": {"answered_right": 0.0}})}
    kinds = {"num_kinds": {"answerable": 40}, "by_difficulty": weak, "by_domain": rare}
    found = scores.model_copy(update={"grounded": scores.grounded.model_copy(update=kinds)})
    assert told(found, recipe, answered_right=0.95) == ["weak_difficulty"]
    both = found.grounded.model_copy(update={"by_domain": weak})
    assert told(found.model_copy(update={"grounded": both}), recipe, answered_right=0.95)[-1] == "weak_domain"


# -- samples, report ----------------------------------------------------------------------------
def test_samples_keep_what_was_shown(judged: Any) -> None:
    _, run, _ = judged
    first, second = read_samples(run)[:2]
    assert (first.kind, first.reference, first.gold_answer) == ("missed", REFUSAL, "1천 원입니다.")
    assert [one.is_gold for one in first.shown] == [False]
    assert second.question == "도서관 문은 몇 시에 여나요?"
    assert [(one.document, one.page, one.is_gold) for one in second.shown] == [
        ("doc-02", 1, False),
        ("doc-01", 1, True),
    ]
    assert (second.difficulty, second.domain) == ("easy", "시설")


def test_numbers_and_citations_are_marked_where_they_stand(judged: Any) -> None:
    recipe, run, _ = judged
    facts = read_facts(recipe, run)
    sample = facts.samples[1]
    html = marked("오전 1시 또는 8시입니다. [1][2][9]", source_text(sample, facts.chunks), sample.shown)
    assert '<mark class="supported">1</mark>시' in html
    assert '<mark class="number">8</mark>시' in html
    assert '<span class="cited wrong">[1]</span> <span class="cited right">[2]</span>' in html
    assert '<span class="cited wrong">[9]</span>' in html
    assert HOSTILE not in marked(HOSTILE, "", [])
    assert [chunk.text is None for chunk in chunk_views(sample, {})] == [True, True]


def test_the_report_shows_score_kinds_hints_and_chunks(judged: Any) -> None:
    recipe, run, scores = judged
    page = write_report(recipe, run).read_text(encoding="utf-8")
    section = page[page.index('<section id="grounded"') :].partition("</section>")[0]
    assert f"{scores.systems['tuned'].metrics['system_score'].value:.3f}" in section
    for words in ("시스템 점수", "맞는 조각을 찾지 못한 질문", "hard", "문화", "검색이 먼저입니다", "Search first"):
        assert words in section
    answers = page[page.index('<section id="answers"') :].partition("</section>")[0]
    assert "doc-01 p.1 · " in answers
    assert "보인 조각 2개" in answers
    assert '<section id="crisis"' not in page
    markdown = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "시스템 점수" in markdown
    assert "| 맞는 조각을 찾지 못한 질문 | 6 |" in markdown
    assert "위기" not in markdown


def test_everything_from_data_is_escaped(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path)
    test = [row(recipe, number, "answerable") for number in range(30)]
    test[0] = replace(test[0], text=f"도서관 {HOSTILE}", extra=test[0].extra | {retrieve.DOMAIN: HOSTILE})
    run = make_run(recipe, tmp_path / "run", test)
    chunks = [replace(one, text=f"{one.text} {HOSTILE}", document=HOSTILE) for one in chunks_of_corpus()]
    write_chunks(run.split_path("chunks"), chunks)
    evaluated(recipe, run)
    page = write_report(recipe, run).read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert "<script>alert" not in page


def test_three_lines_and_a_headline_in_the_words_of_the_task(judged: Any) -> None:
    recipe, run, _ = judged
    lines = summary_lines(run, "ko")
    assert len(lines) == 3
    assert "바르게 답한 질문 0.800" in lines[1]
    assert "질문과 가장 닮은 문장" in lines[2]
    assert "거절" in verdict_line(run, "ko")
    said = judge(read_facts(recipe, run))
    assert "문서에 답이 있는 질문 30개 가운데" in said.reading[0].ko
    assert browser(read_facts(recipe, run)).samples[0].kind is not None  # type: ignore[union-attr]


def test_nothing_written_is_no_crash(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, evaluate={"generate_rows": 0, "similarity_model": None, "bootstrap_samples": 100})
    run = make_run(recipe, tmp_path / "run")
    scores = evaluated(recipe, run)
    assert scores.grounded is None
    assert "쓰게 하지 않아" in write_report(recipe, run).read_text(encoding="utf-8")


def test_runs_that_find_other_chunks_are_asked_the_same(judged: Any, tmp_path: Path) -> None:
    recipe, run, _ = judged

    class Silent(RuleEngine):
        def _answer(self, prompt: str) -> str:
            return REFUSAL

    everything = [row(recipe, number, "answerable") for number in range(36)]
    other = make_run(recipe, tmp_path / "run", everything)
    scores = evaluated(recipe, other, Silent)
    assert scores.systems["tuned"].metrics["context_hit"].value == 1
    found = compare(run, other, samples=100)
    assert isinstance(found, AnswersComparison)
    assert found.differences["content_rouge_l"].outcome == "worse"
    assert found.differences["answered_right"].value < 0
    assert describe(found, "ko") != describe(found, "en")
    assert compare_runs([run, other], samples=100).best == 0
    fewer = make_run(recipe, tmp_path / "fewer", everything[:30])
    evaluated(recipe, fewer, Silent)
    with pytest.raises(RunError):
        compare(run, fewer)


def test_finishing_steps_keep_citations(tmp_path: Path) -> None:
    class Repeating(RuleEngine):
        def _answer(self, prompt: str) -> str:
            said, cited = answer.split_citations(super()._answer(prompt))
            return f"{said} 자세한 내용은 안내를 보세요. 자세한 내용은 안내를 보세요. [2]" if cited else said

    recipe = recipe_with(tmp_path, generation={"finish": ["drop_repeats", "unify_speech_level"]})
    run = make_run(recipe, tmp_path / "run")
    scores = evaluated(recipe, run, Repeating)
    assert [step.step for step in scores.finishing] == ["drop_repeats", "unify_speech_level"]
    said = read_samples(run)[1].answers["tuned"]
    assert said == "오전 1시에 엽니다. 자세한 내용은 안내를 보세요. [2]" or said.endswith("보십시오. [2]")
    assert scores.systems["tuned"].metrics["citation_recall"].value == 1
