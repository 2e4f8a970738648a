"""Retrieval evaluation: 10,000 questions against 100,000 chunks of 384 dimensions, and what others need for it.

    python benchmarks/retrieval_speed.py [--questions 10000] [--chunks 100000] [--guide 3] [--json figures.json]

Vectors are random unit vectors; the work does not depend on what they mean. faiss-cpu (IndexFlatIP, exact) and bm25s
are peers, no dependencies: they are left out, and said to be, where they are not installed. The guide's loop encodes
every chunk again for every question; --guide N times N single encodings of `minilm-l6` and EXTRAPOLATES the rest.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dadeum.retrieval.dense import nearest
from dadeum.retrieval.lexical import Lexical

K = 10
WORDS_PER_CHUNK, WORDS_PER_QUESTION, VOCABULARY = 130, 8, 50_000


def unit(rows: int, dimensions: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((rows, dimensions), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def words(rows: int, each: int, seed: int) -> list[list[str]]:
    """Words as rare and as frequent as Zipf says."""
    ranks = np.random.default_rng(seed).zipf(1.3, size=(rows, each)) % VOCABULARY
    return [[f"w{rank}" for rank in row] for row in ranks.tolist()]


def timed(work: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def dense(questions: np.ndarray, chunks: np.ndarray) -> dict[str, float]:
    seconds, found = timed(lambda: nearest(questions, chunks, K))
    result = {"dadeum_dense_s": seconds}
    if find_spec("faiss") is None:
        print("faiss-cpu is not installed: no peer")
        return result
    import faiss

    index = faiss.IndexFlatIP(chunks.shape[1])
    index.add(chunks)
    result["faiss_flat_s"], (_, theirs) = timed(lambda: index.search(questions, K))
    same = float((theirs == found.positions).mean())
    # Sums of float32 differ in the last digit, so near-equal neighbours may change places.
    assert same > 0.999, f"only {same:.4f} of the places agree with faiss"
    return result | {"same_places_as_faiss": same}


def lexical(num_questions: int, num_chunks: int) -> dict[str, float]:
    corpus, asked = words(num_chunks, WORDS_PER_CHUNK, 3), words(num_questions, WORDS_PER_QUESTION, 4)
    building, index = timed(lambda: Lexical(corpus))
    seconds, found = timed(lambda: index.search(asked, K))
    result = {"dadeum_bm25_build_s": building, "dadeum_bm25_s": seconds}
    if find_spec("bm25s") is None:
        print("bm25s is not installed: no peer")
        return result
    import bm25s

    peer = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    result["bm25s_build_s"], _ = timed(lambda: peer.index(corpus, show_progress=False))
    asked_of_it = [list(one) for one in asked]
    result["bm25s_s"], (_, scores) = timed(lambda: peer.retrieve(asked_of_it, k=K, show_progress=False, n_threads=1))
    ours = np.where(np.isneginf(found.scores), 0, found.scores)
    assert np.allclose(ours, scores, rtol=1e-3, atol=1e-3), "the scores differ from those of bm25s"
    return result


def guide(num_single: int, num_questions: int, num_chunks: int, seconds: float) -> dict[str, float]:
    """The loop of the guide: one chunk, one encoding, for every question."""
    from sentence_transformers import SentenceTransformer

    from dadeum.models.embed import find_embedder

    model = SentenceTransformer(find_embedder("minilm-l6"), device="cpu")
    text = "지원 대상은 만 19세부터 34세까지의 청년이며 주민센터에서 신청합니다. " * 6
    model.encode([text])
    one = min(timed(lambda: model.encode([text]))[0] for _ in range(num_single))
    once = one * (num_chunks + num_questions)
    print(f"one encoding {one * 1000:.1f} ms; everything below is EXTRAPOLATED from it")
    return {
        "one_encoding_s": one,
        "guide_loop_extrapolated_s": one * num_questions * (num_chunks + 1),
        "each_text_once_extrapolated_s": once + seconds,
        "ratio_extrapolated": one * num_questions * (num_chunks + 1) / (once + seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--guide", type=int, default=3, help="single encodings to time; 0 leaves the guide's loop out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, float] = {"questions": options.questions, "chunks": options.chunks}
    result |= dense(unit(options.questions, options.dimensions, 1), unit(options.chunks, options.dimensions, 2))
    result["peak_gib_after_dense"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result |= lexical(options.questions, options.chunks)
    if options.guide:
        result |= guide(options.guide, options.questions, options.chunks, result["dadeum_dense_s"])
    for name, value in result.items():
        print(f"{name:32} {value:,.4f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
