from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dadeum.core.measured import Measured, Notice
from dadeum.core.messages import LANGUAGES, text
from dadeum.evaluation.decide.scores import Scores, SystemScores
from dadeum.evaluation.scores import Gate


def smallest_scores() -> Scores:
    point = Measured(value=1.0, low=1.0, high=1.0)
    tuned = SystemScores(accuracy=point, macro_f1=point, per_class={}, confusion=[[1, 0], [0, 1]])
    return Scores(
        task="decide", labels=["a", "b"], positive="a", num_rows={"train": 1, "validation": 0, "test": 2},
        systems={"tuned": tuned}, calibration=None, generation=None, comparisons=[],
        gates=[Gate(metric="roc_auc", condition=">= 0.9", value=None, target=0.9, passed=False)],
        verdict="no_baseline", test_hash="00", warnings=[Notice(key="evaluate.notices.no_validation")],
    )  # fmt: skip


def test_scores_survive_the_file() -> None:
    scores = smallest_scores()
    written = json.dumps(scores.model_dump(mode="json"), ensure_ascii=False)
    assert Scores.model_validate_json(written) == scores


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="acuracy"):
        Scores.model_validate(smallest_scores().model_dump() | {"acuracy": 1})


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_is_a_sentence_in_both_languages(language: str) -> None:
    notice = Notice(key="evaluate.notices.validation_one_label", values={"label": "BLOCK", "num": 7})
    sentence = text(notice.key, language, **notice.values)
    assert "BLOCK" in sentence
    assert "7" in sentence
