"""The doctor on a Ray cluster of two workers says what it says on one machine: same code, another Daft runner."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed (pip install 'dadeum[ray]')")

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from dadeum.data import engine
from dadeum.data.corpus import Given
from dadeum.data.doctor import check_files
from whereabouts import process_ids

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
try:
    engine.MIN_TEXTS_PER_PARTITION = 10
    workers = set(engine.map_texts([str(number) for number in range(200)], process_ids))
    findings = check_files([Given(Path(sys.argv[1]))]).findings
    told = [[found.name, found.count, found.total, [hit.row for hit in found.hits]] for found in findings]
    Path(sys.argv[2]).write_text(json.dumps({"workers": sorted(workers), "findings": told}))
finally:
    ray.shutdown()
    cluster.shutdown()
"""
WORKER = """
import os

def process_ids(texts):
    return [str(os.getpid()) for _ in texts]
"""


def chat_file(path: Path) -> Path:
    """Forty exchanges; some with faults that text checks and near-duplicate search find."""
    rng = random.Random(5)
    nouns = ("사과", "학교", "기차", "우산", "바다", "커피", "시계", "공원")
    rows = []
    for number in range(40):
        question = f"{rng.choice(nouns)} 옆에 있는 {rng.choice(nouns)} 값이 {number * 37}원인지 알려 주세요"
        answer = f"네, {rng.choice(nouns)} 값은 {number * 37}원이고 {rng.choice(nouns)} 쪽에서 살 수 있습니다."
        if number % 8 == 3:
            answer = answer[:4] + "\u200b" + answer[4:]
        rows.append([{"role": "user", "content": question}, {"role": "assistant", "content": answer}])
    rows += rows[:4]
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def test_two_workers_find_what_one_machine_finds(tmp_path: Path) -> None:
    from dadeum.data.corpus import Given
    from dadeum.data.doctor import check_files

    data, told = chat_file(tmp_path / "chat.jsonl"), tmp_path / "told.json"
    (tmp_path / "whereabouts.py").write_text(WORKER, encoding="utf-8")
    environment = os.environ | {
        "DAFT_RUNNER": "ray",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(tmp_path)]),
    }
    command = [sys.executable, "-c", PROGRAM, str(data), str(told)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(told.read_text(encoding="utf-8"))
    assert len(result["workers"]) == 2
    here = check_files([Given(data)]).findings
    assert result["findings"] == [[f.name, f.count, f.total, [hit.row for hit in f.hits]] for f in here]
    assert {"invisible", "duplicates"} <= {name for name, *_ in result["findings"]}
