"""Which embedded index: numpy blocks (dadeum), faiss (flat, HNSW) and LanceDB on the same unit vectors.

    python benchmarks/index_backends.py [--chunks 100000] [--dimensions 384] [--questions 1000] [--json figures.json]

Each candidate runs in a process of its own: build, save, load, one question, all questions, disk, peak memory, and
recall@10 against exact float64 search. Vectors lie around 1,000 centres, as those of texts about the same things do;
without any clusters HNSW would look worse than it is. faiss-cpu and lancedb are peers, no dependencies (pip install
--target FOLDER, PYTHONPATH=FOLDER): what is not installed is left out, and said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

K = 10
CENTRES = 1000
SINGLE = 20
"""Questions that are asked alone; the median is told."""


def vectors(rows: int, dimensions: int, seed: int) -> np.ndarray:
    """Unit vectors around centres that all seeds share."""
    centres = np.random.default_rng(0).standard_normal((CENTRES, dimensions), dtype=np.float32)
    random = np.random.default_rng(seed)
    found = centres[random.integers(0, CENTRES, rows)]
    found += 0.7 * random.standard_normal((rows, dimensions), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


class Backend(ABC):
    """Keeps vectors in `folder`; `search` gives positions, shape (questions, K)."""

    needs: str | None = None
    """Package that must be installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def build(self, chunks: np.ndarray) -> None: ...

    @abstractmethod
    def save(self) -> None: ...

    @abstractmethod
    def load(self) -> None: ...

    @abstractmethod
    def search(self, questions: np.ndarray) -> np.ndarray: ...


class Blocks(Backend):
    """Ours: a mapped .npy, exact products by blocks."""

    def build(self, chunks: np.ndarray) -> None:
        self.chunks = chunks

    def save(self) -> None:
        np.save(self.folder / "vectors.npy", self.chunks)

    def load(self) -> None:
        self.chunks = np.load(self.folder / "vectors.npy", mmap_mode="r")

    def search(self, questions: np.ndarray) -> np.ndarray:
        from dadeum.retrieval.dense import nearest

        return nearest(questions, self.chunks, K).positions


class FaissFlat(Backend):
    needs = "faiss"

    def made(self, dimensions: int) -> Any:
        import faiss

        return faiss.IndexFlatIP(dimensions)

    def build(self, chunks: np.ndarray) -> None:
        self.index = self.made(chunks.shape[1])
        self.index.add(chunks)

    def save(self) -> None:
        import faiss

        faiss.write_index(self.index, str(self.folder / "index.faiss"))

    def load(self) -> None:
        import faiss

        self.index = faiss.read_index(str(self.folder / "index.faiss"))

    def search(self, questions: np.ndarray) -> np.ndarray:
        return np.asarray(self.index.search(questions, K)[1])


class FaissHnsw(FaissFlat):
    """M 32, efConstruction 200, efSearch 128: usual values for high recall."""

    def made(self, dimensions: int) -> Any:
        import faiss

        index = faiss.IndexHNSWFlat(dimensions, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        index.hnsw.efSearch = 128
        return index


class Lance(Backend):
    """A table without an index structure: exact, as ours."""

    needs = "lancedb"
    kind: str | None = None

    def build(self, chunks: np.ndarray) -> None:
        import lancedb
        import pyarrow as pa

        column = pa.FixedSizeListArray.from_arrays(pa.array(chunks.reshape(-1)), chunks.shape[1])
        table = pa.table({"place": pa.array(range(len(chunks))), "vector": column})
        self.table = lancedb.connect(self.folder).create_table("chunks", table)
        if self.kind:
            self.table.create_index(metric="cosine", index_type=self.kind)

    def save(self) -> None:
        """It is on disk already."""

    def load(self) -> None:
        import lancedb

        self.table = lancedb.connect(self.folder).open_table("chunks")

    def search(self, questions: np.ndarray) -> np.ndarray:
        found = np.full((len(questions), K), -1)
        for row, question in enumerate(questions):
            places = self.asked(question).select(["place"]).limit(K).to_arrow()["place"].to_pylist()
            found[row, : len(places)] = places
        return found

    def asked(self, question: np.ndarray) -> Any:
        return self.table.search(question).distance_type("cosine")


class LanceIvf(Lance):
    """Its own index: IVF with product quantisation, a tenth of the lists looked at, ten times K scored exactly."""

    kind = "IVF_PQ"

    def asked(self, question: np.ndarray) -> Any:
        return super().asked(question).nprobes(32).refine_factor(10)


BACKENDS: dict[str, type[Backend]] = {
    "numpy blocks": Blocks,
    "faiss flat": FaissFlat,
    "faiss HNSW": FaissHnsw,
    "lancedb": Lance,
    "lancedb IVF_PQ": LanceIvf,
}


# -- one candidate, in a process of its own -------------------------------------------------------
def measured(name: str, options: argparse.Namespace) -> dict[str, float]:
    chunks, questions = (
        vectors(rows, options.dimensions, seed) for rows, seed in ((options.chunks, 1), (options.questions, 2))
    )
    with tempfile.TemporaryDirectory() as folder:
        made = BACKENDS[name](Path(folder))
        result = {"build_s": timed(lambda: made.build(chunks)), "save_s": timed(made.save)}
        loaded = BACKENDS[name](Path(folder))
        result["load_s"] = timed(loaded.load)
        result["first_question_ms"] = 1000 * timed(lambda: loaded.search(questions[:1]))
        single = [timed(lambda at=at: loaded.search(questions[at : at + 1])) for at in range(1, 1 + SINGLE)]
        result["one_question_ms"] = 1000 * statistics.median(single)
        started = time.perf_counter()
        found = loaded.search(questions)
        result["all_questions_s"] = time.perf_counter() - started
        result["disk_mb"] = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["recall"] = recall(found, chunks, questions)
    return result


def timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def recall(found: np.ndarray, chunks: np.ndarray, questions: np.ndarray) -> float:
    """Share of the exact ten that were found; a chunk as good as the tenth counts."""
    right = 0
    for start in range(0, len(questions), 64):
        scores = questions[start : start + 64].astype(np.float64) @ chunks.T.astype(np.float64)
        bound = np.partition(scores, -K, axis=1)[:, -K, None] - 1e-6
        places = found[start : start + 64]
        right += int(((np.take_along_axis(scores, places, axis=1) >= bound) & (places >= 0)).sum())
    return right / found.size


# -- all of them ----------------------------------------------------------------------------------
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=BACKENDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.only, options)))
        return
    found = {}
    for name, backend in BACKENDS.items():
        if backend.needs and find_spec(backend.needs) is None:
            print(f"{name}: {backend.needs} is not installed, left out")
            continue
        if figures := in_process(name, options):
            found[name] = figures
    show(found, options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def in_process(name: str, options: argparse.Namespace) -> dict[str, float] | None:
    numbers = [f"--{key}={getattr(options, key)}" for key in ("chunks", "dimensions", "questions")]
    threads = {key: str(options.threads) for key in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "LANCE_CPU_THREADS")}
    command = [sys.executable, __file__, "--only", name, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if done.returncode:
        print(f"{name} FAILED, left out: {done.stderr.strip().splitlines()[-1]}")
        return None
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(found: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    print(f"{options.chunks:,} chunks × {options.dimensions}, {options.questions:,} questions, top {K}")
    columns = list(next(iter(found.values())))
    print(f"{'':16}" + "".join(f"{column:>19}" for column in columns))
    for name, figures in found.items():
        print(f"{name:16}" + "".join(f"{figures[column]:>19,.3f}" for column in columns))


if __name__ == "__main__":
    main()
