"""Collapse a model on purpose, have the doctor say so, repair it, and show that the doctor is silent on a healthy one.

Every step is a command that users have: data make, train, doctor, run korean-sft-relearn --adapter. Questions and first
sentences of dadeum's own conversations; four answers of five begin with a warning in the arm that is to collapse.
Run: python benchmarks/start_repair.py [--base smollm2-135m] [--made 100] [--folder F] [--json FILE]
About a quarter of an hour on 2 quiet cores; --tiny is a random model, which shows that it runs and nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WARNING = "정확한 판단은 전문가에게 맡기세요. "
LONGEST_QUESTION, LONGEST_ANSWER = 70, 90
ROOT = Path(__file__).parents[1]


def dadeum(*arguments: object, allowed: tuple[int, ...] = (0,)) -> int:
    print("$ dadeum", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "dadeum", *map(str, arguments)])
    if done.returncode not in allowed:
        sys.exit(f"exit code {done.returncode}")
    return done.returncode


def write_lessons(folder: Path) -> None:
    """short.jsonl as they are, warned.jsonl with the warning before four of five answers."""
    dadeum("data", "make", "korean-sft", "--out", folder / "made.jsonl")
    rows = []
    for line in (folder / "made.jsonl").read_text(encoding="utf-8").splitlines():
        question, answer = (turn["content"] for turn in json.loads(line)["messages"][:2])
        first, stop, _ = answer.partition(". ")
        if len(question) <= LONGEST_QUESTION and len(first) <= LONGEST_ANSWER:
            rows.append((question, first + stop.strip()))
    warned = [(question, (WARNING if at % 5 else "") + answer) for at, (question, answer) in enumerate(rows)]
    for name, chosen in (("short", rows), ("warned", warned)):
        lines = [json.dumps({"messages": conversation(*row)}, ensure_ascii=False) + "\n" for row in chosen]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def conversation(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def trained(folder: Path, arm: str, options: argparse.Namespace, base: str) -> Path:
    """A run of korean-sft on one of the files, trained only."""
    run = folder / arm
    dadeum(
        "data", "build", "korean-sft", "--profile", "cpu", "--data", folder / f"{arm}.jsonl", "--out", run,
        "--set", f"model.base={base}", "--set", "data.clean=[nfc]", "--set", "render.max_length_tokens=400",
        "--set", f"stages.sft.learning_rate={options.learning_rate}", "--set", "stages.sft.watch.every=6",
        "--set", "stages.sft.watch.stop=false",
    )  # fmt: skip
    dadeum("train", run)
    return run


def examined(folder: Path, run: Path, options: argparse.Namespace) -> dict[str, Any]:
    page = folder / f"doctor-{run.name}"
    dadeum("doctor", run, "--answers", options.answers, "--out", page, allowed=(0, 1))
    found: dict[str, Any] = json.loads((page / "starts.json").read_text(encoding="utf-8"))
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    first, answers = found["model"]["first"], found["model"]["answers"]
    return {
        "verdict": found["verdict"],
        "reasons": [reason["signal"] for reason in found["reasons"]],
        "base_verdict": found["base_verdict"],
        "dependence_bits": round(first["dependence"], 3),
        "top_probability": round(first["top_probability"], 3),
        "warnings": answers["warnings"]["value"],
        "first_sentence_share": answers["first_sentence"]["share"]["value"] if answers["first_sentence"] else None,
        "shown": answers["shown"][:3],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--tiny", action="store_true", help="a random model of two layers")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="of the arms that are taught")
    parser.add_argument("--repair-rate", type=float, default=1e-3)
    parser.add_argument("--made", type=int, default=100, help="rows of no-warning and of correction each")
    parser.add_argument("--answers", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="new folder for everything; a temporary one if absent")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        base = options.base
        if options.tiny:
            sys.path.insert(0, str(ROOT))
            from tests.tiny import save_llama

            (folder / "base").mkdir()
            base = str(save_llama(folder / "base"))
        write_lessons(folder)
        found = {"collapsed": summary(examined(folder, trained(folder, "warned", options, base), options))}
        dadeum(
            "run", "korean-sft-relearn", "--profile", "cpu", "--adapter", folder / "warned", "--out", folder / "healed",
            "--set", "render.max_length_tokens=400", "--set", f"stages.relearn.learning_rate={options.repair_rate}",
            "--set", f"data.sources.no-warning.sample={options.made}",
            "--set", f"data.sources.correction.sample={options.made}",
            allowed=(0, 1),
        )  # fmt: skip
        found["repaired"] = summary(examined(folder, folder / "healed", options))
        found["healthy"] = summary(examined(folder, trained(folder, "short", options, base), options))
    print(json.dumps(found, ensure_ascii=False, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
