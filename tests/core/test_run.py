from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dadeum.core.errors import RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import (
    Run,
    append_jsonl,
    atomic,
    file_hash,
    fingerprint,
    read_json,
    read_jsonl,
    versions,
    write_json,
    write_jsonl,
    write_text,
)


@pytest.fixture
def recipe() -> Recipe:
    task = {"type": "decide", "instruction": "?", "labels": ["A", "B"], "input_fields": ["subject"]}
    return Recipe.model_validate(
        {
            "name": "mail",
            "task": task,
            "model": {"base": "x", "adapter": {"type": "lora"}},
            "data": {"sources": [{"path": "/mails.csv"}]},
            "stages": [{"name": "sft", "method": "sft"}],
        }
    )


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Run:
    return Run.create(recipe, tmp_path / "run")


# -- folders ------------------------------------------------------------------------------------
def test_a_new_run_opens_with_the_same_recipe(run: Run, recipe: Recipe) -> None:
    again = Run.open(run.folder)
    assert again.recipe() == recipe
    assert again.manifest()["seed"] == 42
    assert again.manifest()["versions"]["python"] == sys.version.split()[0]


def test_two_runs_within_a_second_get_two_folders(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {Run.create(recipe).folder for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.parent == Path("runs/mail") for folder in folders)


def test_a_run_never_writes_into_a_folder_with_something_in_it(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(RunError, match="--resume"):
        Run.create(recipe, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]


def test_a_run_folder_that_cannot_be_made_is_a_clear_error(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be made"):
        Run.create(recipe, tmp_path / "file")


def test_opening_something_else_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        Run.open(tmp_path)


def test_a_manifest_broken_by_hand_is_a_clear_error(run: Run) -> None:
    run.manifest_path.write_text('{"steps": ')
    with pytest.raises(RunError, match="cannot be read as JSON"):
        run.manifest()


def test_stage_folders_are_counted_from_one(run: Run, recipe: Recipe) -> None:
    assert run.adapter_folder(recipe) == run.folder / "stages" / "1-sft" / "adapter"


def test_a_missing_output_names_the_step_that_makes_it(run: Run) -> None:
    with pytest.raises(RunError, match=r"Run `dadeum data build .*run` first"):
        run.require(run.split_path("train"), "data build")
    write_text(run.scores_path, "{}")
    assert run.require(run.scores_path, "evaluate") == run.scores_path


# -- steps --------------------------------------------------------------------------------------
def test_a_step_runs_once_for_the_same_inputs(run: Run) -> None:
    done: list[int] = []
    assert run.step("data", {"rows": 3}, lambda: done.append(1))
    assert not run.step("data", {"rows": 3}, lambda: done.append(2))
    assert run.step("data", {"rows": 4}, lambda: done.append(3))
    assert run.step("data", {"rows": 4}, lambda: done.append(4), force=True)
    assert done == [1, 3, 4]
    assert run.manifest()["steps"]["data"]["status"] == "done"
    assert [event["event"] for event in read_jsonl(run.folder / "events.jsonl")].count("step_skipped") == 1


def test_a_step_whose_output_was_deleted_runs_again(run: Run) -> None:
    def work() -> None:
        write_text(run.scores_path, "{}")

    assert run.step("evaluate", 1, work, outputs=[run.scores_path])
    assert not run.step("evaluate", 1, work, outputs=[run.scores_path])
    run.scores_path.unlink()
    assert run.step("evaluate", 1, work, outputs=[run.scores_path])


def test_a_failed_step_is_marked_and_runs_again(run: Run) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.step("train", 1, fail)
    assert run.manifest()["steps"]["train"] == {
        "status": "failed",
        "inputs": fingerprint(1),
        "error": "KeyboardInterrupt",
    }
    assert run.step("train", 1, lambda: None)


def test_record_keeps_the_rest_of_the_manifest(run: Run) -> None:
    before = run.manifest()
    run.record("data_hashes", {"mails.csv": "ab"})
    assert run.manifest() == before | {"data_hashes": {"mails.csv": "ab"}}


# -- plain files --------------------------------------------------------------------------------
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"f1": 0.5})
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"f1": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_text(path, "old")
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from dadeum.core.run import atomic\n"
            "with atomic(Path(sys.argv[1])) as temporary:\n"
            "    file = temporary.open('w'); file.write('new ' * 100_000); file.flush()\n"
            "    print('writing', flush=True); time.sleep(60)\n",
            str(path),
        ],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"writing\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert path.read_text() == "old"


def test_json_keeps_korean_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {"제목": "보험료 안내"})
    assert "보험료 안내" in (tmp_path / "a" / "b.json").read_text(encoding="utf-8")


def test_jsonl_rows_survive_every_kind_of_line_separator(tmp_path: Path) -> None:
    rows = [{"text": "한 줄\n두 줄\u2028세 줄\u0085네 줄\x0c"}, {"text": ""}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    append_jsonl(tmp_path / "rows.jsonl", rows[0])
    assert read_jsonl(tmp_path / "rows.jsonl") == [*rows, rows[0]]
    assert read_jsonl(tmp_path / "absent.jsonl") == []


@pytest.mark.parametrize("torn", ['{"step": 2, "lo', '{"text": "가'])
def test_a_line_torn_by_a_kill_costs_only_itself(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "metrics.jsonl"
    append_jsonl(path, {"step": 1})
    with path.open("ab") as file:
        file.write(torn.encode()[:-1])
    assert read_jsonl(path) == [{"step": 1}]
    append_jsonl(path, {"step": 2})
    assert read_jsonl(path) == [{"step": 1}, {"step": 2}]


def test_a_broken_line_that_is_not_the_last_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1\n{"a": 2}\n')
    with pytest.raises(RunError, match=r"rows\.jsonl"):
        read_jsonl(tmp_path / "rows.jsonl")


def test_fingerprints_ignore_key_order_and_see_values(tmp_path: Path) -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint(json.loads('{"b": [2], "a": 1}'))
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    (tmp_path / "empty").write_bytes(b"")
    assert file_hash(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_versions_name_what_decides_a_result() -> None:
    assert {"python", "torch", "transformers", "trl", "peft", "daft"} <= set(versions())
