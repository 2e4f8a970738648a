"""Precision and recall of every check on seeded corruption of real data; the table of docs/guide/data-doctor.md.

    python benchmarks/doctor_precision.py [--check nfd] [--rows 1000]

Rows of ../shared/data (read, never copied) get faults from doctor_corruptions_*.py, which know kinds of fault but not
how a check looks. Row checks: one row in ten, the check has to point at exactly those; a hit on any other row counts as
false even where the real data has that fault, so precision is a lower bound. Checks of whole sets: 20 seeded sets with
the fault and 20 without; recall is the share of the first that is spoken of, precision counts the second.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import doctor_corruptions_blind
import doctor_corruptions_data
import doctor_corruptions_korean
import doctor_corruptions_sets
import doctor_corruptions_structure

from dadeum.core.examples import Example
from dadeum.data.check import run_checks
from dadeum.data.context import Context
from dadeum.data.corpus import Given, read_corpus

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARE = 0.1
NUM_SETS = 20
DECISIONS = {
    "label_noise", "label_spelling", "conflicting_labels", "single_class", "imbalance", "field_shortcut",
    "source_shortcut",
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """How one check did."""

    corrupted: int
    hit: int
    right: int
    natural: float

    @property
    def precision(self) -> float:
        return self.right / self.hit if self.hit else float("nan")

    @property
    def recall(self) -> float:
        return self.right / self.corrupted if self.corrupted else float("nan")


# -- real rows --------------------------------------------------------------------------------------
def chat_rows(num_rows: int, rng: random.Random) -> list[Example]:
    """Question and answer of the chatbot file, answers of the 12-category file, and summaries of DialogSum.

    The second translation of DialogSum: the checks were tuned while looking at the first.
    """
    pairs: list[tuple[str, str]] = []
    with (DATA / "chat" / "ChatbotData.csv").open(encoding="utf-8") as file:
        pairs += [(row["Q"], row["A"]) for row in csv.DictReader(file)]
    pairs = rng.sample(pairs, num_rows * 6 // 10)
    with (DATA / "dialogsum_ko" / "dev_sample.csv").open(encoding="utf-8") as file:
        pairs += [(row["dialogue"], row["summary"]) for row in csv.DictReader(file)]
    with (DATA / "korean_sft" / "korean_sft_train.jsonl").open(encoding="utf-8") as file:
        for line in file:
            turns = json.loads(line)["messages"]
            pairs.append((turns[-2]["content"], turns[-1]["content"]))
    rng.shuffle(pairs)
    return [example(number, question, answer) for number, (question, answer) in enumerate(pairs[:num_rows])]


def example(number: int, question: str, answer: str) -> Example:
    row = f"real:{number}"
    prompt, completion = [{"role": "user", "content": question}], [{"role": "assistant", "content": answer}]
    return Example(row, "real", "real", row, question, prompt, completion, "", extra={"id": str(number)})


def decision_rows(num_rows: int, rng: random.Random) -> list[Example]:
    """Mail subjects of the block list and notice titles, half and half."""
    with (DATA / "spam" / "postal_block_list.csv").open(encoding="utf-8-sig") as file:
        block = [row["제목"] for row in csv.DictReader(file)]
    with (DATA / "spam" / "notice_allow_titles.jsonl").open(encoding="utf-8") as file:
        allow = [json.loads(line)["title"] for line in file]
    rows = []
    for label, subjects in (("BLOCK", block), ("ALLOW", allow)):
        for subject in rng.sample([text for text in dict.fromkeys(subjects) if text.strip()], num_rows // 2):
            row = f"real:{len(rows)}"
            prompt, answer = [{"role": "user", "content": subject}], [{"role": "assistant", "content": label}]
            rows.append(Example(row, "real", "real", row, subject, prompt, answer, label))
    rng.shuffle(rows)
    return rows


# -- scoring ----------------------------------------------------------------------------------------
def pointed_at(name: str, rows: list[Example], task: str) -> set[str]:
    """Ids of the rows that the check points at. `full`: no sampling, or recall would measure the sample."""
    context = Context(doctor_corruptions_data.splits_of(rows), task, full=True)
    return {context.placed[hit.row][1].id for finding in run_checks(context, only=[name]) for hit in finding.hits}


def score_text_check(
    name: str, corrupt: Callable[[str, random.Random], str | None], rows: list[Example], rng: random.Random
) -> Score:
    """Corrupt the answer of one row in ten."""
    natural = pointed_at(name, rows, "chat")
    changed: dict[str, Example] = {}
    for row in rng.sample(rows, len(rows)):
        if len(changed) >= SHARE * len(rows):
            break
        answer = corrupt(row.completion[-1]["content"], rng)
        if answer is not None and row.id not in natural:
            changed[row.id] = replace(row, completion=[{"role": "assistant", "content": answer}])
    found = pointed_at(name, [changed.get(row.id, row) for row in rows], "chat")
    return Score(len(changed), len(found), len(found & changed.keys()), len(natural) / len(rows))


def score_data_check(
    name: str,
    corrupt: Callable[[list[Example], random.Random], tuple[list[Example], set[str]]],
    rows: list[Example],
    rng: random.Random,
) -> Score:
    task = "decide" if name in DECISIONS else "chat"
    natural = pointed_at(name, rows, task)
    changed, guilty = corrupt([row for row in rows if row.id not in natural], rng)
    found = pointed_at(name, changed, task)
    return Score(len(guilty), len(found), len(found & guilty), len(natural) / len(rows))


def score_sets(
    name: str, corrupt: Callable[[list[Example], random.Random], list[Example]], rows: list[Example], rng: random.Random
) -> Score:
    """Faulty sets that the check speaks of, and sound ones that it does not leave alone."""
    task = "decide" if name in DECISIONS else "chat"
    size = min(len(rows), 400)
    sound = [rng.sample(rows, size) for _ in range(NUM_SETS)]
    alarms = sum(bool(pointed_at(name, some, task)) for some in sound)
    right = sum(bool(pointed_at(name, corrupt(some, rng), task)) for some in sound)
    return Score(NUM_SETS, right + alarms, right, alarms / NUM_SETS)


def score_lines(rows: list[Example], rng: random.Random) -> Score:
    """Lines of a JSONL file made unreadable, found by their numbers."""
    lines = [
        json.dumps({"question": row.text, "answer": row.completion[-1]["content"]}, ensure_ascii=False) for row in rows
    ]
    broken = set(rng.sample(range(len(lines)), len(lines) // 10))
    lines = [
        doctor_corruptions_sets.unreadable(line, rng) if number in broken else line for number, line in enumerate(lines)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        unread = {int(row.id.rpartition(":")[2]) - 1 for row in read_corpus([Given(path)]).unread}
    return Score(len(broken), len(unread), len(unread & broken), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--blind", action="store_true", help="faults by someone who did not know the checks")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    chat, decisions = chat_rows(options.rows, rng), decision_rows(options.rows, rng)
    scores: dict[str, Score] = {}
    if options.blind:
        show({
            name: score_text_check(name, corrupt, chat, random.Random(options.seed))
            for name, corrupt in doctor_corruptions_blind.CORRUPTIONS.items()
        })  # fmt: skip
        return
    for module in (doctor_corruptions_structure, doctor_corruptions_korean):
        for name, corrupt in module.CORRUPTIONS.items():
            if options.check in (None, name):
                scores[name] = score_text_check(name, corrupt, chat, random.Random(options.seed))
    of_rows = doctor_corruptions_data.CORRUPTIONS | doctor_corruptions_sets.ROWS
    of_rows |= doctor_corruptions_korean.ROW_CORRUPTIONS
    for name, corrupt_rows in of_rows.items():
        if options.check in (None, name):
            rows = decisions if name in DECISIONS else chat
            scores[name] = score_data_check(name, corrupt_rows, rows, random.Random(options.seed))
    for name, corrupt_set in doctor_corruptions_sets.SETS.items():
        if options.check in (None, name):
            rows = decisions if name in DECISIONS else chat
            scores[name] = score_sets(name, corrupt_set, rows, random.Random(options.seed))
    if options.check in (None, "unreadable_rows"):
        scores["unreadable_rows"] = score_lines(chat, random.Random(options.seed))
    show(scores)


def show(scores: dict[str, Score]) -> None:
    print("| check | corrupted | pointed at | precision | recall | natural |")
    print("|---|---|---|---|---|---|")
    for name, score in sorted(scores.items()):
        print(
            f"| {name} | {score.corrupted} | {score.hit} | {score.precision:.3f} | {score.recall:.3f} "
            f"| {score.natural:.1%} |"
        )


if __name__ == "__main__":
    main()
