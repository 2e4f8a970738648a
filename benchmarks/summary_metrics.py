"""What figures of summaries say of answers whose worth is known.

One sentence for all, a second human translation, that of other dialogues, the beginning, TextRank, summaries with
every number made wrong. The second translation spells names otherwise than the dialogue, so many of its names are new.

Run: python benchmarks/summary_metrics.py [FOLDER]   (DialogSum-Ko's dev.csv and dev_sample.csv; default ../shared/data)
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.evaluation.answers.extractive import lead, textrank, typical
from dadeum.evaluation.answers.figures import Resampling, metrics_of, rate, value_of
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics import bleu, content_rouge, rouge
from dadeum.tasks import summarize

SHARED = Path(__file__).parents[2] / "shared" / "data" / "dialogsum_ko"
CONSTANT = "#Person1#과 #Person2#는 대화를 나누고 있습니다."
NOTES = {
    "constant": {"google": 55.2, "rouge": 16.8, "content": 0.4},
    "second": {"rouge_1": 64.5, "rouge_2": 41.6, "rouge_l": 59.9, "rouge": 55.6, "content": 47.5,
               "bleu": 42.9, "chrf_pp": 48.1},
    "shuffled": {"rouge_1": 25.6, "rouge_2": 6.0, "rouge_l": 20.4, "bleu": 13.3, "chrf_pp": 18.2},
    "lead 2": {"google": 57.7},
}  # fmt: skip
"""Measured on the 499 pairs of the whole file with other programs; here are 300 of them."""
SHOWN = (
    "content_rouge_l", "rouge", "rouge_1", "rouge_2", "rouge_l", "bleu", "chrf_pp", "char_f1", "length_ratio", "copied",
    "coverage", "density", "unsupported_numbers", "unsupported_names",
)  # fmt: skip


def read(folder: Path) -> tuple[list[Example], list[str]]:
    """Rows with the first translation as their summary, and the second translation of each."""
    tables = []
    for name in ("dev.csv", "dev_sample.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            tables.append({row["fname"]: row for row in csv.DictReader(file)})
    first, second = tables
    task = recipe().task
    assert task.type == "summarize"
    rows = [
        Example(
            name, "dialogsum", "dialogsum", name, row["dialogue"], summarize.prompt(task, row["dialogue"], "chat"),
            summarize.completion(row["summary"]), "",
        )
        for name, row in first.items() if name in second
    ]  # fmt: skip
    return rows, [second[row.id]["summary"] for row in rows]


def recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "name": "summary-metrics",
            "task": {"type": "summarize", "instruction": "-"},
            "model": {"base": "-", "adapter": {"type": "none"}},
            "data": {"sources": [{"path": "-"}]},
            "stages": [{"name": "sft", "method": "sft"}],
        }
    )


def google(answers: Sequence[str], rows: Sequence[Example]) -> float:
    """Mean of ROUGE-1, -2, -L by the default tokenizer, which keeps a-z and 0-9."""
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    found = [
        np.mean([score.fmeasure for score in scorer.score(row.completion[-1]["content"], answer).values()])
        for answer, row in zip(answers, rows, strict=True)
    ]
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED)
    rows, second = read(parser.parse_args().folder)
    train = rows[: len(rows) // 2]
    systems = {
        "first": [row.completion[-1]["content"] for row in rows],
        "second": second,
        "shuffled": [*second[1:], second[0]],
        "constant": [CONSTANT] * len(rows),
        "typical": typical(train, rows).answers,
        "lead 2": ["\n".join(row.text.splitlines()[:2]) for row in rows],
        "lead k": lead(train, rows).answers,
        "textrank": textrank(train, rows).answers,
        "wrong numbers": [re.sub(r"\d+(?![#\d])", lambda found: str(int(found[0]) + 7), one) for one in second],
    }
    print(
        f"{len(rows)} rows\nrouge: {rouge.signature()}\ncontent: {content_rouge.signature()}\nbleu: {bleu.signature()}"
    )
    measured = {name: measure(answers, rows, train) for name, answers in systems.items()}
    width = max(map(len, SHOWN)) + 1
    print("\n" + "".rjust(width) + "".join(name.rjust(15) for name in systems))
    for figure in ("google", "content", *SHOWN):
        cells = [number(figure, found.get(figure)) for found in measured.values()]
        print(figure.rjust(width) + "".join(cell.rjust(15) for cell in cells))
        if any(figure in known for known in NOTES.values()):
            known = [NOTES.get(name, {}).get(figure) for name in systems]
            print(
                "(notes, 499)".rjust(width) + "".join(("" if one is None else f"{one:.1f}").rjust(15) for one in known)
            )
    print_resolution(systems["second"], rows, train)
    print_wrong_numbers(systems, rows)


def measure(answers: list[str], rows: list[Example], train: list[Example]) -> dict[str, float | None]:
    per_row = rate(Asked(recipe(), rows, answers, train), lambda done, total: None)
    found = {name: value_of(name, values) for name, values in per_row.items()}
    content = [found[f"content_rouge_{kind}"] for kind in ("1", "2", "l")]
    return found | {"google": google(answers, rows), "content": float(np.mean([each or 0 for each in content]))}


def number(figure: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if figure in ("length_ratio", "density") else f"{100 * value:.1f}"


def print_resolution(answers: list[str], rows: list[Example], train: list[Example]) -> None:
    """How much a test of some size can tell apart: half the interval of the second translation's figures."""
    print()
    for num in (30, 100, len(rows)):
        per_row = rate(Asked(recipe(), rows[:num], answers[:num], train), lambda done, total: None)
        drawn = Resampling([row.id for row in rows[:num]], 42, 2000)
        halves = []
        for figure in ("content_rouge_l", "rouge", "bleu"):
            found = drawn.mean(figure, per_row[figure])
            halves.append(f"{figure} ±{50 * (found.high - found.low):.1f}" if found else f"{figure} -")
        print(f"{num} rows, half of the 95 % interval: {', '.join(halves)}")


def print_wrong_numbers(systems: dict[str, list[str]], rows: list[Example]) -> None:
    """Of the summaries whose numbers were made wrong: how many are found."""
    given = [place for place, text in enumerate(systems["second"]) if text != systems["wrong numbers"][place]]
    found = rate(
        Asked(recipe(), [rows[place] for place in given], [systems["wrong numbers"][place] for place in given], []),
        lambda done, total: None,
    )
    caught = int(found["unsupported_numbers"].sum())
    print(f"\nsummaries whose numbers were made wrong: {len(given)}, found: {caught}")
    assert metrics_of("summarize")["unsupported_numbers"] == "lower"


if __name__ == "__main__":
    main()
