"""Supervised fine-tuning on a CPU: dadeum against trl and plain transformers, in lockstep on the same rows.

Every contestant is a real trainer in its own process (sft_contestants.py). They take their steps in turn, in an order
that rotates, so that a busy minute hits all alike. In training a step follows a step, not a pause in which the others
took the machine's memory and caches; so each turn is two steps and the second is timed. Medians count.
Run: python benchmarks/sft_speed.py --workload spam|vocab|chat [--steps 8] [--contestants dadeum,trl] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from sft_contestants import CONTESTANTS
from sft_report import LEGEND, Result, disagreeing, said, table, verdicts
from sft_workloads import Workload, answer_tokens, make_workload

from dadeum.models.precision import prepare_cpu

HERE = Path(__file__).parent
RACE = (
    "dadeum", "dadeum_compiled", "trl", "trl_fp32", "trl_fp32_grouped", "trl_fp32_free", "trl_bf16_grouped",
    "hf", "hf_grouped", "hf_bf16_grouped",
)  # fmt: skip
SMOKE = ("dadeum", "trl_fp32")
STEPS_A_TURN = 2
"""Only the last of them is timed."""
aloud = partial(print, flush=True)


def main() -> None:
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that no contestant is left behind
    prepare_cpu()  # sets ONEDNN_MAX_CPU_ISA, which every contestant inherits
    size, steps = arguments.batch_size, arguments.steps
    workload = make_workload(arguments.workload, (STEPS_A_TURN * steps + 1) * size, arguments.model)
    print(f"{workload.name}: {workload.describe()}; {steps} timed steps of {size} rows, each after another", flush=True)
    peaks = peak(arguments.gemm_seconds)
    results = race(workload, arguments.contestants, size, together=arguments.smoke)
    if not arguments.smoke:
        again = peak(arguments.gemm_seconds)
        peaks = {name: max(value, again[name]) for name, value in peaks.items()}
    report(workload, results, peaks, size, arguments.json)
    if any(one.died for one in results):
        sys.exit(1)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=["spam", "vocab", "chat"], default="spam")
    parser.add_argument("--steps", type=int, default=8, help="timed optimizer steps")
    parser.add_argument("--batch-size", type=int, default=8, help="rows of a step")
    parser.add_argument("--contestants", help=f"names with commas; all: {','.join(CONTESTANTS)}")
    parser.add_argument("--model", help="folder of the model of spam and chat; default smollm2-135m")
    parser.add_argument("--gemm-seconds", type=float, default=2.0, help="measuring the peak, for each dtype and size")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--smoke", action="store_true", help="two contestants, two steps, a tiny model: does it run?")
    arguments = parser.parse_args()
    names = arguments.contestants.split(",") if arguments.contestants else list(SMOKE if arguments.smoke else RACE)
    if unknown := [name for name in names if name not in CONTESTANTS]:
        parser.error(f"no such contestant: {', '.join(unknown)}")
    arguments.contestants = names
    if arguments.smoke:
        arguments.workload, arguments.steps, arguments.gemm_seconds = "smoke", 2, 0.1
    return arguments


def peak(seconds: float) -> dict[str, float]:
    """GFLOP/s of the fastest product, in a process of its own."""
    command = [sys.executable, str(HERE / "gemm_peak.py"), "--seconds", str(seconds)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


class Runner:
    """A contestant's process; after `ready` it takes a step whenever it is asked to."""

    def __init__(self, name: str, job: Path, rows: int, folder: Path) -> None:
        self.result = Result(name, rows)
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "sft_contestants.py"), str(job), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def listen(self) -> dict[str, Any] | None:
        """The next message; None where the process ended, which the result then explains."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if line:
            message: dict[str, Any] = json.loads(line)
            return message
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        self.result.died = f"exit code {self.process.wait()}: {lines[-1][:300] if lines else '-'}"
        return None

    def get_ready(self, say: Callable[[str], None] = aloud) -> None:
        if message := self.listen():
            self.result.ready = message
        say(started(self.result))

    def take_turn(self) -> None:
        for number in range(STEPS_A_TURN):
            message = self.step()
            if message and number == STEPS_A_TURN - 1:
                self.result.steps.append(message["seconds"])
                self.result.tokens += message["tokens"]

    def step(self) -> dict[str, Any] | None:
        if self.result.died:
            return None
        assert self.process.stdin
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.listen()

    def finish(self) -> None:
        if not self.result.died and (message := self.listen()):
            self.result.totals = message
        self.stop()

    def stop(self) -> None:
        """End the process if it still runs, and leave no pipe open."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def race(
    workload: Workload,
    names: list[str],
    batch_size: int,
    say: Callable[[str], None] = aloud,
    together: bool = False,
) -> list[Result]:
    """Start one after the other (or `together`), then step in turn; each round another one begins."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job = write_job(workload, batch_size, folder)
        rows = (len(workload.rows) - batch_size) // STEPS_A_TURN
        runners: list[Runner] = []
        try:
            for name in names:
                runners.append(Runner(name, job, rows, folder))
                if not together:
                    runners[-1].get_ready(say)
            for runner in runners if together else []:
                runner.get_ready(say)
            for number in range(-(-rows // batch_size)):
                shift = number % len(runners)
                for runner in [*runners[shift:], *runners[:shift]]:
                    runner.take_turn()
                say(f"step {number + 1}: " + ", ".join(f"{one.result.name} {_last(one.result)}" for one in runners))
            for runner in runners:
                runner.finish()
        finally:
            for runner in runners:
                runner.stop()
        return [runner.result for runner in runners]


def write_job(workload: Workload, batch_size: int, folder: Path) -> Path:
    path = folder / "job.json"
    job = {
        "model": workload.model,
        "config": workload.config,
        "targets": list(workload.targets),
        "batch_size": batch_size,
        "warmup_rows": workload.rows[:batch_size],
        "rows": workload.rows[batch_size:],
    }
    path.write_text(json.dumps(job))
    return path


def started(result: Result) -> str:
    if result.died:
        return f"{result.title}: {result.died}"
    ready = result.ready
    ours = f", trees {ready['prefix_shared']}, compiled {ready['compiled']}" if result.is_ours else ""
    return f"{result.title}: ready after {ready['setup_s']:.0f} s, {ready['precision']}{ours}"


def _last(result: Result) -> str:
    return f"{result.steps[-1]:.2f} s" if result.steps and not result.died else "-"


def report(
    workload: Workload, results: list[Result], peaks: dict[str, float], batch_size: int, path: Path | None
) -> None:
    timed = [row for number, row in enumerate(workload.rows) if number // batch_size % STEPS_A_TURN == 0][batch_size:]
    answers = sum(answer_tokens(row) for row in timed)
    print()
    print("\n".join(table(results, peaks, answers)))
    print(LEGEND)
    print("peak matrix product: " + ", ".join(f"{name} {value:.0f} GFLOP/s" for name, value in peaks.items()))
    for one in disagreeing(results):
        print(f"NOT COUNTED: {one.title} has another loss or gradient on the same rows than the others")
    found = verdicts(workload.name, results)
    print("\n".join(said(verdict) for verdict in found))
    if path:
        figures = {
            "workload": workload.name,
            "rows": workload.describe(),
            "batch_size": batch_size,
            "peak_gflops": peaks,
            "results": [asdict(one) for one in results],
            "verdicts": [verdict | {"goal": asdict(verdict["goal"])} for verdict in found],
        }
        path.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
