"""Mails to decide, for eval_speed.py: real subjects and attachments, else synthetic ones of the same shape."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.tasks import decide

DATA = Path(__file__).parents[2] / "shared" / "data" / "spam"
INSTRUCTION = "다음 이메일 메타데이터를 분석하여 스팸 여부를 판정하고 JSON 형식으로만 답하세요."
REASONS = {
    "BLOCK": ["제목이 광고 문구와 같음", "출처가 불분명한 첨부파일", "수신자를 속이는 결제 안내"],
    "ALLOW": ["업무 공지로 보임", "기관이 보낸 일정 안내", "학사 업무와 관련된 제목"],
}


def mails(count: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """(label, fields), half of each label; real subjects and attachments where the data lies beside the repository."""
    chance = random.Random(seed)
    pools = real_mails() if DATA.is_dir() else synthetic_mails(count)
    for pool in pools:
        chance.shuffle(pool)
    found: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        label, pool = ("BLOCK", "ALLOW")[number % 2], pools[number % 2]
        subject, attachments = pool[number // 2 % len(pool)]
        # Notices have no clock time; a drawn one for all, so that the hour gives nothing away.
        month, day, hour, minute = (chance.randint(*span) for span in ((1, 12), (1, 28), (0, 23), (0, 59)))
        clock = f"2024-{month:02}-{day:02} {hour:02}:{minute:02}"
        found.append((label, {"subject": subject, "attachments": attachments, "received_at": clock}))
    return found


def real_mails() -> tuple[list[Any], list[Any]]:
    with (DATA / "postal_block_list.csv").open(encoding="utf-8-sig") as file:
        block = [(row["제목"], [name for name in row["첨부"].split(", ") if name]) for row in csv.DictReader(file)]
    lines = (DATA / "notice_allow_titles.jsonl").read_text(encoding="utf-8").splitlines()
    notices = [json.loads(line) for line in lines]
    return [mail for mail in block if mail[0]], [(row["title"], row["attachments"]) for row in notices]


def synthetic_mails(count: int) -> tuple[list[Any], list[Any]]:
    things, events = (
        ["보험", "대출", "건강식품", "투자", "골프"],
        ["수강신청", "장학생 선발", "세미나", "휴강", "도서관 이용"],
    )
    block = [(f"(광고) {things[i % 5]} 특별 할인 {i}", [f"안내{i}.zip"] * (i % 2)) for i in range(count)]
    allow = [(f"2024학년도 {events[i % 5]} 안내 {i}", [f"공고문{i}.hwp"] * (i % 2)) for i in range(count)]
    return block, allow


def example(recipe: Recipe, number: int, label: str, fields: dict[str, Any], kind: str) -> Example:
    answer = decide.answer(recipe.task, label)
    if kind == "full":
        chance = random.Random(number)
        content = {"action": label, "reason": chance.choice(REASONS[label]), "confidence": chance.randint(80, 99) / 100}
        answer = json.dumps(content, ensure_ascii=False)
    prompt, completion = decide.prompt(recipe.task, fields), [{"role": "assistant", "content": answer}]
    return Example(f"mail:{number}", "mail", "mail", str(number), fields["subject"], prompt, completion, label)  # type: ignore[arg-type]
