"""What `plan` says of an encoder-decoder, one that is made in the run included."""

from __future__ import annotations

import json

import pytest

from dadeum.models.fresh import NAME
from dadeum.planning import plan
from tests.models.tiny_seq2seq import save_bart, summary_recipe

OFF = {"block_on": []}
"""The talks are alike on purpose."""


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "talks.jsonl"
    rows = [
        {"dialogue": f"#Person1#: 회의는 {n}시입니다.\n#Person2#: 네.", "summary": f"#Person1#는 {n}시라고 합니다."}
        for n in range(20)
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return {"sources": [{"path": str(path)}], "clean": ["nfc"], "split": {"group": "none"}}


def keys(problems):
    return [problem.key for problem in problems]


def test_a_model_made_in_the_run_is_counted_and_called_by_what_it_is(data):
    found = plan(summary_recipe(NAME, data=data, checks=OFF))
    assert found.problems == []
    (stage,) = found.stages
    assert stage.steps == 2 * 8 and stage.memory.need.total > 100 and stage.seconds
    assert any("fresh-bart" in note for note in found.notes)
    assert found.lengths.longest < 128


def test_memory_and_time_of_any_encoder_decoder_are_told(data, tmp_path):
    found = plan(summary_recipe(save_bart(tmp_path / "bart"), {"type": "lora", "r": 4}, data=data, checks=OFF))
    assert found.problems == []
    assert found.stages[0].memory.need.computing > 0 and found.stages[0].seconds


def test_a_wrong_method_and_a_file_for_llama_cpp_are_told_together(data, tmp_path):
    stages = [{"name": "tune", "method": "sft", "learning_rate": 1e-3}]
    recipe = summary_recipe(
        save_bart(tmp_path / "bart"), data=data, stages=stages, checks=OFF, export={"format": "gguf"}
    )
    assert keys(plan(recipe).problems) == ["models.seq2seq.needs_seq2seq", "export.no_seq2seq_file"]


def test_fewer_places_than_the_limit_are_told_and_longer_rows_go(data, tmp_path):
    base = save_bart(tmp_path / "bart")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 38}))
    found = plan(summary_recipe(base, data=data, checks=OFF, render={"max_length_tokens": 512}))
    assert found.removed == {"too_long": 10}  # those with a number of two digits
    assert any("38" in note and "512" in note for note in found.notes)
