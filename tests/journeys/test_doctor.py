"""`dadeum doctor` as people call it: a healthy model, a collapsed one, a run, and what they do wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.starts.conftest import PROMPTS, VARIED, WARNED, recipe_of, teach


@pytest.fixture(scope="module")
def taught(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("taught")
    return {
        "varied": teach(tiny_llama, folder / "varied", VARIED),
        "warned": teach(tiny_llama, folder / "warned", WARNED),
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "q.txt").write_text("\n".join(PROMPTS) + "\n", encoding="utf-8")
    return tmp_path


def save_adapter(base: Path, folder: Path) -> Path:
    from dadeum.models.load import add_adapter, load_base
    from dadeum.models.precision import choose_precision

    recipe = recipe_of(base)
    model = add_adapter(load_base(recipe.model, choose_precision("fp32")), recipe.model.adapter, False)
    model.save_pretrained(str(folder))
    return folder


def test_a_healthy_model_passes_and_a_collapsed_one_fails(dadeum, here, taught, tiny_llama):
    code, told, err = dadeum("doctor", "--model", taught["varied"], "--prompts", "q.txt")
    assert (code, err) == (0, "")
    assert "q.txt의 질문 21개로 진단합니다" in told
    assert "시작이 건강합니다" in told
    assert (here / "runs/doctor/varied/starts.html").is_file()

    code, told, _ = dadeum(
        "doctor", "--model", tiny_llama, "--adapter", taught["warned"], "--prompts", "q.txt", "--out", "d",
        "--json", "out/found.json", "--answers", "5", "--max-new-tokens", "20",
    )  # fmt: skip
    assert code == 1
    assert "시작이 무너졌습니다" in told and "학습 전 모델" in told and "종료 코드 1" in told
    assert (here / "d/starts.html").is_file()
    found = json.loads((here / "out/found.json").read_text(encoding="utf-8"))
    assert found == json.loads((here / "d/starts.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "collapsed"
    assert found["model"]["answers"]["num"] == 5 and found["max_new_tokens"] == 20
    assert found["base"] is not None
    assert not (here / "runs/doctor/warned").exists()


def test_full_weights_alone_are_examined_without_a_base_and_say_so(dadeum, here, taught):
    (here / "a.txt").write_text("\n".join(WARNED), encoding="utf-8")
    code, told, _ = dadeum("doctor", "--adapter", taught["warned"], "--prompts", "q.txt", "--taught", "a.txt")
    assert code == 1
    assert "어느 모델에서 시작했는지" in told
    assert "데이터가 원인입니다" in told


def test_the_gate_is_what_the_user_says(dadeum, here, taught):
    (here / "one.txt").write_text("\n".join(PROMPTS[:3]), encoding="utf-8")
    code, told, _ = dadeum("doctor", "--model", taught["varied"], "--prompts", "one.txt", "--gate", "at_risk")
    found = json.loads((here / "runs/doctor/varied/starts.json").read_text(encoding="utf-8"))
    assert code == (found["verdict"] != "healthy")
    assert "질문이 3개뿐" in told
    assert dadeum("doctor", "--model", taught["varied"], "--gate", "bad")[0] == 2


def test_without_questions_our_own_are_asked(dadeum, here, taught):
    code, told, _ = dadeum("doctor", "--model", taught["varied"], "--answers", "2", "--max-new-tokens", "2")
    assert code in (0, 1)
    assert "한국어 질문 72개로 진단합니다" in told


def test_a_model_without_a_template_is_asked_under_titles(dadeum, here, tmp_path):
    from tests.tiny import save_llama

    plain = save_llama(tmp_path / "plain", template=None)
    code, told, _ = dadeum("doctor", "--model", plain, "--prompts", "q.txt", "--max-new-tokens", "2")
    assert code == 1  # random weights
    assert "### Instruction" in told


def test_a_run_brings_model_adapter_questions_and_training_answers(dadeum, here, tiny_llama):
    import pyarrow.parquet as pq

    from dadeum.core.examples import Example, to_table
    from dadeum.core.run import Run

    recipe = recipe_of(tiny_llama, name="tiny-chat")
    run = Run.create(recipe, here / "runs" / "tiny-chat" / "one")
    save_adapter(tiny_llama, run.adapter_folder(recipe))
    rows = [
        Example(f"a:{number}", "a", "a", str(number), prompt, [{"role": "user", "content": prompt}],
                [{"role": "assistant", "content": answer}], "")
        for number, (prompt, answer) in enumerate(zip(PROMPTS, VARIED, strict=True))
    ]  # fmt: skip
    run.split_path("train").parent.mkdir()
    pq.write_table(to_table(rows[:12]), run.split_path("train"))
    pq.write_table(to_table(rows[10:]), run.split_path("test"))
    code, told, _ = dadeum("doctor", run.folder, "--max-new-tokens", "4", "--no-base")
    assert code == 1  # random weights
    assert "시험 질문 11개로 진단합니다" in told
    assert "질문 2개는 학습 행에도 있는" in told
    found = json.loads((here / "runs/doctor/tiny-chat-one/starts.json").read_text(encoding="utf-8"))
    assert found["num_prompts"] == 11
    assert found["taught"]["num"] == 12
    assert found["base"] is None

    # The adapter of a run, named by its folder, brings the run along.
    code, told, _ = dadeum(
        "doctor", "--adapter", run.adapter_folder(recipe), "--prompts", "q.txt", "--max-new-tokens", "2", "--no-base"
    )
    assert code == 1
    assert "학습 행에도 있는" in told
    assert (here / "runs/doctor/tiny-chat-one/starts.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "무엇을 진단할지"),
        (["nowhere"], "nowhere"),
        (["--adapter", "nowhere"], "nowhere"),
        (["--model", "nowhere/at-all", "--prompts", "q.txt"], "nowhere/at-all"),
        (["--prompts", "q.txt"], "무엇을 진단할지"),
    ],
)
def test_what_is_not_there_is_said(dadeum, here, arguments, told):
    code, _, err = dadeum("doctor", *arguments)
    assert code == 2
    assert told in err
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [("e.txt", "\n", "하나도 없습니다"), ("e.csv", "제목\n가\n", "제목"), ("gone.jsonl", None, "gone.jsonl")],
)
def test_questions_that_cannot_be_read_are_said(dadeum, here, tiny_llama, name, content, told):
    if content is not None:
        (here / name).write_text(content, encoding="utf-8")
    code, _, err = dadeum("doctor", "--model", tiny_llama, "--prompts", name)
    assert code == 2
    assert told in err


def test_an_adapter_of_another_base_is_refused_and_a_moved_base_is_not(dadeum, here, tiny_llama, tmp_path):
    import shutil

    from tests.tiny import save_llama

    adapter = save_adapter(tiny_llama, tmp_path / "lora")
    other = save_llama(tmp_path / "other", seed=1)
    few = ["--prompts", "q.txt", "--answers", "2", "--max-new-tokens", "2"]
    code, _, err = dadeum("doctor", "--model", other, "--adapter", adapter, *few)
    assert code == 2
    assert str(tiny_llama) in err and str(other) in err and "레시피" not in err

    moved = tmp_path / "moved"
    shutil.copytree(adapter, moved)
    settings = json.loads((moved / "adapter_config.json").read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = "/gone/base"
    (moved / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    code, told, _ = dadeum("doctor", "--model", tiny_llama, "--adapter", moved, *few, "--no-base")
    assert code == 1  # random weights
    assert "/gone/base" in told

    # One that names no base takes the model that is given, and must fit its layers.
    settings["base_model_name_or_path"] = None
    (moved / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    code, _, err = dadeum("doctor", "--adapter", moved, *few)
    assert code == 2
    assert "--model" in err
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.tiny import save_tokenizer

    narrow = tmp_path / "narrow"
    vocabulary = len(save_tokenizer(narrow))
    LlamaForCausalLM(
        LlamaConfig(vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=2, num_key_value_heads=2)
    ).save_pretrained(str(narrow))  # fmt: skip
    code, _, err = dadeum("doctor", "--model", narrow, "--adapter", moved, *few)
    assert code == 2
    assert "맞지 않습니다" in err
    # Full weights of another architecture: the tokenizer would not be theirs.
    code, _, err = dadeum("doctor", "--model", narrow, "--adapter", other, *few)
    assert code == 2
    assert "hidden_size" in err and "레시피" not in err
