"""Near-duplicate pairs: recall against brute force, and time, beside datasketch's MinHashLSH in the same run.

    python benchmarks/near_duplicates.py [--rows 20000]

Texts are ChatbotData questions, answers and mail subjects of ../shared/data (read, never copied), plus perturbed
copies made here. Both tools see the same character 3-gram sets and the same Jaccard threshold. The truth is every
pair of the first 4,000 distinct texts compared exactly. datasketch is no dependency: pip install datasketch==2.0.0.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dadeum.data.similar.duplicates import near_groups
from dadeum.data.similar.fingerprints import fingerprint
from dadeum.data.similar.shingles import shingle

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TRUTH_ROWS = 4_000
PARTICLES = ("은", "는", "이", "가", "을", "를", "도")


def texts(num_rows: int, seed: int) -> list[str]:
    """Distinct real texts and, for every fifth, a copy with one to three small changes; shuffled."""
    found: list[str] = []
    with (DATA / "chat" / "ChatbotData.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.append(f"{row['Q']} {row['A']}")
    with (DATA / "spam" / "postal_block_list.csv").open(encoding="utf-8-sig") as file:
        found += [row["제목"] for row in csv.DictReader(file)]
    rng = random.Random(seed)
    distinct = [text for text in dict.fromkeys(found) if len(text) >= 12]
    rng.shuffle(distinct)
    kept = distinct[: num_rows * 5 // 6]
    copies = [perturbed(text, rng) for text in kept[: num_rows - len(kept)]]
    mixed = [*kept, *copies]
    rng.shuffle(mixed)
    return list(dict.fromkeys(mixed))


def perturbed(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        text = rng.choice(
            [text[:at] + text[at + 1 :], f"{text[:at]} {text[at:]}", text[:at] + rng.choice(PARTICLES) + text[at:]]
        )
    return text


def grams(text: str) -> set[bytes]:
    return {text[i : i + 3].encode() for i in range(len(text) - 2)}


def true_pairs(sample: list[str], similarity: float) -> set[tuple[int, int]]:
    """Every pair at or above the similarity, by comparing all of them."""
    sets = shingle(sample)
    pairs: set[tuple[int, int]] = set()
    for left in range(len(sample) - 1):
        right = np.arange(left + 1, len(sample))
        values = sets.similarity(np.full(len(right), left), right)
        pairs |= {(left, int(other)) for other in right[values >= similarity - 1e-9]}
    return pairs


def ours(sample: list[str], similarity: float) -> list[int]:
    return list(near_groups(sample, similarity).tolist())


def datasketch(sample: list[str], similarity: float) -> list[int]:
    """The usual recipe (its own documentation): MinHash with 128 permutations, LSH, union of what queries return."""
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=similarity, num_perm=128)
    prints = MinHash.bulk([grams(text) for text in sample], num_perm=128)
    for number, item in enumerate(prints):
        lsh.insert(number, item)
    group = list(range(len(sample)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    sets = [grams(text) for text in sample]
    for number, item in enumerate(prints):
        for other in lsh.query(item):
            shared = len(sets[number] & sets[other])
            if other > number and shared / (len(sets[number]) + len(sets[other]) - shared) >= similarity:
                group[root(other)] = root(number)
    return [root(number) for number in range(len(sample))]


def recall(groups: list[int], pairs: set[tuple[int, int]]) -> float:
    """Share of the true pairs whose texts ended in one group."""
    return sum(groups[left] == groups[right] for left, right in pairs) / max(len(pairs), 1)


def timed(work: Callable[[], list[int]]) -> tuple[list[int], float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    all_texts = texts(options.rows, options.seed)
    sample = all_texts[:TRUTH_ROWS]
    fingerprint(sample[:10])  # Daft starts up
    print(f"{len(all_texts):,} texts, median {int(np.median([len(text) for text in all_texts]))} characters")
    for similarity in (0.7, 0.8, 0.9):
        pairs = true_pairs(sample, similarity)
        mine, theirs = recall(ours(sample, similarity), pairs), recall(datasketch(sample, similarity), pairs)
        _, seconds = timed(lambda similarity=similarity: ours(all_texts, similarity))
        _, their_seconds = timed(lambda similarity=similarity: datasketch(all_texts, similarity))
        print(
            f"similarity {similarity}: {len(pairs)} true pairs; recall dadeum {mine:.4f}, datasketch {theirs:.4f}; "
            f"time {seconds:.2f} s against {their_seconds:.2f} s: {their_seconds / seconds:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
