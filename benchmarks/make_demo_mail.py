"""Make the synthetic mail of `make demo`: a spam list (CSV) and wanted mail (JSONL), the same bytes for the same seed.

Why synthetic: real lists may not be shipped, and planted dirt lets every cleaning step show what it does.
Templates and the rule for the label: `demo_mail_templates.yaml` beside this file.
Run: python benchmarks/make_demo_mail.py   (writes src/dadeum/recipes/data/)
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import yaml

SEED = 2025
MOST_PER_TEMPLATE = 3
ALIKE = 0.6
"""No two clean rows have character 3-grams this similar (Jaccard, names and numbers masked)."""

TEMPLATES = Path(__file__).with_name("demo_mail_templates.yaml")
OUTPUT = Path(__file__).parents[1] / "src/dadeum/recipes/data"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
Label = Literal["BLOCK", "ALLOW"]
LABELS: tuple[Label, ...] = ("BLOCK", "ALLOW")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Mail:
    """One row before it is written; `kind`, `template` and `dirt` are for the figures and are not shipped."""

    label: Label
    kind: str
    template: str
    origin: str
    subject: str
    attachments: tuple[str, ...]
    received: datetime
    dirt: str = ""


Fits = Callable[[Mail], bool]
Change = Callable[[Mail], Mail]


@dataclass(frozen=True)
class Template:
    """One line of `demo_mail_templates.yaml` with the section it stands in."""

    label: Label
    kind: str
    origins: tuple[str, ...]
    line: str
    korean: bool  # Hangul in the subject once the slots are filled
    first: bool  # drawn before the others of its kind


def load_templates(path: Path = TEMPLATES) -> tuple[list[Template], dict[str, list[str]]]:
    """All templates in file order, and the words that fill their slots."""
    raw = _read(path)
    slots: dict[str, list[str]] = raw["slots"]

    def korean(line: str) -> bool:
        subject = line.partition("||")[0]
        return bool(re.search("[가-힣]", _SLOT.sub(lambda match: slots.get(match[1], ["0"])[0], subject)))

    templates = [
        Template(label, kind["kind"], tuple(kind["origins"]), line.removeprefix("! "), korean(line), line[:2] == "! ")
        for label in LABELS
        for kind in raw[label.lower()]
        for line in kind["subjects"].strip().splitlines()
    ]
    return templates, slots


def load_counts(label: Label, path: Path = TEMPLATES) -> dict[tuple[str, bool], int]:
    """(kind, Korean subject?) → clean rows to draw, before dirt is planted."""
    kinds = _read(path)[label.lower()]
    return {(kind["kind"], name == "korean"): count for kind in kinds for name, count in kind["rows"].items()}


def _read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))


def render(template: Template, slots: dict[str, list[str]], draw: random.Random) -> Mail:
    """Fill one template; a slot that occurs twice gets the same word, so that attachments fit their subject.

    A month in the subject is the month in which the mail came.
    """
    received = _moment(draw)
    words = {"월": str(received.month), "month": MONTHS[received.month - 1]}

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in words:
            if re.fullmatch(r"d\d", name):
                words[name] = str(draw.randint(10 ** (int(name[1]) - 1), 10 ** int(name[1]) - 1))
            else:
                words[name] = draw.choice(slots[name])
        return words[name]

    subject, _, files = _SLOT.sub(fill, template.line).partition("||")
    attachments = tuple(file.strip().replace(" ", "_") for file in files.split(",") if file.strip())
    origin = draw.choice(template.origins)
    return Mail(template.label, template.kind, template.line, origin, subject.strip(), attachments, received)


def _moment(draw: random.Random) -> datetime:
    """Some second of one year; the same clock for both labels, so that time tells nothing."""
    return datetime(2025, 1, 1) + timedelta(seconds=draw.randrange(365 * 86_400))


def clean_rows(label: Label, draw: random.Random) -> list[Mail]:
    """As many rows of each kind and language as the template file asks for.

    No template is drawn a second time, with other words, before all of its kind and language were drawn once.
    """
    templates, slots = load_templates()
    rows: list[Mail] = []
    seen: list[set[str]] = []
    for (kind, korean), count in load_counts(label).items():
        mine = [template for template in templates if (template.kind, template.korean) == (kind, korean)]
        wanted = len(rows) + count
        for template in _in_turns(mine, draw):
            if len(rows) == wanted:
                break
            mail = render(template, slots, draw)
            grams = _grams(mail.subject, slots["이름"])
            if any(len(grams & other) > ALIKE * len(grams | other) for other in seen):
                continue
            rows.append(mail)
            seen.append(grams)
        if len(rows) < wanted:
            raise SystemExit(f"{kind}: {wanted - len(rows)} of {count} rows missing; add templates or slot words")
    return rows


def _in_turns(templates: list[Template], draw: random.Random) -> list[Template]:
    """All templates shuffled, those marked `! ` before the others; then those with slots again."""
    slotted = [template for template in templates if _SLOT.search(template.line)]
    first, again = list(templates), slotted * (MOST_PER_TEMPLATE - 1)
    draw.shuffle(first)
    draw.shuffle(again)
    return sorted(first, key=lambda template: not template.first) + again


def _grams(subject: str, names: list[str]) -> set[str]:
    bare = re.sub(r"\d+", "0", re.sub("|".join(names), "이름", subject))
    return {bare[start : start + 3] for start in range(max(1, len(bare) - 2))}


def plant_dirt(rows: list[Mail], names: list[str], draw: random.Random) -> list[Mail]:
    """About one row in sixteen made as real lists are: doubled, re-sent with another name, badly encoded, empty.

    Returns the rows with some altered and others added; `dirt` says what was done to each.
    """
    rows = list(rows)
    added: list[Mail] = []
    used: set[int] = set()
    for dirt, count, fits, change, adds in _plan(names, draw):
        fitting = [number for number, mail in enumerate(rows) if number not in used and fits(mail)]
        for number in draw.sample(fitting, count):
            used.add(number)
            changed = replace(change(rows[number]), dirt=dirt)
            if adds:
                added.append(replace(changed, received=_moment(draw)))
            else:
                rows[number] = changed
    empty = replace(rows[0], kind="", template="", subject="", attachments=(), received=_moment(draw), dirt="empty")
    return [*rows, *added, empty]


def _plan(names: list[str], draw: random.Random) -> list[tuple[str, int, Fits, Change, bool]]:
    """What is done, to how many rows, which rows it suits, how, and whether it adds a row or alters one."""

    def named(mail: Mail) -> bool:
        return bool(re.search(f"(?:{'|'.join(names)})님(?:[ ,]|의 )", mail.subject))

    def numbered(mail: Mail) -> bool:
        return bool(re.search(r"\d{3}", mail.subject))

    def korean(mail: Mail) -> bool:
        return bool(re.search("[가-힣]{4}", mail.subject))

    def long(mail: Mail) -> bool:
        return len(mail.subject) >= 22 and not mail.attachments

    return [
        ("exact duplicate", 3, lambda mail: True, lambda mail: mail, True),
        ("near duplicate: one character", 2, long, lambda mail: replace(mail, subject=mail.subject + "!"), True),
        ("near duplicate: name", 2, named, lambda mail: _rename(mail, names, draw), True),
        ("near duplicate: number", 1, numbered, lambda mail: _renumber(mail, draw), True),
        ("NFD copy", 1, korean, _decompose, True),
        ("NFD", 2, korean, _decompose, False),
        ("HTML", 2, lambda mail: mail.subject.count(" ") >= 2, _as_html, False),
        ("spaces", 2, lambda mail: mail.subject.count(" ") >= 2, _space_out, False),
    ]


def _rename(mail: Mail, names: list[str], draw: random.Random) -> Mail:
    name = next(name for name in names if f"{name}님" in mail.subject)
    other = draw.choice([candidate for candidate in names if candidate != name])
    return replace(mail, subject=mail.subject.replace(name, other))


def _renumber(mail: Mail, draw: random.Random) -> Mail:
    number = re.findall(r"\d{3,}", mail.subject)[0]
    other = str(draw.randint(10 ** (len(number) - 1), 10 ** len(number) - 1))
    files = tuple(file.replace(number, other) for file in mail.attachments)
    return replace(mail, subject=mail.subject.replace(number, other), attachments=files)


def _decompose(mail: Mail) -> Mail:
    return replace(mail, subject=unicodedata.normalize("NFD", mail.subject))


def _as_html(mail: Mail) -> Mail:
    first, second, rest = mail.subject.split(" ", 2)
    return replace(mail, subject=f"<b>{first}</b>&nbsp;{second} {rest}")


def _space_out(mail: Mail) -> Mail:
    first, second, rest = mail.subject.split(" ", 2)
    return replace(mail, subject=f"{first}  {second} \u200b{rest}")


def make_rows(seed: int = SEED) -> list[Mail]:
    """Every row of both files with its history: clean rows, planted dirt, and one subject that has both labels."""
    draw = random.Random(seed)
    names = load_templates()[1]["이름"]
    block = plant_dirt(clean_rows("BLOCK", draw), names, draw)
    allow = plant_dirt(clean_rows("ALLOW", draw), names, draw)
    # No hold-out origin: the same text in training and in the test would be leakage, which stops a run.
    disputed = next(mail for mail in allow if mail.kind == "고객 문의" and not mail.dirt and not mail.attachments)
    copy = replace(disputed, label="BLOCK", origin="parcel-hold.example", received=_moment(draw), dirt="both labels")
    block.append(copy)
    return sorted(block, key=lambda mail: mail.received) + sorted(allow, key=lambda mail: mail.received)


def make_files(seed: int = SEED) -> dict[str, bytes]:
    """File name → content, as it is shipped."""
    draw = random.Random(seed + 1)
    rows = make_rows(seed)
    return {
        "demo_block.csv": _block_csv([mail for mail in rows if mail.label == "BLOCK"], draw),
        "demo_allow.jsonl": _allow_jsonl([mail for mail in rows if mail.label == "ALLOW"], draw),
    }


def _block_csv(rows: list[Mail], draw: random.Random) -> bytes:
    """The layout of the public spam list plus the sender's domain; UTF-8 with BOM, as spreadsheets write it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["수신일자", "수신시간", "메일 종류", "제목", "첨부", "발신"])
    for mail in rows:
        files = ", ".join(f"{file} ({draw.randint(20, 9000) / 10:g} K)" for file in mail.attachments)
        day, clock = mail.received.strftime("%Y-%m-%d %H:%M:%S").split()
        writer.writerow([day, clock, "스팸", mail.subject, files, mail.origin])
    return out.getvalue().encode("utf-8-sig")


def _allow_jsonl(rows: list[Mail], draw: random.Random) -> bytes:
    """One object a line; a quarter of the attachments carry a size, as on real boards."""
    lines = []
    for mail in rows:
        files = [f"{file} ({draw.randint(20, 9000) / 10} KB)" if draw.random() < 0.25 else file
                 for file in mail.attachments]  # fmt: skip
        received = mail.received.strftime("%Y-%m-%dT%H:%M:%S+09:00")
        row = {"board": mail.origin, "title": mail.subject, "attachments": files, "created_at": received}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in make_files(arguments.seed).items():
        (arguments.out / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
