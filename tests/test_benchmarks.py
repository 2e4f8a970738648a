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
