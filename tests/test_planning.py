from __future__ import annotations

import json

import pytest

from dadeum.core.recipe import Recipe
from dadeum.planning import plan
from tests.tiny import decide_recipe

WORDS = [a + b for a in "가나다라마바사아자차" for b in "람솔빛결별들곰찬온누"]


@pytest.fixture
def recipe(tmp_path, tiny_llama) -> Recipe:
    rows = []
    for number in range(60):
        words = " ".join(WORDS[(number * 7 + k * 13) % 100] for k in range(3 + number % 5))
        rows.append({"subject": f"{words} {number}", "label": ("BLOCK", "ALLOW")[number % 2]})
    path = tmp_path / "mail.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    data = {"sources": [{"path": str(path), "map": {"subject": "subject", "label": "label"}}]}
    return decide_recipe(tiny_llama, data=data)


def changed(recipe: Recipe, **sections) -> Recipe:
    return Recipe.model_validate(recipe.model_dump(mode="json") | sections)


def test_rows_lengths_steps_and_tokens_add_up(recipe):
    found = plan(recipe)
    assert found.problems == []
    used = sum(sum(labels.values()) for labels in found.used.values())
    assert found.rows_in == 60 == used + sum(found.removed.values())
    lengths = found.lengths
    assert lengths.p50 <= lengths.p95 <= lengths.p99 <= lengths.longest <= lengths.limit
    (stage,) = found.stages
    train_rows = sum(found.used["train"].values())
    assert stage.steps == 2 * -(-train_rows // 4)
    assert train_rows * 2 * lengths.longest_answer < stage.tokens <= train_rows * 2 * lengths.longest
    assert stage.memory.fits and stage.memory.need.total > 300


def test_every_problem_at_once(recipe):
    wrong = changed(
        recipe,
        model=recipe.model.model_dump() | {"adapter": {"type": "lora", "targets": ["out_proj"]}},
        evaluate={"gates": {"macrof1": ">= 0.5"}},
        stages=[recipe.stages[0].model_dump() | {"eval_steps": 2, "save_steps": 3, "trainer_args": {"no_such": 1}}],
    )
    keys = {problem.key for problem in plan(wrong).problems}
    assert {"train.no_target", "train.save_steps", "train.unknown_trainer_arg"} <= keys
    assert any(key.startswith("evaluate.") for key in keys)


def test_rows_over_the_limit_are_counted_by_what_the_recipe_does_with_them(recipe):
    limit = plan(recipe).lengths.p50
    render = {"max_length_tokens": limit}
    dropped = plan(changed(recipe, render=render))
    assert dropped.removed["too_long"] > 0
    cut = plan(changed(recipe, render=render | {"truncation": "cut_input"}))
    assert cut.lengths.rows_cut == dropped.removed["too_long"]
    assert cut.lengths.longest <= limit


def test_licence_terms_are_told_without_loading_the_model(recipe):
    base = {"base": "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", "adapter": {"type": "lora"}}
    found = plan(changed(recipe, model=base))
    assert any("EXAONE-tiny" in note for note in found.notes)
    assert [problem.key for problem in found.problems] == ["train.no_model"]
    assert found.rows_in == 60


def test_what_would_stop_the_export_is_told_before_the_training(recipe):
    base = {"base": recipe.model.base, "adapter": {"type": "qlora"}}
    found = plan(changed(recipe, model=base, export={"format": "merged"}))
    assert [problem.key for problem in found.problems] == ["export.merge_quantised"]


def test_a_name_that_the_licence_forbids_is_told_once(recipe):
    base = {"base": "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", "adapter": {"type": "lora"}}
    keys = [problem.key for problem in plan(changed(recipe, model=base, export={"name": "ours"})).problems]
    assert keys.count("export.name_prefix") == 1


def test_a_default_system_text_is_told_of_only_where_it_comes_in(recipe, monkeypatch):
    from dadeum.core.messages import Message
    from dadeum.data.lengths.tokens import TokenCounter

    surprise = Message("models.families.default_system", {"family": "SmolLM2"})
    monkeypatch.setattr(TokenCounter, "notes", [surprise])
    assert str(surprise) not in plan(recipe).notes  # a decision has a system turn
    said = [
        [{"role": "user", "content": f"질문 {word}"}, {"role": "assistant", "content": f"{word}요."}] for word in WORDS
    ]
    chats = [{"messages": turns} for turns in said[:40]]
    path = recipe.data.sources[0].path.replace("mail", "chat")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in chats)
    raw = {"task": {"type": "chat"}, "data": {"sources": [{"path": path}]}}
    assert str(surprise) in plan(changed(recipe, **raw)).notes


def test_weights_to_go_on_from_are_told_and_those_that_do_not_fit_are_a_problem_once(recipe, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    shape = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": ["q_proj", "v_proj"]}
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "adapter_config.json").write_text(json.dumps(shape))
    save_file({"q_proj.lora_A.weight": np.zeros(2, np.float32)}, tmp_path / "given" / "adapter_model.safetensors")

    def on(start, r):
        adapter = {"type": "lora", "r": r, "alpha": 8, "targets": ["q_proj", "v_proj"]}
        return plan(changed(recipe, model=recipe.model.model_dump() | {"adapter": adapter, "start": str(start)}))

    fitting = on(tmp_path / "given", 4)
    assert fitting.problems == []
    assert sum(str(tmp_path / "given") in note for note in fitting.notes) == 2  # goes on from it; nobody knows its rows
    assert [problem.key for problem in on(tmp_path / "given", 8).problems] == ["models.started.other_shape"]
    assert [problem.key for problem in on(tmp_path / "gone", 4).problems] == ["models.started.no_folder"]
