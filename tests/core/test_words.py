import math

import pytest

from dadeum.core import messages, words
from dadeum.core.findings import Finding
from dadeum.core.messages import Message, catalogue
from dadeum.core.words import Words


def test_words_render_both_languages_escaped() -> None:
    assert Words("<가>", "<b>").__html__() == '<span lang="ko">&lt;가&gt;</span><span lang="en">&lt;b&gt;</span>'
    assert Words("A&B", "A&B").__html__() == "A&amp;B"


def test_commands_in_sentences_become_code_but_not_in_charts() -> None:
    said = Words("`a < b` 실행", "run `a < b`")
    assert "<code>a &lt; b</code>" in said.__html__()
    assert "<code>" not in said.tspans()


def test_headlines_break_between_sentences_when_both_languages_have_as_many() -> None:
    assert Words("하나. 둘.", "One. Two.").sentences() == [Words("하나.", "One."), Words("둘.", "Two.")]
    uneven = Words("하나. 둘.", "One and two.")
    assert uneven.sentences() == [uneven]


def test_told_gives_nothing_rather_than_fail_on_a_run_of_another_version() -> None:
    assert words.told("checks.no_such_check.title", {}) is None
    assert words.told("page.units.rows", {}) is None, "a blank that nobody fills"
    assert words.told("page.units.rows", {"num": "many"}) is None, "a word where a number belongs"
    assert words.told("page.units.rows", {"num": 1200}) == Words("1,200건", "1,200 rows")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.9234, "92.3%"),
        (1, "100.0%"),
        (0, "0.0%"),
        (0.9998, "99.98%"),
        (0.00004, "0.004%"),
        (0.9999999, "100.0000%"),
        (-0.05, "−5.0%"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_percent_never_claims_all_or_none_by_rounding(value: float | None, expected: str) -> None:
    assert words.percent(value) == expected


@pytest.mark.parametrize(
    ("seconds", "korean", "english"),
    [
        (0.44, "0.4초", "0.4 s"),
        (59.4, "59초", "59 s"),
        (522, "8분 42초", "8 min 42 s"),
        (3725, "1시간 2분", "1 h 2 min"),
        (None, "–", "–"),
    ],
)
def test_durations(seconds: float | None, korean: str, english: str) -> None:
    assert words.duration(seconds) == Words(korean, english)


def test_numbers_of_things() -> None:
    assert words.number(12345) == "12,345"
    assert words.number(None) == "–"
    assert words.number("three") == "three"
    assert words.rows(1).en == "1 row"


def test_a_message_is_said_in_both_languages() -> None:
    assert words.worded(Message("page.units.rows", {"num": 12})) == Words("12건", "12 rows")
    assert words.wording_or("page.no_such_word", "raw") == Words("raw", "raw")


def test_a_finding_without_a_sentence_shows_its_name_and_values() -> None:
    finding = Finding("ZZ901", "made_up", "warn", 1, 2, {"ratio": 2.5})
    assert words.finding_title(finding).ko == "made_up (ratio=2.5)"
    assert words.finding_words(finding, "action") is None


def test_numbers_in_the_sentence_of_a_finding_are_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = {"checks.made_up.title": "{count}/{total} {share:.1%} {whole:.0%} {limit:g} {kinds} {named} {flag}"}
    monkeypatch.setattr(words, "catalogue", lambda language: catalogue(language) | sentence)
    monkeypatch.setattr(messages, "catalogue", lambda language: catalogue(language) | sentence)
    values = {"share": 3 / 22113, "whole": 0.05, "limit": 0.9, "kinds": "bom 2, zzz 1", "named": "bom", "flag": True}
    said = words.finding_title(Finding("ZZ901", "made_up", "warn", 3, 22113, values))
    assert said.ko == "3/22,113 0.01% 5% 0.9 바이트 순서 표시 (BOM) 2, zzz 1 bom True"
    assert said.en.endswith("0.9 byte order mark 2, zzz 1 bom True")
