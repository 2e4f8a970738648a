"""LLaMA-Factory against dadeum on the spam workload, CPU. It pins older transformers and trl, so it gets its own venv.

The venv is made in a temporary folder (or --venv FOLDER, kept and used again). Both train the same rows with the same
batch size, LoRA and learning rate. After each of its steps LLaMA-Factory is stopped (SIGSTOP) while dadeum takes
one, so that a busy minute hits both. Where it does not install or run, the script says why and ends with code 1.
Run: python benchmarks/sft_llama_factory.py [--steps 6] [--venv FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sft_contestants import ALPHA, LEARNING_RATE, RANK
from sft_speed import Runner, write_job
from sft_workloads import Workload, make_workload

from dadeum.models.precision import prepare_cpu

CONSTRAINTS = "torch==2.13.0\n"
BEST = {"bf16": False, "disable_gradient_checkpointing": True, "train_sampling_strategy": "group_by_length"}
CONFIGURATIONS: dict[str, dict[str, Any]] = {"its examples' settings (bf16)": {"bf16": True}, "its best (fp32)": BEST}
LOOK_EVERY_S = 0.005


class NoResultError(Exception):
    """What failed, in one line."""


@dataclass
class Steps:
    """Seconds of each counted step, taken in turn."""

    theirs: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="counted optimizer steps; one more warms up")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--model", help="folder of the model; default smollm2-135m")
    parser.add_argument("--venv", type=Path, help="where LLaMA-Factory is or will be installed")
    parser.add_argument("--install-seconds", type=int, default=900)
    parser.add_argument("--step-seconds", type=int, default=600, help="give up when a step takes longer")
    arguments = parser.parse_args()
    prepare_cpu()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            python = install(arguments.venv or folder / "venv", arguments.install_seconds)
        except NoResultError as error:
            sys.exit(f"LLaMA-Factory did not install: {error}")
        workload = make_workload("spam", (arguments.steps + 1) * arguments.batch_size, arguments.model)
        print(f"spam: {workload.describe()}", flush=True)
        failed = 0
        for name, settings in CONFIGURATIONS.items():
            try:
                compare(name, settings, workload, python, folder, arguments)
            except NoResultError as error:
                failed += 1
                print(f"LLaMA-Factory, {name}: did not run: {error}", flush=True)
    sys.exit(failed == len(CONFIGURATIONS))


def install(venv: Path, seconds: int) -> Path:
    """The venv's Python; everything is installed unless it is there already."""
    python = venv / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(venv)], 120)
    if subprocess.run([str(python), "-c", "import llamafactory"], capture_output=True).returncode:
        constraints = venv / "constraints.txt"
        constraints.write_text(CONSTRAINTS)
        # Wheels only: some of what it asks for would be compiled for many minutes.
        wanted = ["install", "--quiet", "--only-binary", ":all:", "--constraint", str(constraints), "llamafactory"]
        _run([str(python), "-m", "pip", *wanted], seconds)
    for package in ("torchvision", "torchaudio"):
        _replace_where_broken(package, python)
    program = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in %r), sep=', ')"
    print(
        _run([str(python), "-c", program % (["llamafactory", "transformers", "trl", "torch"],)], 60).strip(), flush=True
    )
    return python


def _replace_where_broken(package: str, python: Path) -> None:
    """Wheels built for CUDA do not load beside a CPU torch; it imports torchaudio even where rows are all text."""
    if not subprocess.run([str(python), "-c", f"import {package}"], capture_output=True).returncode:
        return
    _run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", package], 120)
    print(f"{package} is left out, it does not load beside this torch; text does not need it", flush=True)
    if package == "torchaudio":
        place = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], 60).strip()
        Path(place, "torchaudio.py").write_text("")


def _run(command: list[str], seconds: int) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise NoResultError(f"not done within {seconds} s: {' '.join(command[:4])}") from error
    if done.returncode:
        raise NoResultError(last_line(done.stderr))
    return done.stdout


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "error:" in line.lower()]
    return (errors or lines or ["no message"])[-1][:300]


