import math

from dadeum.core.measured import Measured
from dadeum.core.messages import catalogue
from dadeum.core.words import Words
from dadeum.evaluation import report_words as words


def test_say_fills_words_by_language() -> None:
    said = words.say("verdict.better", baseline=Words("가나", "abc"))
    assert "가나" in said.ko
    assert "abc" in said.en


def test_unknown_names_stay_as_they_are() -> None:
    assert words.system_name("my_system") == Words("my_system", "my_system")
    assert words.system_name("majority").ko != words.system_name("majority").en


def test_intervals() -> None:
    measured = Measured(value=0.9, low=0.8512, high=0.9377)
    assert words.percent_interval(measured).ko == "85.1~93.8%"
    assert words.rate_interval(measured).en == "0.851 to 0.938"
    assert words.percent_interval(Measured(value=0.9, low=math.nan, high=math.nan)).ko == "–"
    difference = Measured(value=-0.02, low=-0.058, high=0.002)
    assert words.points_interval(difference).en == "−5.8 to +0.2 points"
    assert words.signed_interval(difference).en == "−0.058 to +0.002"
    assert words.resolution(difference).ko == "3.0 %p"


def test_small_numbers() -> None:
    assert words.p_value(0.0004) == "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001"
    assert words.p_value(0.0214) == "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.021"
    assert words.points(-0.0214).ko == "−2.1 %p"


def test_both_catalogues_have_the_same_report_keys() -> None:
    korean, english = ({key for key in catalogue(language) if key.startswith("report.")} for language in ("ko", "en"))
    assert korean == english
    assert len(korean) > 100
