"""A run that summarises, with models that are rules: verdict, baselines, the human line, marks and signatures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.examples import Example, Turn, answer_of, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.answers import models
from dadeum.evaluation.answers.facts import read_facts, read_samples
from dadeum.evaluation.answers.report import SECTIONS
from dadeum.evaluation.answers.scores import AnswerScores
from dadeum.evaluation.answers.summary_view import dialogue_of, marked, unsupported
from dadeum.evaluation.answers.verdict import judge
from dadeum.evaluation.evaluate import evaluate
from dadeum.evaluation.report import summary_lines, verdict_line, write_report
from dadeum.models.engines import Written
from dadeum.models.likelihood import Likelihood
from dadeum.tasks import summarize

INSTRUCTION = "다음 대화를 요약하세요."
THINGS = ("기차표", "우산", "노트북", "사과", "운동화", "커튼")
PLACES = ("서울역", "학교", "시장", "도서관", "백화점")


def recipe_with(**sections: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "dialogue-summary",
            "task": {"type": "summarize", "instruction": INSTRUCTION},
            "model": {"base": "smollm2-135m", "adapter": {"type": "lora"}},
            "data": {"sources": [{"path": "/data/dialogues.csv"}]},
            "stages": [{"name": "sft", "method": "sft"}],
            "generation": {"beams": 4, "no_repeat_ngram": 3, "max_new_tokens": 80},
            "evaluate": {"bootstrap_samples": 200, "generate_rows": 30},
            "seed": 5,
        }
        | sections
    )


def row(recipe: Recipe, number: int) -> Example:
    thing, place, hour = THINGS[number % 6], PLACES[number % 5], 1 + number % 9
    dialogue = (
        f"#Person1#: 오늘은 날씨가 좋네요.\n#Person2#: 네, 그런데 {thing} 때문에 걱정이에요.\n"
        f"#Person1#: 그럼 {hour}시에 {place}에서 {thing} 고르는 걸 도와줄게요.\n#Person2#: 고마워요. 늦지 않을게요."
    )
    first = f"#Person1#은 {hour}시에 {place}에서 #Person2#가 {thing} 고르는 것을 돕기로 합니다."
    second = f"#Person2#가 {thing} 때문에 걱정하자 #Person1#은 {hour}시에 {place}에서 만나 돕겠다고 합니다."
    extra = {summarize.REFERENCES: json.dumps([second], ensure_ascii=False)} if number % 2 else {}
    return Example(
        f"talk:{number}", "talk", "talk", f"g{number}", dialogue, summarize.prompt(recipe.task, dialogue, "chat"),
        summarize.completion(first), "", extra=extra,
    )  # fmt: skip


class RuleEngine:
    """Writes by a rule on the dialogue."""

    def __init__(self, tuned: bool) -> None:
        self._tuned = tuned
        self.renderer = SimpleNamespace(answer_ids=list, stop_ids=[0])

    def write(self, prompts: list[list[Turn]], *_: Any, **__: Any) -> list[Written]:
        return [Written(self._summary(prompt[-1]["content"]), finished=True) for prompt in prompts]

    def _summary(self, dialogue: str) -> str:
        if not self._tuned:
            return "This is a dialogue between two people. " + dialogue[-20:]
        line = dialogue.splitlines()[-2].removeprefix("#Person1#: 그럼 ").removesuffix("걸 도와줄게요.")
        wrong = line.replace("3시", "11시 30분")
        return f"#Person1#은 {wrong}것을 돕기로 합니다." + (" Tommy도 옵니다." if "커튼" in line else "")

    def log_likelihoods(self, rows: list[Example], *_: Any, **__: Any) -> list[Likelihood]:
        nats = 1.5 if self._tuned else 4.0
        return [Likelihood(-nats * len(answer_of(row)), len(answer_of(row))) for row in rows]

    def close(self) -> None:
        pass


def make_run(recipe: Recipe, folder: Path) -> Run:
    run = Run.create(recipe, folder)
    run.split_path("test").parent.mkdir(parents=True)
    for split, numbers in {"train": range(60), "validation": range(60, 66), "test": range(100, 140)}.items():
        pq.write_table(to_table([row(recipe, number) for number in numbers]), run.split_path(split))
    run.adapter_folder(recipe).mkdir(parents=True)
    return run


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Run, AnswerScores]:
    """Evaluated once for this file."""
    recipe = recipe_with()
    run = make_run(recipe, tmp_path_factory.mktemp("summaries") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_engine", lambda recipe, weights: RuleEngine(weights is not None))
        scores = evaluate(recipe, run)
    assert isinstance(scores, AnswerScores)
    return recipe, run, scores


def test_every_baseline_of_the_task_and_the_figures_of_the_issue(judged: Any) -> None:
    _, run, scores = judged
    assert set(scores.systems) == {"tuned", "base_model", "lead", "textrank", "constant"}
    assert next(iter(scores.metrics)) == "content_rouge_l"
    wanted = {"rouge", "rouge_1", "rouge_l", "rouge_l_max", "chrf_pp", "char_f1", "length_ratio", "copied", "density"}
    assert wanted | {"unsupported_numbers", "unsupported_names", "speech_level", "repetition"} <= set(scores.metrics)
    assert "similarity" not in scores.metrics
    sample = read_samples(run)[0]
    assert "rouge_l" in sample.metrics["tuned"]
    assert "chrf_pp" not in sample.metrics["tuned"]  # of the corpus: no row has one
    chosen = {notice.key.rpartition(".")[2] for notice in scores.warnings}
    assert {"constant_chosen", "lead_chosen", "textrank_chosen"} <= chosen


def test_the_verdict_rests_on_content_words_and_needs_all_rivals(judged: Any) -> None:
    _, _, scores = judged
    assert scores.counted == ["content_rouge_l"]
    assert {one.baseline: one.standing for one in scores.comparisons} == dict.fromkeys(
        ("base_model", "lead", "textrank", "constant"), "better"
    )
    assert scores.verdict == "better"
    floor, ours = (scores.systems[name].metrics["content_rouge_l"].value for name in ("constant", "tuned"))
    assert floor < 0.6 < ours


def test_signatures_and_what_another_person_gets(judged: Any) -> None:
    _, _, scores = judged
    assert "kiwi" in scores.signatures["rouge_1"]
    assert "content" in scores.signatures["content_rouge_l"]
    assert scores.signatures["content_rouge_l"] != scores.signatures["rouge_l"]
    assert scores.num_another == sum(int(sample.id.split(":")[1]) % 2 for sample in judged_samples(judged))
    assert 0.3 < scores.another_person["content_rouge_l"] < 1
    assert "length_ratio" not in scores.another_person


def judged_samples(judged: Any) -> Any:
    return read_samples(judged[1])


def test_three_lines_and_the_verdict_speak_of_summaries(judged: Any) -> None:
    _, run, scores = judged
    korean, english = summary_lines(run, "ko"), summary_lines(run, "en")
    assert len(korean) == len(english) == 3
    best = max(("lead", "textrank"), key=lambda name: scores.systems[name].metrics["content_rouge_l"].value)
    name = {"lead": "대화 앞부분을 그대로 돌려주기", "textrank": "중요한 마디를 골라 그대로 돌려주기 (TextRank)"}[best]
    assert korean[2].startswith(f"기준선({name}): 시험 데이터 30건을 요약했습니다. 내용어 ROUGE-L 0.")
    assert english[1].startswith("After tuning: 30 rows of the test data summarised. content-word ROUGE-L 0.")
    assert "요약은 미세조정 전보다 사람이 쓴 요약에 가깝습니다" in verdict_line(run, "ko")
    assert "copying from the dialogue" in verdict_line(run, "en")


def test_cautions_say_what_this_size_can_show(judged: Any) -> None:
    recipe, run, _ = judged
    said = [caution.en for caution in judge(read_facts(recipe, run)).cautions]
    assert any("has to be larger than about 0." in one for one in said)
    assert any("English model" in one for one in said)
    fresh = recipe.model_copy(update={"model": recipe.model.model_copy(update={"base": "fresh-bart"})})
    said = [caution.en for caution in judge(read_facts(fresh, run)).cautions]
    assert any("random numbers" in one for one in said)


def test_the_page_explains_itself_and_marks_what_is_made_up(judged: Any) -> None:
    recipe, run, _ = judged
    page = write_report(recipe, run).read_text(encoding="utf-8")
    absent = ("crisis", "finishing", "grounded", "starts", "regression", "ability")
    for section in SECTIONS:
        assert (f'<section id="{section}"' in page) == (section not in absent)
    assert '<mark class="number">30</mark>' in page
    assert '<mark class="name">Tommy</mark>' in page
    for said in (
        "#Person1#만 같은 문장",
        "빔 4개",
        "3토큰 반복 금지",
        "사람끼리 견준 값",
        "analyser:kiwi-",
        "같은 요약 하나",
    ):
        assert said in page
    assert INSTRUCTION not in page[page.index('<section id="answers"') :].partition("</section>")[0]
    assert "Words(" not in page
    markdown = (run.folder / "report.md").read_text(encoding="utf-8")
    assert "analyser:kiwi-" in markdown
    assert "위기" not in markdown


def test_marks_escape_what_they_stand_in() -> None:
    assert marked("<b>8시</b> 만남", "7시") == '&lt;b&gt;<mark class="number">8</mark>시&lt;/b&gt; 만남'


def test_examples_are_few_and_name_their_words(judged: Any) -> None:
    recipe, run, _ = judged
    found = unsupported(read_facts(recipe, run))
    assert 0 < len(found) <= 5
    assert all(one.found for one in found)
    assert dialogue_of(recipe, f"{INSTRUCTION}\n\n#Person1#: 네") == "#Person1#: 네"


def test_without_models_asked_to_write_there_is_only_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_with(evaluate={"bootstrap_samples": 100, "generate_rows": 0})
    run = make_run(recipe, tmp_path / "run")
    monkeypatch.setattr(models, "load_engine", lambda recipe, weights: RuleEngine(weights is not None))
    scores = evaluate(recipe, run)
    assert isinstance(scores, AnswerScores)
    assert scores.counted == ["loss"]
    assert scores.another_person == {}
    assert "요약" in write_report(recipe, run).read_text(encoding="utf-8")
