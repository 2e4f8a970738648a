from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from dadeum.core.examples import Example
from dadeum.core.task import Decide
from dadeum.evaluation.decide.baselines import fit_tfidf, gold_of, majority, tfidf
from dadeum.evaluation.decide.calibration import softmax

TASK = Decide(type="decide", instruction="판단하세요.", labels=("BLOCK", "ALLOW"), input_fields=("subject",))
THREE = TASK.model_copy(update={"labels": ("BLOCK", "ALLOW", "HOLD")})

SPAM = [
    "(광고) 보험료 안내",
    "무료 쿠폰 지급",
    "대출 한도 조회",
    "당첨을 축하합니다",
    "카지노 가입 혜택",
    "(광고) 할인 행사",
]
NOTICE = [
    "수강신청 안내",
    "장학생 선발 공고",
    "졸업논문 제출 일정",
    "도서관 휴관 안내",
    "기숙사 신청 기간",
    "학사 일정 변경",
]


def example(text: str, label: str, row: int = 0) -> Example:
    return Example(f"s:{row}", "s", "s", str(row), text, [], [{"role": "assistant", "content": label}], label)


def examples(num_spam: int = 6, num_notices: int = 6) -> list[Example]:
    rows = [(text, "BLOCK") for text in SPAM[:num_spam]] + [(text, "ALLOW") for text in NOTICE[:num_notices]]
    return [example(text, label, row) for row, (text, label) in enumerate(rows)]


def test_majority_answers_the_commonest_training_label() -> None:
    test = examples()
    assert majority(TASK, examples(2, 5), test).answers.predicted.tolist() == [1] * 12
    assert majority(TASK, examples(5, 2), test).answers.predicted.tolist() == [0] * 12
    assert majority(TASK, examples(5, 2), test).answers.probabilities is None


def test_majority_of_a_tie_is_the_earlier_label() -> None:
    assert majority(TASK, examples(3, 3), examples(1, 0)).answers.predicted.tolist() == [0]


def test_gold_are_positions_in_the_task() -> None:
    assert gold_of(TASK, [example("x", "ALLOW"), example("y", "BLOCK")]).tolist() == [1, 0]
    assert gold_of(TASK, []).dtype == np.int64


def test_tfidf_learns_from_train_only_and_gives_probabilities() -> None:
    test = [example("(광고) 무료 보험 쿠폰", "BLOCK"), example("장학생 신청 안내", "ALLOW")]
    found = tfidf(TASK, examples(), [], test, seed=1).answers
    assert found.predicted.tolist() == [0, 1]
    assert found.probabilities is not None
    assert found.probabilities.sum(1) == pytest.approx(1)
    assert found.seconds is not None
    # The test labels are never looked at.
    swapped = [example(row.text, "BLOCK" if row.label == "ALLOW" else "ALLOW") for row in test]
    assert tfidf(TASK, examples(), [], swapped, seed=1).answers.predicted.tolist() == [0, 1]


def test_tfidf_is_scikit_learns() -> None:
    train, test = examples(), examples(2, 1)
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    model = LogisticRegression(C=30, class_weight="balanced", max_iter=1000, random_state=3)
    model.fit(vectorizer.fit_transform([row.text for row in train]), [row.label for row in train])
    expected = model.predict_proba(vectorizer.transform([row.text for row in test]))[
        :, ::-1
    ]  # ALLOW comes before BLOCK
    # Without validation rows nothing is scaled.
    assert tfidf(TASK, train, [], test, seed=3).answers.probabilities == pytest.approx(expected)


def test_tfidf_probabilities_are_scaled_on_validation() -> None:
    train, test = examples(), examples(3, 3)
    wrong = [example(row.text, "ALLOW" if row.label == "BLOCK" else "BLOCK") for row in examples(2, 2)]
    plain = tfidf(TASK, train, [], test, seed=1).answers
    doubting = tfidf(TASK, train, examples() + wrong, test, seed=1).answers
    assert plain.probabilities is not None
    assert doubting.probabilities is not None
    assert doubting.probabilities.max() < plain.probabilities.max()
    assert doubting.predicted.tolist() == plain.predicted.tolist()


def test_tfidf_gives_the_same_twice() -> None:
    first, second = (tfidf(TASK, examples(), examples(), examples(), seed=5).answers for _ in range(2))
    assert first.probabilities is not None
    assert second.probabilities is not None
    assert (first.probabilities == second.probabilities).all()


def test_a_label_that_train_never_showed_gets_almost_no_probability() -> None:
    test = [example("수강신청 안내", "HOLD")]
    found = tfidf(THREE, examples(), [], test, seed=1).answers
    assert found.probabilities is not None
    assert found.probabilities[0, 2] < 1e-9
    assert found.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("train", "labels"),
    [
        (examples(4, 0), 1),
        ([example(" ", "BLOCK"), example("", "BLOCK"), example("\n", "ALLOW")], 2),
    ],
    ids=["one label", "no text"],
)
def test_tfidf_with_nothing_to_learn_answers_like_majority_and_says_so(train: list[Example], labels: int) -> None:
    found = tfidf(TASK, train, examples(1, 1), examples(2, 2), seed=1)
    assert found.answers.predicted.tolist() == [0] * 4
    assert found.answers.probabilities is None
    assert [notice.key for notice in found.notices] == ["evaluate.notices.tfidf_constant"]
    assert found.notices[0].values == {"num": len(train), "labels": labels}


def test_tfidf_on_real_mail_is_a_hard_rival(shared_data: Path) -> None:
    folder = shared_data / "spam"
    if not folder.is_dir():
        pytest.skip("../shared/data/spam is not on this machine")
    with (folder / "postal_block_list.csv").open(encoding="utf-8-sig", newline="") as file:
        spam = sorted({row["제목"].strip() for row in csv.DictReader(file)} - {""})
    with (folder / "notice_allow_titles.jsonl").open(encoding="utf-8") as file:
        notices = [json.loads(line) for line in file]
    boards = sorted({notice["board"] for notice in notices})
    shuffled = random.Random(1)
    shuffled.shuffle(spam)
    shuffled.shuffle(boards)
    unseen = set(boards[:14])
    known = sorted({notice["title"] for notice in notices if notice["board"] not in unseen})
    new = sorted({notice["title"] for notice in notices if notice["board"] in unseen} - set(known))
    shuffled.shuffle(known)
    train = [example(text, "BLOCK") for text in spam[:200]] + [example(text, "ALLOW") for text in known[:200]]
    test = [example(text, "BLOCK") for text in spam[-400:]] + [example(text, "ALLOW") for text in new[:400]]
    found = tfidf(TASK, train, [], test, seed=1).answers
    assert (found.predicted == gold_of(TASK, test)).mean() > 0.93


def test_the_fitted_pipeline_scores_as_the_baseline_does() -> None:
    pipeline = fit_tfidf(examples(), seed=2)
    log_scores = np.log(pipeline.predict_proba([row.text for row in examples(1, 1)]))
    assert softmax(log_scores).argmax(1).tolist() == [1, 0]  # scikit-learn sorts labels: ALLOW, BLOCK
