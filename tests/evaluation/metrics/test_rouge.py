"""ROUGE of answers: mean and best of several references, and what is not judged."""

from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.rouge import rouge as of
from dadeum.evaluation.metrics import content_rouge, rouge
from tests.evaluation.metrics.summarizing import summarized

ANSWER, NEAR, FAR = "고양이가 밥을 먹었다.", "고양이가 물을 먹었다.", "강아지는 어제 잠들었다."


def test_one_reference_gives_the_figures_of_core_and_no_best() -> None:
    found = rouge.per_row(summarized([ANSWER], [[NEAR]]))
    wanted = of(ANSWER, NEAR)
    assert (found["rouge_1"][0], found["rouge_2"][0], found["rouge_l"][0]) == pytest.approx((7 / 8, 5 / 7, 7 / 8))
    assert found["rouge"][0] == pytest.approx(wanted.mean)
    assert np.isnan(found["rouge_1_max"]).all()


def test_several_references_give_their_mean_and_the_best_apart() -> None:
    asked = summarized([ANSWER, ANSWER], [[NEAR, FAR], [NEAR]])
    found, words = rouge.per_row(asked), content_rouge.per_row(asked)
    near, far = of(ANSWER, NEAR), of(ANSWER, FAR)
    assert found["rouge_1"] == pytest.approx([(near.r1 + far.r1) / 2, near.r1])
    assert found["rouge_1_max"] == pytest.approx([near.r1, near.r1])
    assert words["content_rouge_l"] == pytest.approx([(2 / 3 + 0) / 2, 2 / 3])
    assert words["content_rouge_l_max"] == pytest.approx([2 / 3, 2 / 3])
    (notice,) = rouge.notices(asked)
    assert notice.values == {"num": 1, "total": 2}


def test_empty_answers_get_nothing_and_empty_references_are_not_judged() -> None:
    found = rouge.per_row(summarized(["", ANSWER], [[NEAR], ["  "]]))
    assert found["rouge"][0] == 0
    assert np.isnan(found["rouge"][1])


def test_a_reference_of_speakers_alone_has_no_content_to_compare_with() -> None:
    asked = summarized([ANSWER], [["#Person1#"]])
    assert np.isnan(content_rouge.per_row(asked)["content_rouge_l"]).all()
    assert rouge.per_row(asked)["rouge"][0] == 0


def test_signatures_differ() -> None:
    assert rouge.signature() != content_rouge.signature()
    assert "kiwi" in rouge.signature()
