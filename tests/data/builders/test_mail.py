"""Made mail: two labels in every origin and style, alike in everything but what is asked of the reader."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dadeum import pipeline
from dadeum.cli_make import app
from dadeum.core.findings import read_findings
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run, read_json, read_jsonl, write_jsonl
from dadeum.data.builders.made import Made
from dadeum.data.builders.mail_bank import LABELS, bank
from dadeum.data.builders.mail_quality import mail_quality, surface, surface_auc, word_auc
from dadeum.data.builders.mail_rows import MailRow, mail
from dadeum.data.corpus import Given
from dadeum.data.doctor import check_files

_NUM = 400
_BLANK = re.compile(r"\\\{\w+\\\}")


@pytest.fixture(scope="module")
def rows() -> list[MailRow]:
    return mail(_NUM, 7)


def make(out: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["make", "mail", "--out", str(out), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def by_label(rows: list[MailRow], of: Callable[[MailRow], Any]) -> dict[str, Counter[Any]]:
    return {label: Counter(of(row) for row in rows if row.label == label) for label in LABELS}


def test_the_seed_decides(rows: list[MailRow]) -> None:
    assert mail(_NUM, 7) == rows
    assert {row.subject for row in mail(_NUM, 8)} != {row.subject for row in rows}


def test_the_command_writes_the_same_bytes_and_figures(tmp_path: Path) -> None:
    told = make(tmp_path / "m.jsonl", "--rows", "104", "--seed", "3")
    assert "104행을 썼습니다" in told
    assert "ALLOW 52, BLOCK 52" in told
    assert "읽지 않고 맞히기" in told
    assert "학습에 쓸 수 있습니다 (발견 0가지)" in told
    write_jsonl(tmp_path / "again.jsonl", (row.as_json() for row in mail(104, 3)))
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "m.jsonl").read_bytes()
    written = read_jsonl(tmp_path / "m.jsonl")
    assert set(written[0]) == {"subject", "attachments", "label", "origin", "style", "topic", "received"}
    figures = read_json(tmp_path / "m.quality.json")
    assert figures == figures | mail_quality(mail(104, 3))
    assert figures["labels"] == {"ALLOW": 52, "BLOCK": 52}
    assert sum(sum(counts.values()) for counts in figures["styles"].values()) == len(written) == 104
    assert figures["surface_auc"] < figures["word_auc"]


@pytest.mark.parametrize("field", ["origin", "style", "topic"])
def test_both_labels_stand_in_every_origin_and_style(rows: list[MailRow], field: str) -> None:
    shares = by_label(rows, lambda row: getattr(row, field))
    assert shares["ALLOW"] == shares["BLOCK"]
    assert max(shares["ALLOW"].values()) <= 2 * min(shares["ALLOW"].values())


def test_the_two_of_a_pair_share_everything_but_what_is_asked(rows: list[MailRow]) -> None:
    for of in (
        lambda row: row.attachments,
        lambda row: (row.received.hour, row.received.weekday(), row.received.month),
        lambda row: "(광고)" in row.subject,
        lambda row: re.sub(r"[^()\[\]【】（）「」《》〔〕!?.,~:-]", "", row.subject),
    ):
        shares = by_label(rows, of)
        assert shares["ALLOW"] == shares["BLOCK"]


def test_an_odd_number_of_rows_is_made() -> None:
    counts = Counter(row.label for row in mail(11, 7))
    assert counts.total() == 11
    assert abs(counts["ALLOW"] - counts["BLOCK"]) == 1


def test_the_bank_gives_every_phrase_one_rule_of_its_label() -> None:
    rules = bank().rules
    assert set(rules) == set(LABELS)
    assert not set(rules["ALLOW"]) & set(rules["BLOCK"])
    asks = [ask for topic in bank().topics for pair in topic.asks for ask in pair]
    assert all(ask.rule in rules[ask.label] for ask in asks)
    assert {ask.rule for ask in asks} == {rule for names in rules.values() for rule in names}
    phrases = [(topic.origin, topic.name, ask.phrase) for topic in bank().topics for pair in topic.asks for ask in pair]
    assert len(set(phrases)) == len(phrases)


def test_the_label_follows_from_a_phrase_in_the_subject(rows: list[MailRow]) -> None:
    """And from no other: what the bank calls wanted stands in no unwanted mail of the topic."""
    found: dict[tuple[str, str], list[tuple[str, str, re.Pattern[str]]]] = {}
    for topic in bank().topics:
        found[topic.origin, topic.name] = [
            (ask.label, ask.rule, re.compile(_BLANK.sub(r"\\S+", re.escape(ask.phrase))))
            for pair in topic.asks
            for ask in pair
        ]
    for row in rows:
        asked = {(label, rule) for label, rule, phrase in found[row.origin, row.topic] if phrase.search(row.subject)}
        assert asked == {(row.label, row.rule)}, row.subject


def test_many_words_say_nothing_alone() -> None:
    """Password, transfer, install and report stand on both sides: what matters is what is to be done with them."""
    asks = [ask for topic in bank().topics for pair in topic.asks for ask in pair]
    for word in ("송금", "입금", "설치", "암호", "카드번호", "드리니", "신고", "거절", "확인", "담당자", "먼저"):
        assert {ask.label for ask in asks if word in ask.phrase} == set(LABELS), word


@pytest.mark.parametrize("seed", [1, 2])
def test_only_reading_tells_the_label(seed: int) -> None:
    rows = mail(_NUM, seed)
    looked, read = surface_auc(rows), word_auc(rows)
    assert looked is not None
    assert read is not None
    assert looked < 0.55
    assert 0.7 < read < 0.95


def test_the_surface_would_be_seen(rows: list[MailRow]) -> None:
    """A generator whose unwanted mail is marked must not pass: the figure sees what it is there to see."""
    marked = [row for row in rows if (row.label == "BLOCK") == ("(광고)" in row.subject or row.received.hour < 6)]
    area = surface_auc(marked)
    assert area is not None
    assert area > 0.9
    assert "subject" not in surface(rows[0])


def test_too_few_rows_are_not_judged(tmp_path: Path) -> None:
    figures = mail_quality(mail(40, 1))
    assert figures["surface_auc"] is None
    told = Made(
        tmp_path / "m.jsonl", tmp_path / "m.quality.json", 40, figures | {"verdict": "trainable"}, []
    ).sentences()
    assert any("재지 않았습니다" in str(sentence) for sentence in told)


def test_no_two_mails_are_alike(rows: list[MailRow]) -> None:
    figures = mail_quality(rows)
    assert figures["distinct_subjects"] == figures["distinct_masked"] == _NUM
    assert figures["near_duplicates"] == 0
    assert not [row.subject for row in rows if "{" in row.subject or "  " in row.subject]


def test_the_end_of_the_bank_is_told_and_nothing_is_repeated() -> None:
    everything = mail(100_000, 1)
    assert 2_000 < len(everything) < 100_000
    assert len({row.said for row in everything}) == len(everything)


def test_the_doctor_has_nothing_to_warn_of(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "m.jsonl", (row.as_json() for row in mail(300, 7)))
    diagnosis = check_files([Given(tmp_path / "m.jsonl", split="train")], task="decide")
    assert diagnosis.verdict == "trainable"
    # In so few rows the nearest mail is the other one of the pair: a probe of characters denies some.
    assert [found for found in diagnosis.findings if (found.code, found.severity) != ("DA204", "info")] == []


def test_the_recipe_spam_agent_takes_made_mail(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path / "cache"))
    mail_only = ("data.sources=[{make: mail, rows: 200}]", "data.split.hold_out=[거래처]")
    fits = (f"model.base={tiny_llama}", "render.max_length_tokens=1024")  # its tokens are bytes
    recipe = load_recipe("spam-agent", "cpu", (*mail_only, *fits))
    run = Run.create(recipe, tmp_path / "run")
    pipeline.build_and_check(recipe, run)
    assert not [finding for finding in read_findings(run.findings_path) if finding.severity == "block"]
    data = run.manifest()["data"]
    assert sum(data["used"].values()) == data["rows_in"] == 200
