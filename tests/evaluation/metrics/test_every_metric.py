from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import pytest

from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.core.plugins import find, names
from dadeum.evaluation.answers.figures import figures_of, is_of_corpus, value_of
from dadeum.evaluation.asked import Asked
from tests.evaluation.metrics.answering import answered
from tests.evaluation.metrics.asking import asked
from tests.evaluation.metrics.summarizing import summarized

METRICS = [find("evaluation.metrics", name) for name in names("evaluation.metrics")]
DEGENERATE = ["", "   \n", "😀🎉", "...", "Thank you.", "ㅋㅋㅋㅋㅋㅋ", "1234", "가" * 3000, "\ufeff\u200b", "네"]


def figures(metric: ModuleType, given: Asked) -> dict[str, np.ndarray]:
    found = metric.per_row(given)
    return found if isinstance(found, dict) else {short(metric): found}


def asking(metric: ModuleType) -> Callable[[list[str]], Asked]:
    """Rows of a task that the figure suits."""
    if "chat" in metric.TASKS:
        return partial(asked, similarity_model=None)
    return summarized if "summarize" in metric.TASKS else answered


def short(metric: ModuleType) -> str:
    return metric.__name__.rpartition(".")[2]


def test_the_metrics_of_the_issue_are_all_there() -> None:
    wanted = {"rouge", "content_rouge", "bleu", "chrf_pp", "char_f1", "bertscore", "copied", "unsupported"}
    assert wanted <= {short(metric) for metric in METRICS}
    wanted = {"exact_match", "value_f1", "faithfulness", "citations", "refusals", "answered_right", "context_hit"}
    assert wanted | {"system_score"} <= {short(metric) for metric in METRICS}
    wanted = {"similarity", "chrf", "speech_level", "persona", "repetition", "length_ratio", "unfinished", "language"}
    assert wanted <= {short(metric) for metric in METRICS}


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_a_metric_says_what_it_is(metric: ModuleType) -> None:
    assert metric.TASKS
    for name, better in figures_of(metric).items():
        assert better in ("higher", "lower", "neither")
        for language in LANGUAGES:
            assert {f"evaluate.metrics.{name}.{part}" for part in ("name", "what")} <= set(catalogue(language))


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_strange_answers_give_a_number_or_none_at_all(metric: ModuleType) -> None:
    for name, found in figures(metric, asking(metric)(DEGENERATE)).items():
        assert len(found) == len(DEGENERATE)
        judged = found[~np.isnan(found)]
        assert np.isfinite(judged).all()
        assert (judged >= 0).all()
        assert (judged <= 1).all() or name in ("length_ratio", "density") or is_of_corpus(name)
        value = value_of(name, found)
        assert value is None or 0 <= value <= 1 or name in ("length_ratio", "density")


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_no_rows_and_nothing_taught_is_no_crash(metric: ModuleType) -> None:
    nothing = asked([], taught=(), similarity_model=None)
    for found in figures(metric, nothing).values():
        assert len(found) == 0
    for notice in getattr(metric, "notices", lambda _: [])(nothing):
        assert notice.key in catalogue("ko")


@pytest.mark.parametrize("metric", METRICS, ids=short)
def test_notices_fill_their_sentences(metric: ModuleType) -> None:
    loop = "저는 AI예요. 사용자: 네. " + "좋아요 " * 9
    given = asking(metric)([loop, "Sure, I am Qwen, a large language model made by Alibaba."] * 2)
    for notice in getattr(metric, "notices", lambda _: [])(given):
        for language in LANGUAGES:
            assert catalogue(language)[notice.key].format(**notice.values)
