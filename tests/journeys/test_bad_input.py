"""Mistakes people make: each gives one clear sentence, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import pytest
import yaml


def change(project, **sources):
    """Rewrite the first source of the recipe."""
    path = project / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["data"]["sources"][0] |= sources
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")


def csv(project, content: bytes | str, name: str = "block.csv"):
    data = content.encode("utf-8") if isinstance(content, str) else content
    (project / name).write_bytes(data)


HEADER = "제목,첨부,메일 종류\n"
GOOD = "".join(f"무료 당첨 {n} 안내 {chr(0xAC00 + 31 * n)},,스팸\n" for n in range(30))

CASES = {
    "missing file": (lambda p: change(p, path="blok.csv"), "blok.csv"),
    "directory": (lambda p: change(p, path="."), ""),
    "empty file": (lambda p: csv(p, ""), "block.csv"),
    "header only": (lambda p: csv(p, HEADER), "block.csv"),
    "wrong encoding": (lambda p: change(p, encoding="utf-8"), "block.csv"),
    "undecodable": (lambda p: csv(p, b"\xff\xfa\x80\x81\x00\x9f" * 50), "block.csv"),
    "cell of one megabyte": (lambda p: csv(p, HEADER + GOOD + "가" * 1_100_000 + ",,스팸\n"), "32"),
    "broken JSON line": (lambda p: csv(p, '{"title": "a", "attachments": []}\n{"title": \n', "allow.jsonl"), "2"),
    "NaN label": (lambda p: csv(p, HEADER + GOOD + "제목,,NaN\n"), "32"),
    "unknown label": (lambda p: csv(p, HEADER + GOOD + "제목,,정상메일\n"), "정상메일"),
    "two columns with one name": (lambda p: csv(p, "제목,제목,메일 종류\n" + GOOD), "제목"),
    "unmapped column": (lambda p: change(p, map={"subject": "제묵", "label": "메일 종류"}), "제묵"),
    "ragged row": (lambda p: csv(p, HEADER + GOOD + "하나,,스팸,넷,다섯\n"), "32"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_sentence_and_nothing_half_written(project, dadeum, name):
    break_it, mentioned = CASES[name]
    break_it(project)
    before = sorted(path.name for path in project.iterdir())
    for command in (["run"], ["plan"], ["data", "build"]):
        code, _, err = dadeum(*command, "recipe.yaml")
        assert code == 2, command
        assert mentioned in err
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) <= 12
    assert sorted(path.name for path in project.iterdir()) == before


def test_one_class_is_refused_before_any_training(project, dadeum):
    csv(project, "", "allow.jsonl")
    recipe = yaml.safe_load((project / "recipe.yaml").read_text(encoding="utf-8"))
    recipe["data"]["sources"].pop()
    (project / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    code, out, err = dadeum("run", "recipe.yaml")
    assert code == 2
    assert "BLOCK" in out + err
    assert not list(project.glob("runs/*/*"))


def test_all_mistakes_of_a_recipe_at_once_with_line_and_nearest_name(project, dadeum):
    text = (project / "recipe.yaml").read_text(encoding="utf-8")
    text = text.replace("batch_size", "batchsize").replace("max_length_tokens", "max_lenght_tokens")
    (project / "recipe.yaml").write_text(text, encoding="utf-8")
    code, _, err = dadeum("plan", "recipe.yaml")
    assert code == 2
    lines = text.splitlines()
    for wrong, right in (("batchsize", "batch_size"), ("max_lenght_tokens", "max_length_tokens")):
        number = next(i for i, line in enumerate(lines, start=1) if wrong in line)
        assert f"{number}번째 줄" in err
        assert f"'{right}'" in err


@pytest.mark.parametrize(
    ("override", "mentioned"),
    [
        ("model.adapter.targets=[out_proj]", "o_proj"),
        ("evaluate.gates={macrof1: '>= 0.5'}", "macro_f1"),
        ("stages.sft.trainer_args={weight_decai: 0.1}", "weight_decay"),
        ("model.base=no/such-model", "no/such-model"),
        ("checks.block_on=[single_clas]", "single_class"),
        ("render.truncation=raise", ""),
        ("no_equals_sign", "a.b"),
    ],
)
def test_plan_finds_it_before_anything_is_loaded(project, dadeum, override, mentioned):
    arguments = ["--set", override] + (["--set", "render.max_length_tokens=60"] if "truncation" in override else [])
    code, _, err = dadeum("plan", "recipe.yaml", *arguments)
    assert code == 2
    assert mentioned in err
    assert not list(project.glob("runs/*/*"))


@pytest.mark.parametrize("command", ["check", "build"])
def test_a_file_cannot_be_the_folder_of_a_check(project, dadeum, command):
    (project / "taken").write_text("a file, not a folder")
    code, out, err = dadeum("data", command, "block.csv", "--out", "taken")
    assert code == 2
    assert "taken" in err
    assert "Traceback" not in err
    assert out == ""


def test_a_place_that_cannot_be_written_is_a_sentence(project, dadeum):
    (project / "taken").write_text("a file, not a folder")
    code, _, err = dadeum("data", "build", "recipe.yaml", "--out", "taken/run")
    assert code == 2
    assert "taken" in err
    assert "Traceback" not in err
