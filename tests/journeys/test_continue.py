"""`--adapter`: a second training goes on from the first one, on its rows, and is never tested on what it was taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from safetensors.numpy import load_file

from dadeum.core.examples import SPLITS
from dadeum.core.run import Run


def texts(run: Run, split: str) -> set[str]:
    return set(pq.read_table(run.split_path(split))["text"].to_pylist())


def weights(run: Run) -> dict[str, Any]:
    return dict(load_file(run.adapter_folder(run.recipe()) / "adapter_model.safetensors"))


def test_a_run_goes_on_from_another(project: Path, dadeum: Any) -> None:
    assert dadeum("run", "recipe.yaml", "--out", "first")[0] == 0
    first = Run.open(project / "first")
    code, out, err = dadeum("plan", "recipe.yaml", "--adapter", "first", "--set", "seed=7")
    assert (code, err) == (0, "")
    assert str(first.folder) in out
    # A repair recipe of one's own: another seed, another shape, and the rows of the run in place of `data`.
    recipe = yaml.safe_load((project / "recipe.yaml").read_text(encoding="utf-8"))
    recipe |= {"seed": 7, "data": {"sources": [{"path": "nothing-here.jsonl", "name": "data"}]}}
    recipe["model"]["adapter"] = {"type": "lora", "r": 9}
    # At such a rate a stage ends where it began.
    recipe["stages"][0]["learning_rate"] = 1e-12
    (project / "repair.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    code, _, err = dadeum("run", "repair.yaml", "--adapter", "first", "--out", "second")
    assert (code, err) == (0, "")
    second = Run.open(project / "second")
    for split in SPLITS:
        assert texts(second, split) == texts(first, split)
    before, after = weights(first), weights(second)
    assert before.keys() == after.keys()
    assert max(abs(before[name] - after[name]).max() for name in before) < 1e-6
    notes = second.manifest()["data"]["notes"]
    assert any(str(first.folder) in note for note in notes)
    assert dadeum("run", "--resume", "second")[0] == 0


def test_what_does_not_fit_is_told_before_anything_is_written(project: Path, dadeum: Any) -> None:
    code, _, err = dadeum("run", "recipe.yaml", "--adapter", "nowhere", "--out", "second")
    assert code == 2 and "nowhere" in err
    assert not (project / "second").exists()
    (project / "given").mkdir()
    (project / "given" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 8}')
    code, _, err = dadeum("run", "--resume", "first", "--adapter", "given")
    assert code == 2 and "--resume" in err
    code, _, err = dadeum("data", "build", "block.csv", "--adapter", "given")
    assert code == 2 and "--adapter" in err
    code, _, err = dadeum("data", "build", "recipe.yaml", "--adapter", "given", "--out", "built")
    assert code == 2 and "safetensors" in err
    assert not (project / "built").exists()
