from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_training_race_runs_and_both_trainers_compute_the_same(tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, ROOT / "benchmarks/sft_speed.py", "--smoke", "--json", figures]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    dadeum, trl = json.loads(figures.read_text())["results"]
    assert (dadeum["name"], trl["name"]) == ("dadeum", "trl_fp32")
    assert len(dadeum["steps"]) == len(trl["steps"]) == 2
    for same in ("first_loss", "first_norm"):
        assert abs(dadeum["ready"][same] / trl["ready"][same] - 1) < 1e-3
    # Rows share 24 of about 36 tokens: what stands once must be computed once.
    assert dadeum["tokens"] < 0.6 * trl["tokens"]
    assert "NOT COUNTED" not in done.stdout


def test_trials_that_share_what_they_can_train_what_a_process_of_its_own_does(tiny_llama, tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, ROOT / "benchmarks/tune_trials.py", "--base", tiny_llama, "--json", figures]
    sizes = ["--trials", "1", "--rounds", "1", "--mails", "40", "--ways", "process,kept"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    [measured] = json.loads(figures.read_text())
    assert measured["process"]["digests"] == measured["kept"]["digests"]
    for way in measured.values():
        assert 0 < way["training"] < way["seconds"]
    assert "bit-equal" in done.stdout
