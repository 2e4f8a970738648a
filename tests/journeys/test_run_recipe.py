from __future__ import annotations

import json

import pyarrow.parquet as pq
import yaml

from dadeum.core.run import Run


def the_run(project) -> Run:
    (folder,) = (project / "runs" / "office-mail").iterdir()
    return Run.open(folder)


def test_one_command_from_raw_files_to_report_and_adapter(project, dadeum):
    code, out, err = dadeum("run", "recipe.yaml")
    assert (code, err) == (0, "")
    run = the_run(project)
    expected = [
        "recipe.yaml", "manifest.json", "data/train.parquet", "data/validation.parquet", "data/test.parquet",
        "data/removed.parquet", "findings.jsonl", "stages/1-sft/adapter/adapter_model.safetensors", "metrics.jsonl",
        "evaluation/scores.json", "evaluation/samples.jsonl", "report.html", "report.md",
        "export/adapter/adapter_model.safetensors", "export/adapter/README.md", "events.jsonl",
    ]  # fmt: skip
    assert [name for name in expected if not (run.folder / name).exists()] == []
    assert f"{run.folder.relative_to(project)}/report.html" in out
    rows = sum(pq.read_table(run.split_path(split)).num_rows for split in ("train", "validation", "test", "removed"))
    assert rows == run.manifest()["data"]["rows_in"] == 122
    scores = json.loads(run.scores_path.read_text())
    assert set(scores["systems"]) == {"tuned", "majority", "tfidf", "base_model"}
    steps = run.manifest()["steps"]
    assert {step["status"] for step in steps.values()} == {"done"}


def test_steps_alone_give_what_run_gives(project, dadeum):
    assert dadeum("run", "recipe.yaml", "--out", "whole")[0] == 0
    assert dadeum("data", "build", "recipe.yaml", "--out", "parts")[0] == 0
    for command in (["data", "check"], ["train"], ["evaluate"], ["export"]):
        code, _, err = dadeum(*command, "parts")
        assert (code, err) == (0, "")
    whole, parts = (json.loads(Run.open(project / name).scores_path.read_text()) for name in ("whole", "parts"))
    for scores in (whole, parts):
        for system in scores["systems"].values():
            system.pop("seconds", None)
    assert whole == parts
    code, out, _ = dadeum("compare", "whole", "parts")
    assert code == 0
    assert out


def test_resume_skips_what_is_done_and_override_redoes_what_changed(project, dadeum):
    dadeum("run", "recipe.yaml", "--out", "run")
    before = (project / "run" / "metrics.jsonl").read_text()
    assert dadeum("run", "--resume", "run")[0] == 0
    assert (project / "run" / "metrics.jsonl").read_text() == before
    assert dadeum("run", "--resume", "run", "--set", "stages.sft.epochs=2")[0] == 0
    assert len((project / "run" / "metrics.jsonl").read_text()) > len(before)
    assert yaml.safe_load((project / "run" / "recipe.yaml").read_text())["stages"][0]["epochs"] == 2


def test_a_deleted_output_is_made_again(project, dadeum):
    dadeum("run", "recipe.yaml", "--out", "run")
    before = (project / "run" / "evaluation" / "scores.json").read_text()
    (project / "run" / "evaluation" / "scores.json").unlink()
    assert dadeum("run", "--resume", "run")[0] == 0
    after = (project / "run" / "evaluation" / "scores.json").read_text()
    assert json.loads(after)["systems"]["tuned"]["accuracy"] == json.loads(before)["systems"]["tuned"]["accuracy"]


def test_plan_tells_rows_lengths_memory_and_writes_nothing(project, dadeum):
    before = sorted(path.name for path in project.iterdir())
    code, out, err = dadeum("plan", "recipe.yaml", "--profile", "long")
    assert (code, err) == (0, "")
    assert "122" in out
    assert "GiB" in out
    assert sorted(path.name for path in project.iterdir()) == before


def test_a_failed_gate_is_exit_code_one(project, dadeum):
    code, out, _ = dadeum("run", "recipe.yaml", "--set", "evaluate.gates={accuracy: '> 1.5'}")
    assert code == 1
    assert "accuracy" in out


def test_english_on_request(project, dadeum, monkeypatch):
    monkeypatch.setenv("DADEUM_LANG", "en")
    code, out, _ = dadeum("plan", "recipe.yaml")
    assert code == 0
    assert "Rows read" in out


def test_shipped_recipe_is_listed_and_copied_with_its_data(project, dadeum):
    assert "spam-agent" in dadeum("recipes", "list")[1]
    assert dadeum("recipes", "copy", "spam-agent", "mine")[0] == 0
    assert (project / "mine" / "data" / "demo_block.csv").exists()
    code, _, err = dadeum("recipes", "copy", "spam-agent", "mine")
    assert code == 2
    assert "spam-agent.yaml" in err


def test_my_own_file_in_place_of_the_recipes_sources(project, dadeum):
    """Columns are guessed and said; the recipe's hold-outs belong to its own data and are dropped."""
    from tests.journeys.conftest import HAM, SPAM, subjects

    rows = [(s, "BLOCK") for s in subjects(SPAM, 40, seed=3)] + [(s, "ALLOW") for s in subjects(HAM, 40, seed=4)]
    (project / "mine.csv").write_text(
        "제목,라벨\n" + "".join(f"{subject},{label}\n" for subject, label in rows), encoding="utf-8"
    )
    recipe = yaml.safe_load((project / "recipe.yaml").read_text(encoding="utf-8"))
    recipe["task"]["input_fields"] = ["subject"]
    recipe["data"]["split"] = {"hold_out": ["allow"]}
    (project / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    code, out, err = dadeum("plan", "recipe.yaml", "--data", "mine.csv")
    assert (code, err) == (0, "")
    assert "subject: 제목" in out
    assert "80" in out
