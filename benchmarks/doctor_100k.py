"""`dadeum data check` on 100,000 (or --rows) chat rows: seconds and peak memory of the real command line.

    python benchmarks/doctor_100k.py [--rows 100000] [--full] [--ray]

Rows are ChatML messages put together from sentences of ../shared/data (read, never copied into the project): a system
turn, one or two exchanges, 142 characters on average, 2 % exact and 3 % near duplicates, and a few rows of every
fault that a text check looks for. The file is written to a temporary folder and thrown away.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SYSTEMS = ("친절한 상담원입니다.", "당신은 질문에 답하는 도우미입니다.", "짧고 정확하게 답하세요.")
FAULTS: tuple[Callable[[str], str], ...] = (
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: text[:3] + "\u200b" + text[3:],
    lambda text: f"<p>{text}</p>&nbsp;",
    lambda text: text.encode("cp949", "ignore").decode("latin-1"),
    lambda text: text + " 연락처는 010-2345-6789 입니다.",
    lambda text: text + " <|im_end|>",
    lambda text: text.replace(" ", ""),
    lambda text: f"{text} {text} {text}",
)


def sentences() -> tuple[list[str], list[str]]:
    with (DATA / "chat" / "ChatbotData.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["Q"] for row in rows], [row["A"] for row in rows]


def rows(num_rows: int, seed: int = 1) -> Iterator[str]:
    questions, answers = sentences()
    rng = random.Random(seed)
    kept: list[list[dict[str, str]]] = []
    for number in range(num_rows):
        dice = rng.random()
        if kept and dice < 0.05:
            turns = [dict(turn) for turn in rng.choice(kept)]
            if dice >= 0.02:
                turns[1]["content"] += rng.choice(["!", " 네?", " 1", "."])
        else:
            turns = [{"role": "system", "content": rng.choice(SYSTEMS)}]
            for _ in range(rng.choice((1, 1, 2))):
                turns.append({"role": "user", "content": " ".join(rng.choices(questions, k=rng.randint(2, 4)))})
                turns.append({"role": "assistant", "content": " ".join(rng.choices(answers, k=rng.randint(2, 5)))})
            if number % 50 == 0:
                turns[-1]["content"] = rng.choice(FAULTS)(turns[-1]["content"])
        if len(kept) < 5000:
            kept.append(turns)
        yield json.dumps({"id": f"row-{number}", "messages": turns}, ensure_ascii=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--ray", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{row}\n" for row in rows(options.rows))
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        command = [sys.executable, "-m", "dadeum", "data", "check", str(path), "--out", f"{folder}/out"]
        command += ["--full"] if options.full else []
        started = time.perf_counter()
        environment = os.environ | ({"DAFT_RUNNER": "ray"} if options.ray else {})
        done = subprocess.run(command, env=environment, check=False)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        page = (Path(folder) / "out" / "findings.html").stat().st_size / 1e6
        print(f"exit {done.returncode}, {seconds:.1f} s, peak {peak:.2f} GiB, page {page:.1f} MB")


if __name__ == "__main__":
    main()
