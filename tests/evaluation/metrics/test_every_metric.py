from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.core.plugins import find, names
from tests.evaluation.metrics.asking import asked

METRICS = [find("evaluation.metrics", name) for name in names("evaluation.metrics")]
DEGENERATE = ["", "   \n", "😀🎉", "...", "Thank you.", "ㅋㅋㅋㅋㅋㅋ", "1234", "가" * 3000, "\ufeff\u200b", "네"]


def short(metric: ModuleType) -> str:
    return metric.__name__.rpartition(".")[2]


def test_the_metrics_of_the_issue_are_all_there() -> None:
    wanted = {"similarity", "chrf", "speech_level", "persona", "repetition", "length_ratio", "unfinished", "language"}
    assert wanted <= {short(metric) for metric in METRICS}


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_a_metric_says_what_it_is(metric: ModuleType) -> None:
    assert metric.BETTER in ("higher", "lower", "neither")
    assert metric.TASKS
    for language in LANGUAGES:
        assert {f"evaluate.metrics.{short(metric)}.{part}" for part in ("name", "what")} <= set(catalogue(language))


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_strange_answers_give_a_number_or_none_at_all(metric: ModuleType) -> None:
    found = metric.per_row(asked(DEGENERATE, similarity_model=None))
    assert found.shape == (len(DEGENERATE),)
    judged = found[~np.isnan(found)]
    assert np.isfinite(judged).all()
    assert (judged >= 0).all()
    assert (judged <= 1).all() or short(metric) == "length_ratio"


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_no_rows_and_nothing_taught_is_no_crash(metric: ModuleType) -> None:
    nothing = asked([], taught=(), similarity_model=None)
    assert metric.per_row(nothing).shape == (0,)
    for notice in getattr(metric, "notices", lambda _: [])(nothing):
        assert notice.key in catalogue("ko")


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_notices_fill_their_sentences(metric: ModuleType) -> None:
    loop = "저는 AI예요. 사용자: 네. " + "좋아요 " * 9
    given = asked([loop, "Sure, I am Qwen, a large language model made by Alibaba."] * 2, similarity_model=None)
    for notice in getattr(metric, "notices", lambda _: [])(given):
        for language in LANGUAGES:
            assert catalogue(language)[notice.key].format(**notice.values)