def compare(
    name: str, settings: dict[str, Any], workload: Workload, python: Path, folder: Path, arguments: argparse.Namespace
) -> None:
    place = Path(tempfile.mkdtemp(dir=folder))
    job = write_job(workload, arguments.batch_size, place)
    ours = Runner("dadeum", job, len(workload.rows) - arguments.batch_size, place)
    theirs = None
    try:
        ours.get_ready()
        theirs = start(write_yaml(workload, settings, place, arguments), python, place)
        steps = in_turn(theirs, ours, place, arguments)
    finally:
        ours.stop()
        if theirs and theirs.poll() is None:
            os.killpg(theirs.pid, signal.SIGKILL)
            theirs.wait()
    ratio = median(steps.theirs) / median(steps.ours)
    print(
        f"LLaMA-Factory, {name}: {median(steps.theirs):.2f} s/step, peak {steps.peak_mib:.0f} MiB; dadeum "
        f"{median(steps.ours):.2f} s/step, peak {ours.result.totals['peak']:.0f} MiB: dadeum is {ratio:.2f}x as fast "
        f"({sum(steps.theirs) / sum(steps.ours):.2f}x by totals) with "
        f"{ours.result.totals['peak'] / steps.peak_mib:.2f}x the memory",
        flush=True,
    )


def write_yaml(workload: Workload, settings: dict[str, Any], place: Path, arguments: argparse.Namespace) -> Path:
    """dataset_info.json, the rows in alpaca form, and the training file; JSON is YAML."""
    rows = [
        {"system": turns[0]["content"], "instruction": turns[1]["content"], "input": "", "output": turns[2]["content"]}
        for turns in workload.texts
    ]
    (place / "mails.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    columns = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
    (place / "dataset_info.json").write_text(json.dumps({"mails": {"file_name": "mails.json", "columns": columns}}))
    training = {
        "model_name_or_path": workload.model, "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "lora_rank": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0, "lora_target": ",".join(workload.targets),
        "dataset": "mails", "dataset_dir": str(place), "template": "chatml", "cutoff_len": 2048,
        "output_dir": str(place / "out"), "logging_steps": 1, "save_strategy": "no", "report_to": "none",
        "per_device_train_batch_size": arguments.batch_size, "gradient_accumulation_steps": 1, "num_train_epochs": 1,
        "learning_rate": LEARNING_RATE, "lr_scheduler_type": "constant", "use_cpu": True, "seed": 42,
        "dataloader_pin_memory": False, "preprocessing_num_workers": 1,
    }  # fmt: skip
    path = place / "train.yaml"
    path.write_text(json.dumps(training | settings))
    return path


def start(training: Path, python: Path, place: Path) -> subprocess.Popen[bytes]:
    """Its own process group, so that it can be stopped and ended with all its children."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(place / "cache")}
    program = [str(python), "-c", "from llamafactory.cli import main; main()", "train", str(training)]
    with (place / "llamafactory.log").open("wb") as log:
        return subprocess.Popen(program, stdout=log, stderr=log, env=environment, start_new_session=True)


def in_turn(process: subprocess.Popen[bytes], ours: Runner, place: Path, arguments: argparse.Namespace) -> Steps:
    """A step of theirs ends with a line in trainer_log.jsonl; then they are stopped and dadeum takes its step."""
    steps = Steps()
    for number in range(1, arguments.steps + 2):
        since = time.perf_counter()
        _wait_for_line(process, number, place, arguments.step_seconds)
        took = time.perf_counter() - since
        os.killpg(process.pid, signal.SIGSTOP)
        steps.peak_mib = max(steps.peak_mib, _peak(process.pid))
        if number > 1:  # the first one includes loading
            steps.theirs.append(took)
            ours.step()
            if ours.result.died:
                raise NoResultError(f"dadeum: {ours.result.died}")
            print(f"step {number - 1}: LLaMA-Factory {took:.2f} s, dadeum {ours.result.steps[-1]:.2f} s", flush=True)
        os.killpg(process.pid, signal.SIGCONT)
    steps.ours = ours.result.steps
    ours.finish()
    return steps


def _wait_for_line(process: subprocess.Popen[bytes], number: int, place: Path, seconds: int) -> None:
    path, until = place / "out" / "trainer_log.jsonl", time.perf_counter() + seconds
    while not (path.exists() and path.read_bytes().count(b"\n") >= number):
        if process.poll() is not None:
            raise NoResultError(last_line((place / "llamafactory.log").read_text(errors="replace")))
        if time.perf_counter() > until:
            raise NoResultError(f"step {number} took longer than {seconds} s")
        time.sleep(LOOK_EVERY_S)


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((float(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")), 0.0)  # 0: has ended


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("not run: needs Linux (SIGSTOP and /proc)")
    main()
