import math

import pytest

from dadeum.core.messages import catalogue
from dadeum.evaluation import report_words as words
from dadeum.evaluation.report_words import Words
from dadeum.evaluation.scores import Measured


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


def test_say_fills_words_by_language() -> None:
    said = words.say("verdict.better", baseline=Words("가나", "abc"))
    assert "가나" in said.ko
    assert "abc" in said.en


def test_unknown_names_stay_as_they_are() -> None:
    assert words.system_name("my_system") == Words("my_system", "my_system")
    assert words.system_name("majority").ko != words.system_name("majority").en


def test_told_gives_nothing_rather_than_fail_on_a_run_of_another_version() -> None:
    assert words.told("checks.no_such_check.title", {}) is None
    assert words.told("report.units.rows", {}) is None, "a blank that nobody fills"
    assert words.told("report.units.rows", {"num": "many"}) is None, "a word where a number belongs"
    assert words.told("report.units.rows", {"num": 1200}) == Words("1,200건", "1,200 rows")


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


def test_intervals() -> None:
    measured = Measured(value=0.9, low=0.8512, high=0.9377)
    assert words.percent_interval(measured).ko == "85.1~93.8%"
    assert words.rate_interval(measured).en == "0.851 to 0.938"
    assert words.percent_interval(Measured(value=0.9, low=math.nan, high=math.nan)).ko == "–"
    difference = Measured(value=-0.02, low=-0.058, high=0.002)
    assert words.points_interval(difference).en == "−5.8 to +0.2 points"
    assert words.signed_interval(difference).en == "−0.058 to +0.002"
    assert words.resolution(difference).ko == "3.0 %p"


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


def test_small_numbers() -> None:
    assert words.p_value(0.0004) == "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001"
    assert words.p_value(0.0214) == "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.021"
    assert words.number(12345) == "12,345"
    assert words.number(None) == "–"
    assert words.number("three") == "three"
    assert words.rows(1).en == "1 row"
    assert words.points(-0.0214).ko == "−2.1 %p"


def test_both_catalogues_have_the_same_report_keys() -> None:
    korean, english = ({key for key in catalogue(language) if key.startswith("report.")} for language in ("ko", "en"))
    assert korean == english
    assert len(korean) > 100
