"""What `plan` says of stages on pairs and on rewards: steps, tokens, memory, and what no run could begin with."""

from __future__ import annotations

import json

import pytest

from dadeum.core.recipe import Recipe
from dadeum.planning import plan
from tests.tiny import decide_recipe

ASKED = [f"{n}번 방은 어디에 있나요?" for n in range(20)]
FIRST = {"name": "first", "method": "sft", "epochs": 1, "batch_size": 4}


@pytest.fixture
def chat(tmp_path, tiny_llama):
    """A recipe of 20 conversations; its stages are given."""
    rows = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": f"{n}층에 있습니다."}]}
        for n, asked in enumerate(ASKED)
    ]
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    data = {"sources": [{"path": str(path)}], "clean": ["nfc"], "split": {"group": "none"}}

    def made(*stages) -> Recipe:
        raw = {"task": {"type": "chat"}, "data": data, "checks": {"block_on": []}, "stages": [FIRST, *stages]}
        recipe = decide_recipe(
            tiny_llama, model={"base": str(tiny_llama), "adapter": {"type": "lora", "r": 4}, "precision": "fp32"}
        )
        return Recipe.model_validate(recipe.model_dump(mode="json") | raw)

    return made


def test_answers_of_all_methods_are_counted(chat):
    online = {"rewards": {"length": 1.0}, "batch_size": 4, "generations": 2, "max_new_tokens": 6, "epochs": 0.5}
    found = plan(chat({"name": "grpo", "method": "grpo"} | online, {"name": "ppo", "method": "ppo"} | online))
    assert found.problems == []
    first, *stages = found.stages
    train = sum(found.used["train"].values())
    assert first.notes == () and train % 2 == 0
    for stage in stages:
        assert stage.steps == -(-train // 2) // 2 or stage.steps == -(-(train // 2) // 2)
        # Two prompts a step, two answers each, of at most 6 tokens.
        assert stage.tokens > stage.steps * 4 * 6
        assert stage.memory.fits and stage.memory.need.total > 300
        assert f"{stage.steps * 4:,}" in stage.notes[0]


def test_pairs_of_a_file_are_read_as_the_run_reads_them(chat, tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": asked, "chosen": "네, 여기입니다.", "rejected": "모릅니다."} for asked in ASKED]
    rows.append(rows[0] | {"rejected": rows[0]["chosen"]})
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    found = plan(chat({"name": "dpo", "method": "dpo", "batch_size": 2, "epochs": 1, "pairs": {"path": str(path)}}))
    assert found.problems == []
    stage, train = found.stages[1], sum(found.used["train"].values())
    # Rows of the validation and test splits are never learnt from; a share of the others validates.
    assert train / 2 * 0.7 <= stage.steps <= -(-train // 2)
    assert "21" not in stage.notes[0] and str(21 - train) in stage.notes[0]
    assert stage.memory.need.computing > 0


def test_what_no_run_could_begin_with_is_a_problem(chat, tmp_path):
    path = tmp_path / "pairs.jsonl"
    same = {"prompt": ASKED[0], "chosen": "네.", "rejected": "네."}
    path.write_text(json.dumps(same, ensure_ascii=False) + "\n", encoding="utf-8")
    pairs = {"name": "dpo", "method": "dpo", "pairs": {"path": str(path)}}
    many = {"name": "grpo", "method": "grpo", "rewards": {"length": 1.0}, "batch_size": 64, "generations": 2}
    keys = [problem.key for problem in plan(chat(pairs, many)).problems]
    assert keys == ["plan.methods.no_pairs", "plan.methods.too_few_rows"]
