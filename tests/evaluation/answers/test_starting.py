from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, to_table
from dadeum.core.run import Run, append_jsonl, read_json
from dadeum.evaluation.answers import starting
from dadeum.evaluation.answers.facts import read_scores
from dadeum.evaluation.answers.repair import healing
from dadeum.evaluation.answers.repair_scores import StartScores
from dadeum.evaluation.answers.rows import read_rows
from dadeum.evaluation.answers.starts_view import all_figures, asked_words, models_of, start_rows
from dadeum.evaluation.evaluate import evaluate, score_base
from dadeum.evaluation.gates import check_gates_syntax
from dadeum.evaluation.report import summary_lines, verdict_line, write_report
from dadeum.tasks import chat
from tests.starts.conftest import PROMPTS, VARIED, WARNED, recipe_of, teach

NO_ADAPTER = {"type": "none"}
SUMMARIES = {"type": "summarize", "instruction": "요약하세요."}


def row(recipe: Any, number: int, question: str, answer: str) -> Example:
    turns: Any = [{"role": "user", "content": question}]
    return Example(
        id=f"talk:{number}", source="talk", origin="talk", group=f"g{number}", text=question,
        prompt=chat.prompt(recipe.task, turns), completion=chat.completion(answer), label="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def taught(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One model that answers what it was asked, one that warns whatever it was asked."""
    folder = tmp_path_factory.mktemp("taught")
    return SimpleNamespace(
        base=tiny_llama, good=teach(tiny_llama, folder / "good", VARIED), bad=teach(tiny_llama, folder / "bad", WARNED)
    )


def make(taught: Any, folder: Path, weights: Path, **evaluated: Any) -> tuple[Any, Run]:
    """A run of full weights that went on from the one that warns."""
    wanted = {
        "bootstrap_samples": 100, "batch_size": 32, "similarity_model": None, "generate_rows": 0,
        "baselines": ("before",), "starts": {"answers": 21, "max_new_tokens": 24},
    }  # fmt: skip
    model = {"base": str(taught.base), "adapter": NO_ADAPTER, "precision": "fp32", "start": str(taught.bad)}
    recipe = recipe_of(taught.base, model=model, evaluate=wanted | evaluated)
    run = Run.create(recipe, folder)
    run.split_path("test").parent.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [row(recipe, number, *pair) for number, pair in enumerate(zip(PROMPTS, VARIED, strict=True))]
        pq.write_table(to_table(rows), run.split_path(split))
    shutil.copytree(weights, run.adapter_folder(recipe))
    return recipe, run


@pytest.fixture(scope="module")
def healed(taught: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Run]:
    """Evaluated once for this file; as many questions as dadeum's own would be are not needed here."""
    made = make(
        taught, tmp_path_factory.mktemp("healed") / "run", taught.good,
        gates={"starts": "<= 0"}, starts={"answers": 21, "max_new_tokens": 24, "prompts": str(prompts(taught.good))},
    )  # fmt: skip
    append_jsonl(made[1].metrics_path, {"stage": "sft", "step": 1, "loss": 2.5})
    evaluate(*made)
    return made


def prompts(folder: Path) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("\n".join(json.dumps({"question": one}, ensure_ascii=False) for one in PROMPTS), encoding="utf-8")
    return path


def test_the_given_weights_are_held_against_the_trained_ones(healed: tuple[Any, Run]) -> None:
    scores = read_scores(healed[1])
    assert scores is not None and scores.starts is not None
    found = scores.starts
    assert found.before is not None and found.base is not None
    assert (found.before.verdict, found.tuned.verdict) == ("collapsed", "healthy"), found.tuned.reasons
    assert found.before.model.answers.warnings.value == 1
    assert found.base.reasons[0].signal == "untrained"
    assert healing(found) == "healed"
    assert (found.num_own, found.num_shipped, found.from_file) == (21, 0, "prompts.jsonl")
    assert found.tuned.taught is not None and found.base.taught is None
    stored = read_json(healed[1].scores_path.parent / "starts.json")
    assert StartScores.model_validate(stored) == found
    (gate,) = scores.gates
    assert (gate.metric, gate.value, gate.target, gate.passed) == ("starts", 0, 0, True)


def test_the_report_leads_with_it(healed: tuple[Any, Run]) -> None:
    assert verdict_line(healed[1], "ko").startswith("답의 시작이 건강하게 돌아왔습니다.")
    assert verdict_line(healed[1], "en").startswith("Answers begin as they should again.")
    assert "답의 시작: 무너짐 → 건강 (질문 21개)" in summary_lines(healed[1], "ko")
    page = write_report(*healed).read_text(encoding="utf-8")
    section = page[page.index('<section id="starts"') :].partition("</section>")[0]
    for said in ("받은 어댑터", "무너짐", "참고용으로만.", PROMPTS[0], "prompts.jsonl", "상투어"):
        assert said in section, said
    markdown = (healed[1].folder / "report.md").read_text(encoding="utf-8")
    assert "## 답의 시작 · How answers begin" in markdown and "| 받은 어댑터 | 미세조정 | 미세조정 전 |" in markdown


def test_the_views_have_a_column_per_model(healed: tuple[Any, Run]) -> None:
    scores = read_scores(healed[1])
    assert scores is not None and scores.starts is not None
    models = models_of("chat", scores.starts)
    assert [model.system for model in models] == ["before", "tuned", "base_model"]
    assert models[0].reasons and not models[1].reasons
    assert {len(one.cells) for one in start_rows(scores.starts)} == {3}
    every = all_figures("chat", scores.starts)
    assert {len(one.cells) for part in every["rows"].values() for one in part} == {len(every["columns"])} == {4}
    assert "prompts.jsonl" in asked_words(scores.starts)[0].ko


def test_what_training_does_not_change_is_examined_once(
    healed: tuple[Any, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path | None] = []
    examine = starting.examine

    def counted(subject: Any, weights: Path | None, *rest: Any, **more: Any) -> Any:
        asked.append(weights)
        return examine(subject, weights, *rest, **more)

    monkeypatch.setattr(starting, "examine", counted)
    recipe, run = healed
    score_base(recipe, run)
    assert asked == []
    other = recipe.model_copy(update={"seed": 7})
    score_base(other, run)
    assert asked == [None, Path(recipe.model.start)]


def test_a_gate_fails_where_answers_begin_broken(taught: Any, tmp_path: Path) -> None:
    recipe, run = make(
        taught, tmp_path / "run", taught.bad, gates={"starts": "<= 0"}, starts={"answers": 4, "max_new_tokens": 4}
    )
    scores = evaluate(recipe, run)
    assert [(gate.value, gate.passed) for gate in scores.gates] == [(2, False)]
    assert verdict_line(run, "ko").startswith("답의 시작이 고쳐지지 않았습니다.")
    assert scores.starts is not None and scores.starts.num_shipped == starting.LEAST - 21
    against = recipe.model_copy(
        update={"evaluate": recipe.evaluate.model_copy(update={"gates": {"starts": "< baselines.before"}})}
    )
    assert check_gates_syntax(against) == []


def test_few_questions_are_filled_up_and_many_are_drawn_from(taught: Any, tmp_path: Path) -> None:
    recipe, run = make(taught, tmp_path / "run", taught.good)
    asked, num_own = starting.asked_of(recipe, read_rows(recipe, run))
    assert (len(asked.prompts), num_own) == (starting.LEAST, 21)
    assert [prompt[-1]["content"] for prompt in asked.prompts[:21]] == PROMPTS
    many = [row(recipe, number, f"질문 {number}?", "네.") for number in range(500)]
    pq.write_table(to_table(many), run.split_path("test"))
    asked, num_own = starting.asked_of(recipe, read_rows(recipe, run))
    assert len(asked.prompts) == num_own == starting.MOST
    assert asked.prompts[-1][-1]["content"] == "질문 497?"  # evenly over all of them


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"evaluate": {"starts": {"prompts": "/nowhere/prompts.jsonl"}}}, "evaluate.repair.no_prompts"),
        (
            {"evaluate": {"starts": {}}, "stages": [{"name": "s", "method": "seq2seq"}], "task": SUMMARIES},
            "starts.no_decoder",
        ),
        (
            {"evaluate": {"ability": True}, "stages": [{"name": "s", "method": "seq2seq"}],
             "task": SUMMARIES},
            "evaluate.ability.no_decoder",
        ),
        ({"evaluate": {"gates": {"starts": "<= 0"}}}, "evaluate.gates.unknown_metric"),
    ],
)  # fmt: skip
def test_what_cannot_be_examined_is_found_before_training(changes: Any, key: str) -> None:
    assert [problem.key for problem in check_gates_syntax(recipe_of(Path("base"), **changes))] == [key]


def test_labels_have_no_beginning_to_look_at() -> None:
    from tests.tiny import decide_recipe

    found = check_gates_syntax(decide_recipe("base", evaluate={"starts": {}, "ability": True}))
    assert [(one.key, one.values["field"]) for one in found] == [
        ("evaluate.repair.of_free_answers", "starts"), ("evaluate.repair.of_free_answers", "ability"),
    ]  # fmt: skip


def test_a_broken_file_of_questions_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"question": "왜?"}\n{"other": 1}\n', encoding="utf-8")
    (found,) = check_gates_syntax(recipe_of(Path("base"), evaluate={"starts": {"prompts": str(path)}}))
    assert isinstance(found, DataError) and str(path) in str(found)
