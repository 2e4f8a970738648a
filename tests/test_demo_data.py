"""The shipped demo mail: made by its generator, varied, harmless, and hard enough to be worth a model."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import statistics
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dadeum.core.korean import masked, nfc, squash
from tests.generators import load_generator

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src/dadeum/recipes/data"
HOLD_OUT_ALLOW = {"도서관", "거래처", "국제협력", "학회사무국"}
HOLD_OUT_BLOCK = {"etax-view.example", "prize-office.example", "auto-renew.example", "journal-call.example"}
HOLD_OUT = HOLD_OUT_ALLOW | HOLD_OUT_BLOCK


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load_generator("make_demo_mail")


def block_rows() -> list[dict[str, str]]:
    content = (SHIPPED / "demo_block.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


def allow_rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHIPPED / "demo_allow.jsonl").read_text(encoding="utf-8").splitlines()]


def subjects() -> list[str]:
    return [row["제목"] for row in block_rows()] + [str(row["title"]) for row in allow_rows()]


def share_without_hangul(texts: list[str]) -> float:
    return sum(not re.search("[가-힣]", nfc(text)) for text in texts) / len(texts)


def everything() -> str:
    names = ("demo_block.csv", "demo_allow.jsonl")
    return "\n".join((SHIPPED / name).read_text(encoding="utf-8-sig") for name in names)


def test_the_same_seed_gives_the_shipped_bytes(generator: ModuleType) -> None:
    for name, content in generator.make_files().items():
        assert (SHIPPED / name).read_bytes() == content, f"{name}: run benchmarks/make_demo_mail.py"


def test_another_seed_gives_other_mail(generator: ModuleType) -> None:
    assert generator.make_files(1) != generator.make_files(2)


def test_layout_follows_the_real_files() -> None:
    assert (SHIPPED / "demo_block.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert list(block_rows()[0]) == ["수신일자", "수신시간", "메일 종류", "제목", "첨부", "발신"]
    assert all(list(row) == ["board", "title", "attachments", "created_at"] for row in allow_rows())
    assert {row["메일 종류"] for row in block_rows()} == {"스팸"}
    assert any(re.search(r"\.\w+ \([\d.]+ K\), \w", row["첨부"]) for row in block_rows())
    assert any(len(row["attachments"]) > 1 for row in allow_rows())


def test_two_classes_of_about_equal_size() -> None:
    assert 240 <= len(block_rows()) <= 260
    assert 240 <= len(allow_rows()) <= 260


def test_many_origins_and_enough_rows_in_each_hold_out() -> None:
    senders = Counter(row["발신"] for row in block_rows())
    boards = Counter(str(row["board"]) for row in allow_rows())
    assert len(senders) >= 10
    assert len(boards) >= 8
    assert min((senders + boards)[origin] for origin in HOLD_OUT) >= 10


def test_hold_outs_are_a_fifth_of_the_mail_in_both_classes() -> None:
    block = sum(row["발신"] in HOLD_OUT_BLOCK for row in block_rows())
    allow = sum(row["board"] in HOLD_OUT_ALLOW for row in allow_rows())
    assert 110 <= block + allow <= 125
    assert abs(block - allow) <= 4


def test_about_half_is_english_in_both_classes_and_language_does_not_tell_the_label() -> None:
    block = share_without_hangul([row["제목"] for row in block_rows()])
    allow = share_without_hangul([str(row["title"]) for row in allow_rows()])
    assert 0.54 < block < 0.62
    assert 0.44 < allow < 0.52
    assert (block + 1 - allow) / 2 < 0.58


@pytest.mark.parametrize("origin", sorted(HOLD_OUT))
def test_every_hold_out_has_both_languages(origin: str) -> None:
    mine = [row["제목"] for row in block_rows() if row["발신"] == origin]
    mine += [str(row["title"]) for row in allow_rows() if row["board"] == origin]
    assert 0.3 < share_without_hangul(mine) < 0.7


def test_each_kind_has_the_rows_it_asks_for(generator: ModuleType) -> None:
    rows = generator.clean_rows("BLOCK", random.Random(3))
    counts = {key: count for key, count in generator.load_counts("BLOCK").items() if count}
    assert Counter((mail.kind, bool(re.search("[가-힣]", mail.subject))) for mail in rows) == counts


def test_look_alike_pairs_are_in_the_files(generator: ModuleType) -> None:
    marked = {template.line for template in generator.load_templates()[0] if template.first}
    assert len(marked) >= 10
    assert marked <= {mail.template for mail in generator.make_rows()}


def test_english_subjects_are_short() -> None:
    english = [text for text in subjects() if text and share_without_hangul([text])]
    words = [len(text.split()) for text in english]
    assert 4 <= statistics.median(words) <= 8
    assert max(words) <= 12


def test_hold_out_templates_and_texts_occur_nowhere_else(generator: ModuleType) -> None:
    rows = [mail for mail in generator.make_rows() if mail.subject]
    inside = [mail for mail in rows if mail.origin in HOLD_OUT]
    outside = [mail for mail in rows if mail.origin not in HOLD_OUT]
    assert not {mail.template for mail in inside} & {mail.template for mail in outside}
    assert not {masked(mail.subject) for mail in inside} & {masked(mail.subject) for mail in outside}


def test_attachments_do_not_tell_the_label() -> None:
    block = sum(bool(row["첨부"]) for row in block_rows()) / len(block_rows())
    allow = sum(bool(row["attachments"]) for row in allow_rows()) / len(allow_rows())
    assert 0.2 < block < 0.45
    assert 0.2 < allow < 0.45


def test_templates_are_many_and_written_once(generator: ModuleType) -> None:
    templates, _ = generator.load_templates()
    counts = Counter(template.label for template in templates)
    kinds = {label: len({t.kind for t in templates if t.label == label}) for label in counts}
    assert min(counts.values()) >= 70
    assert min(kinds.values()) >= 10
    assert min(Counter(t.label for t in templates if not t.korean).values()) >= 150
    assert len({template.line for template in templates}) == len(templates)


def test_planted_dirt_is_really_in_the_files() -> None:
    texts = subjects()
    assert texts.count("") == 2
    assert sum(text != nfc(text) for text in texts) == 6
    assert sum("&nbsp;" in text for text in texts) == 4
    assert sum("\u200b" in text for text in texts) == 4
    block = Counter((row["제목"], re.sub(r" \([\d.]+ K\)", "", row["첨부"])) for row in block_rows())
    assert sum(count - 1 for count in block.values()) >= 3
    assert len({row["제목"] for row in block_rows()} & {str(row["title"]) for row in allow_rows()} - {""}) == 1


def test_a_resent_mail_differs_only_in_what_masking_hides(generator: ModuleType) -> None:
    rows = generator.make_rows()
    resent = [mail for mail in rows if mail.dirt in ("near duplicate: name", "near duplicate: number")]
    texts = Counter(masked(mail.subject) for mail in rows)
    assert len(resent) == 6
    assert all(texts[masked(mail.subject)] >= 2 for mail in resent)
    assert all(sum(mail.subject == other.subject for other in rows) == 1 for mail in resent)


def test_dirt_is_about_one_row_in_sixteen(generator: ModuleType) -> None:
    rows = generator.make_rows()
    assert 0.04 < sum(bool(mail.dirt) for mail in rows) / len(rows) < 0.08


def test_no_address_outside_the_example_domain() -> None:
    assert not re.findall(r"@(?![\w-]+\.example\b)\S+", everything())
    assert not re.findall(r"https?://|www\.", everything())
    domains = r"\b[\w-]+\.(?:com|net|org|io|kr|jp|cn|co|biz|info|shop|xyz|me|ai|dev|app)\b"
    assert not re.findall(domains, everything(), flags=re.IGNORECASE)
    assert all(row["발신"].endswith(".example") for row in block_rows())


def test_no_telephone_number() -> None:
    text = "\n".join(subjects())
    assert not re.findall(r"\d{2,4}[-. )]\d{3,4}[-. ]\d{4}|\b01\d{8,9}\b|\b1[5-8]\d\d[- ]\d{4}\b|\+82", text)


def test_no_single_word_decides() -> None:
    block = [f"{row['제목']} {row['첨부']}" for row in block_rows()]
    allow = [" ".join([str(row["title"]), *row["attachments"]]) for row in allow_rows()]
    pieces = {piece for text in block + allow for piece in re.findall(r"[가-힣]+|[A-Za-z]+|[^\w\s]", text)}
    sizes = {"K", "KB", ".", "(", ")"}  # attachment sizes, which the reader takes off
    total = len(block) + len(allow)
    for piece in pieces - sizes:
        right = sum(piece in text for text in block) + sum(piece not in text for text in allow)
        assert max(right, total - right) / total < 0.75, piece


def test_no_real_subject_was_copied(shared_data: Path) -> None:
    with (shared_data / "spam/postal_block_list.csv").open(encoding="utf-8-sig", newline="") as file:
        real = {comparable(row["제목"]) for row in csv.DictReader(file)}
    with (shared_data / "spam/notice_allow_titles.jsonl").open(encoding="utf-8") as lines:
        real |= {comparable(json.loads(line)["title"]) for line in lines}
    assert not {comparable(text) for text in subjects()} & real - {""}


def comparable(text: str) -> str:
    return squash(nfc(text)).casefold()
