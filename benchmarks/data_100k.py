"""How long 100,000 raw rows take from files to checked splits: read, clean, deduplicate, split, write, check.

Target: under 30 s and 2 GB on 2 cores. Wall time counts; CPU time beside it tells a busy machine from a slow program.
Run: python benchmarks/data_100k.py   (synthetic rows, and the real list with typing errors where ../shared/data exists)
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dadeum.core.errors import CheckBlocked
from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json
from dadeum.data.build import build_data
from dadeum.data.check import check_data
from dadeum.models.render import Fitted

SEED = 7
SHARED = Path(__file__).parents[2] / "shared" / "data" / "spam"
SENDERS = (
    "라온생명",
    "가온카드",
    "누리은행",
    "다솜마트",
    "미리내통신",
    "한울학원",
    "총무팀",
    "인사팀",
    "연구처",
    "물류팀",
)
NAMES = ("김하늘", "이도윤", "박서아", "최유찬", "정다온", "강이든", "조아린", "윤지호", "장로운", "한가람")
TOPICS = (
    "보험료", "회의록", "견적서", "세금계산서", "출장 일정", "장학금", "배송", "건강검진", "계약서", "정기점검",
    "할인 행사", "수강신청", "급여명세", "설문조사", "입찰 공고",
)  # fmt: skip
ENDS = (
    "안내드립니다",
    "확인 부탁드립니다",
    "신청하세요",
    "변경되었습니다",
    "송부드립니다",
    "마감 임박",
    "놓치지 마세요",
)
SPAM = ("(광고) {name}님, {month}월 {topic} {end} : {sender}", "[{sender}] {name}님만을 위한 {topic} {number}원 {end}")
HAM = ("[{sender}] {month}월 {day}일 {topic} {end}", "{topic} 관련 {number}번 문의 {end} ({sender} {name})")
SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초기니디리미비시이지치"
EXTENSIONS = ("pdf", "hwp", "xlsx", "docx", "zip", "png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=["synthetic", "real"])
    arguments = parser.parse_args()
    if arguments.only:
        measure(arguments.only, arguments.rows)
        return
    for kind in ["synthetic", *(["real"] if SHARED.is_dir() else [])]:
        # A process of its own: peak memory is per process.
        subprocess.run([sys.executable, __file__, "--only", kind, "--rows", str(arguments.rows)], check=True)


def measure(kind: str, num_rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = synthetic(num_rows) if kind == "synthetic" else real(num_rows)
        write(rows, folder)
        memory_before = peak_mb()
        run = Run.create(recipe(folder), folder / "run")
        started, cpu_started = time.perf_counter(), time.process_time()
        built = build_data(recipe(folder), run, fits=AllFit())
        build_s, build_cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        try:
            check_data(recipe(folder), run, tokens=AllFit())
        except CheckBlocked as error:
            print(error.in_language("en"))
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        steps = read_json(run.manifest_path)["data"]["seconds"]
    print(f"{kind}: {built.rows_in:,} rows in, used {built.used}, removed {built.removed}")
    print("  " + ", ".join(f"{step} {value:.2f} s" for step, value in steps.items()))
    check_s, check_cpu_s = seconds - build_s, cpu_s - build_cpu_s
    print(f"  build {build_s:.1f} s (CPU {build_cpu_s:.1f}), check {check_s:.1f} s (CPU {check_cpu_s:.1f})")
    print(f"  total {seconds:.1f} s (CPU {cpu_s:.1f}), peak {peak_mb():.0f} MB ({memory_before:.0f} MB before)")


class AllFit:
    """Stands in for the tokenizer: it is measured elsewhere, and needs a model."""

    label_spans = [[1], [2]]  # noqa: RUF012

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        return [Fitted(example, 0, 0) for example in examples]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def recipe(folder: Path) -> Recipe:
    columns = {"subject": "제목", "attachments": "첨부", "label": "분류", "origin": "보낸 곳"}
    return Recipe.model_validate(
        {
            "name": "data-100k",
            "task": {
                "type": "decide", "instruction": "Decide.", "labels": ["BLOCK", "ALLOW"],
                "input_fields": ["subject", "attachments"],
            },
            "model": {"base": "none", "adapter": {"type": "none"}},
            "data": {"sources": [{"path": str(folder / name), "map": columns} for name in ("a.csv", "b.jsonl")]},
            "stages": [{"name": "sft", "method": "sft"}],
        }
    )  # fmt: skip


# -- rows -----------------------------------------------------------------------------------------
Raw = tuple[str, str, str, str]
"""Subject, attachments, label, origin."""


def synthetic(num_rows: int) -> list[Raw]:
    """Templates with names, numbers and words put in; a fifth of them copied with or without a change."""
    chance = random.Random(SEED)
    rows: list[Raw] = []
    while len(rows) < num_rows:
        if rows and chance.random() < 0.2:
            subject, attached, label, origin = chance.choice(rows)
            rows.append((mistyped(subject, chance.choice((0, 1, 1, 3)), chance), attached, label, origin))
            continue
        label = chance.choice(("BLOCK", "ALLOW"))
        subject = chance.choice(SPAM if label == "BLOCK" else HAM).format(
            name=chance.choice(NAMES), topic=" ".join(chance.sample(TOPICS, 2)), end=chance.choice(ENDS),
            sender=chance.choice(SENDERS), month=chance.randint(1, 12), day=chance.randint(1, 28),
            number=f"{chance.randint(1, 99_999):,}",
        )  # fmt: skip
        # What no template knows: without it 100,000 rows would be a few hundred groups.
        subject += " " + "".join(chance.choices(SYLLABLES, k=chance.randint(4, 24)))
        rows.append((subject, attachments(chance), label, chance.choice(SENDERS)))
    return rows


def real(num_rows: int) -> list[Raw]:
    """The real block list and notices once, then copies of their rows with 0 to 8 syllables mistyped."""
    chance = random.Random(SEED)
    with (SHARED / "postal_block_list.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["제목"], row["첨부"], "BLOCK", "우편") for row in csv.DictReader(file)]
    for line in (SHARED / "notice_allow_titles.jsonl").read_text(encoding="utf-8").splitlines():
        notice = json.loads(line)
        rows.append((notice["title"], ", ".join(notice["attachments"]), "ALLOW", notice["board"]))
    originals = list(rows)
    while len(rows) < num_rows:
        subject, attached, label, origin = chance.choice(originals)
        rows.append((mistyped(subject, chance.choice((0, 1, 2, 4, 8)), chance), attached, label, origin))
    return rows[:num_rows]


def attachments(chance: random.Random) -> str:
    names = [f"{chance.choice(TOPICS)}_{chance.randint(1, 999)}.{chance.choice(EXTENSIONS)}" for _ in range(2)]
    return ", ".join(
        f"{name} ({chance.randint(1, 900)}.{chance.randint(0, 9)} K)" for name in names[: chance.randint(0, 2)]
    )


def mistyped(text: str, times: int, chance: random.Random) -> str:
    letters = list(text)
    for _ in range(times if letters else 0):
        letters[chance.randrange(len(letters))] = chance.choice(SYLLABLES)
    return "".join(letters)


def write(rows: list[Raw], folder: Path) -> None:
    """Half as CSV, half as JSONL."""
    columns = ("제목", "첨부", "분류", "보낸 곳")
    half = len(rows) // 2
    with (folder / "a.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows[:half])
    lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows[half:])
    (folder / "b.jsonl").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
