"""What trials of a search share: a process for each of them, one process for all, one process that keeps what it made.

The same trials (build and check once per process, train, judge on validation rows) in three ways, in turns; their
adapters must be bit-equal. The first way is what a shell loop over `dadeum run` would do, without report and export.
Run: python benchmarks/tune_trials.py [--trials 4] [--rounds 3] [--mails 120] [--epochs 1] [--base smollm2-135m]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

WAYS = {"process": "a process per trial", "together": "one process", "kept": "one process that keeps"}
RATES = (1e-3, 5e-4, 2e-4, 2e-3)
_BLOCK = ("무료 당첨 안내", "특가 대출 즉시 승인", "(광고) 지금 가입", "쿠폰 지급 완료", "계정 정지 예정")
_ALLOW = ("회의 일정 안내", "주간 보고서", "계약서 검토 요청", "도서 반납 안내", "출장 정산 서류")
_PLACES = ("서울", "부산", "대전", "광주", "인천")


@dataclass(frozen=True)
class Loop:
    """All trials of a round in one way."""

    seconds: float
    """Wall clock of everything, processes included."""
    training: float
    """Of it, what the trainers' own steps took: the same work in all three ways."""
    digests: list[str]
    """Of each trial's adapter."""


def main() -> None:
    arguments = parsed()
    if arguments.child:
        run_trials(arguments)
        return
    rounds: list[dict[str, Loop]] = []
    ways = arguments.ways.split(",")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_mails(root / "mails.jsonl", arguments.mails)
        for number in range(arguments.rounds):
            # Whoever is first finds colder caches.
            order = [ways[(number + place) % len(ways)] for place in range(len(ways))]
            rounds.append({way: loop(way, arguments, root / f"{number}-{way}", root) for way in order})
            print(json.dumps({way: round(rounds[-1][way].seconds, 1) for way in ways}), flush=True)
    same = len({tuple(one.digests) for each in rounds for one in each.values()}) == 1
    report(rounds, arguments.trials, same)
    if arguments.json:
        arguments.json.write_text(json.dumps([{way: vars(one) for way, one in each.items()} for each in rounds]))
    sys.exit(0 if same else 1)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, default in (("trials", 4), ("rounds", 3), ("mails", 120)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--epochs", type=float, default=1.0, help="of about 80 of 120 mails, 8 a step")
    parser.add_argument("--base", default="smollm2-135m", help="alias, hub id or folder")
    parser.add_argument("--ways", default=",".join(WAYS), help="those to compare")
    parser.add_argument("--json", type=Path, help="write every figure here")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


# -- in turns -------------------------------------------------------------------------------------
def loop(way: str, arguments: argparse.Namespace, folder: Path, root: Path) -> Loop:
    """Every trial once."""
    command = [sys.executable, __file__, "--child", way, "--root", str(root), "--base", arguments.base]
    command += ["--epochs", str(arguments.epochs), "--trials", str(arguments.trials)]
    alone = way == "process"
    started = time.perf_counter()
    for number in range(arguments.trials) if alone else [None]:
        place = folder / str(number) if alone else folder
        place.mkdir(parents=True)
        only = ["--only", str(number)] if alone else []
        done = subprocess.run([*command, "--folder", str(place), *only], capture_output=True, text=True, env=quiet())
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
    seconds = time.perf_counter() - started
    found = [json.loads(file.read_text()) for file in sorted(folder.rglob("trial-*.json"), key=lambda file: file.name)]
    return Loop(seconds, sum(one["training"] for one in found), [one["digest"] for one in found])


def quiet() -> dict[str, str]:
    return os.environ | {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def report(rounds: list[dict[str, Loop]], trials: int, same: bool) -> None:
    print(f"\n{'':24}s/trial  least..most  training proper")
    ways = [way for way in WAYS if way in rounds[0]]
    for way in ways:
        each = [one[way].seconds / trials for one in rounds]
        share = statistics.median(one[way].training / one[way].seconds for one in rounds)
        print(f"{WAYS[way]:24}{statistics.median(each):7.2f}  {min(each):.2f}..{max(each):.2f}  {share:.0%}")
    for slow, fast in combinations(ways, 2):
        ratios = [one[slow].seconds / one[fast].seconds for one in rounds]
        beside = [(one[slow].seconds - one[slow].training) / (one[fast].seconds - one[fast].training) for one in rounds]
        shown = [f"x{statistics.median(all_):.2f} ({min(all_):.2f}..{max(all_):.2f})" for all_ in (ratios, beside)]
        print(f"{WAYS[slow]} / {WAYS[fast]}: {shown[0]}; what is not training {shown[1]}")
    print("adapters bit-equal in all ways and rounds" if same else "NOT COUNTED: the ways train different adapters")


# -- the trials -----------------------------------------------------------------------------------
def run_trials(arguments: argparse.Namespace) -> None:
    """In this process: all of them, or the one that was asked for."""
    from dadeum.models.kept import keeping
    from dadeum.terminal import prepare_models
    from dadeum.tuning.folder import SearchFolder
    from dadeum.tuning.ground import Ground
    from dadeum.tuning.objectives import objectives_of
    from dadeum.tuning.space import changed
    from dadeum.tuning.trial import let_go, run_trial

    prepare_models()
    recipe = make_recipe(arguments)
    folder = SearchFolder(arguments.folder)
    numbers = range(arguments.trials) if arguments.only is None else [arguments.only]
    with keeping() if arguments.child == "kept" else nullcontext():
        ground = Ground.lay(recipe, folder)
        for number in numbers:
            one = changed(recipe, {"stages.sft.learning_rate": RATES[number % len(RATES)]})
            place = folder.trial(number)
            run_trial(one, ground, place, objectives_of(recipe))
            trained = json.loads((place / "manifest.json").read_text())["training"]["sft"]
            files = [file.read_bytes() for file in sorted(place.glob("stages/*/adapter/*.safetensors"))]
            told = {"training": trained["seconds"], "digest": sha256(b"".join(files)).hexdigest()}
            (arguments.folder / f"trial-{number:03}.json").write_text(json.dumps(told))
            let_go()


def make_recipe(arguments: argparse.Namespace) -> Any:
    from dadeum.core.recipe import Recipe

    stage = {"name": "sft", "method": "sft", "epochs": arguments.epochs, "learning_rate": 1e-3, "batch_size": 8}
    task = {"type": "decide", "labels": ["BLOCK", "ALLOW"], "input_fields": ["subject"]}
    source = {"path": str(arguments.root / "mails.jsonl"), "map": {"subject": "subject", "label": "action"}}
    lora = {"type": "lora", "r": 16, "alpha": 32, "targets": "all-linear"}
    return Recipe.model_validate(
        {
            "name": "tune-trials",
            "task": task | {"instruction": "Is this mail spam? Answer BLOCK or ALLOW as JSON."},
            "model": {"base": arguments.base, "adapter": lora},
            "data": {"sources": [source]},
            "render": {"max_length_tokens": 256},
            "stages": [stage],
            "tune": {"space": {"stages.sft.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}},
        }
    )


def write_mails(path: Path, count: int) -> None:
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            label, subjects = ("BLOCK", _BLOCK) if number % 2 else ("ALLOW", _ALLOW)
            subject = f"{chance.choice(subjects)} {chance.randrange(10**6)} {chance.choice(_PLACES)}"
            file.write(json.dumps({"subject": subject, "action": label}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
