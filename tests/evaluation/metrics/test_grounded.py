"""The figures of grounded answers by hand: what is right, what stands in the chunks, who refuses, who cites."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dadeum.evaluation.answers.figures import metrics_of, rate, signatures_of, value_of
from dadeum.evaluation.metrics import (
    answered_right,
    citations,
    context_hit,
    exact_match,
    faithfulness,
    refusals,
    system_score,
    value_f1,
)
from dadeum.evaluation.metrics._grounded import by_value
from dadeum.evaluation.metrics._refusals import refuses
from tests.evaluation.metrics.answering import ANSWER, CHUNKS, QUESTION, REFUSAL, answer_recipe, answered

REFUSE: dict[str, Any] = {"kind": "unanswerable"}
MISSED: dict[str, Any] = {"kind": "missed"}
SOURCE = "\n".join([*CHUNKS.values(), QUESTION])


def rated(*args: Any, **more: Any) -> dict[str, np.ndarray]:
    return rate(answered(*args, **more), lambda done, total: None)


# -- what is compared -------------------------------------------------------------------------
def test_numbers_are_written_by_their_value() -> None:
    assert by_value(["월 삼십만 원", "3만 5천 원과 350,000원", "사흘"]) == ["월 300000 원", "35000 원과 350000원", "3"]


@pytest.mark.parametrize(
    ("said", "wanted", "found"),
    [
        ("30만 원입니다.", "300,000원", 1.0),
        ("서울시청에서", "서울시청", 1.0),
        ("서울시청에서만", "서울 시청!", 1.0),
        ("30만 원입니다.", "31만 원입니다.", 0.0),
        ("신청할 수 없습니다.", "신청할 수 있습니다.", 0.0),
        ("주민센터", "복지로 누리집", 0.0),
        ("", "복지로", 0.0),
    ],
)
def test_exact_match_but_for_particles_copula_and_numbers(said: str, wanted: str, found: float) -> None:
    given = answered([said], [{"expected": wanted}])
    assert rate(given, lambda *_: None)["exact_match"] == pytest.approx([found])
    assert [exact_match.normal_forms([said]) == exact_match.normal_forms([wanted])] == [bool(found)]


@pytest.mark.parametrize(
    ("said", "wanted", "found"),
    [
        ("35만원", "350,000원", 1.0),
        ("1998년 5월 21일", "1989년 2월 15일", 0.3),  # 년, 월, 일 of 4 + 1 + 2 digits and 3 letters each
        ("15일에", "15일", 6 / 7),
        ("", "서울", 0.0),
    ],
)
def test_character_f1_with_numbers_by_value(said: str, wanted: str, found: float) -> None:
    assert value_f1.value_f1(said, wanted) == pytest.approx(found)


def test_closeness_leaves_citations_out_and_looks_only_where_an_answer_is_expected() -> None:
    found = rated(
        [f"{ANSWER} [2]", "매월 200,000원을 지급합니다. [2]", "아무 말이나 합니다.", REFUSAL], [{}, {}, REFUSE, MISSED]
    )
    for metric in ("content_rouge_l", "exact_match", "value_f1", "length_ratio"):
        assert np.isnan(found[metric]).tolist() == [False, False, True, True], metric
    assert found["content_rouge_l"][:2] == pytest.approx([1, 1])
    assert found["exact_match"][:2] == pytest.approx([1, 1])
    assert found["length_ratio"][0] == 1
    assert found["char_f1"][1] < 1  # by KorQuAD's rule, as it is
    assert found["bleu"].shape == (4, 10)
    assert found["chrf_pp"].shape[0] == 4


def test_signatures_say_what_is_done_before() -> None:
    found = signatures_of("answer")
    assert "numbers:by-value" in found["rouge"]
    assert "numbers:by-value" not in signatures_of("summarize")["rouge"]


# -- grounds ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("매월 200,000원을 12개월 동안 지급합니다.", True),
        ("매월 25만 원을 지급합니다.", False),  # another number
        ("서울주택도시공사에서 매월 20만 원을 지급합니다.", False),  # words that nobody said
        ("신청은 Jimmy에게 합니다.", False),
        ("복지로 누리집에서 신청합니다.", True),
        ("올해는 눈이 많이 오고 스키장이 붐빕니다.", False),
    ],
)
def test_a_sentence_is_supported_by_words_numbers_and_names(sentence: str, found: bool) -> None:
    assert faithfulness.is_supported(sentence, SOURCE) is found


def test_coverage_by_hand() -> None:
    assert faithfulness.coverage("지원금 매월 지급 토끼", "월지원금을 매월 지급") == pytest.approx(0.75)
    assert faithfulness.coverage("그렇습니다 12", "") in (0.0, 1.0)


def test_faithfulness_is_a_share_of_sentences_and_a_refusal_is_faithful() -> None:
    said = ["매월 20만 원을 지급합니다. 우주 여행도 보내 줍니다. [2]", REFUSAL, "", "매월 99만 원입니다."]
    found = faithfulness.per_row(answered(said, [{}, REFUSE, {}, REFUSE]))
    assert found == pytest.approx([0.5, 1, 0, 0])


def test_unsupported_numbers_look_at_chunks_not_at_citations() -> None:
    found = rated(["매월 20만 원입니다. [2]", "매월 77만 원입니다. [2]", "Kakao에서 합니다."])
    assert found["unsupported_numbers"].tolist() == [0, 1, 0]
    assert found["unsupported_names"].tolist() == [0, 0, 1]


# -- refusals ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "found"),
    [
        (REFUSAL, True),
        ("문서에서  답을 찾을 수 없습니다", True),
        ("문서에서 답을 찾을 수 없습니다. [1]", True),
        ("제공된 문서에는 해당 내용이 나와 있지 않습니다.", True),
        ("죄송하지만 관련 정보가 없습니다.", True),
        ("이 질문에 대한 답을 찾을 수 없어요.", True),
        ("The provided context does not mention this.", True),
        ("문서에서 답을 찾을 수 없습니다. 하지만 매월 20만 원입니다.", False),
        ("온라인으로는 신청할 수 없습니다.", False),
        ("관련 서류가 없으면 신청할 수 없습니다.", False),
        ("소득 정보는 복지로에서 확인할 수 있습니다.", False),
        ("해당 사항이 없으면 비워 두세요.", False),
        ("The plan does not include dental care.", False),
        ("", False),
    ],
)
def test_a_refusal_says_that_the_documents_do_not_say(said: str, found: bool) -> None:
    assert refuses(answer_recipe().task, said) is found  # type: ignore[arg-type]


def test_refusing_by_hand() -> None:
    said = [REFUSAL, ANSWER, REFUSAL, REFUSAL, ANSWER, ANSWER]
    kinds = [REFUSE, REFUSE, MISSED, {}, {}, {}]
    found = refusals.per_row(answered(said, kinds))
    assert np.nanmean(found["refused_right"]) == pytest.approx(2 / 3)
    assert np.nanmean(found["refused_wrong"]) == pytest.approx(1 / 3)
    assert value_of("refusal_accuracy", found["refusal_accuracy"]) == pytest.approx(2 / 3)
    always = refusals.per_row(answered([REFUSAL] * 6, kinds))
    assert value_of("refusal_accuracy", always["refusal_accuracy"]) == 0.5


def test_the_accuracy_of_one_kind_alone_is_that_kind() -> None:
    assert refusals.combine(np.array([[3.0, 4, 9, 10], [0, 0, 9, 10], [0, 0, 0, 0]])) == pytest.approx(
        [0.825, 0.9, np.nan], nan_ok=True
    )


# -- citations --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cited", "relevant", "wanted"),
    [
        ([2], ["gold"], (1, 1)),
        ([1], ["gold"], (0, 0)),
        ([1, 2], ["gold"], (0.5, 1)),
        ([7], ["gold"], (0, 0)),
        ([], ["gold"], (np.nan, 0)),
        ([2], ["gold.pdf"], (1, 1)),
        ([2], ["gold", "third"], (1, 0.5)),
    ],
)
def test_citations_by_hand(cited: list[int], relevant: list[str], wanted: tuple[float, float]) -> None:
    shown = [(name, f"{name}.pdf") for name in ("other", "gold", "third")]
    assert citations.judged(cited, shown, relevant) == pytest.approx(wanted, nan_ok=True)


def test_citations_are_judged_where_an_answer_was_due_and_given() -> None:
    said = [f"{ANSWER} [2]", f"{ANSWER} [1]", ANSWER, REFUSAL, f"{ANSWER} [1]"]
    found = citations.per_row(answered(said, [{}, {}, {}, {}, REFUSE]))
    assert found["citation_precision"] == pytest.approx([1, 0, np.nan, np.nan, np.nan], nan_ok=True)
    assert found["citation_recall"] == pytest.approx([1, 0, 0, np.nan, np.nan], nan_ok=True)
    without = citations.per_row(answered(said[:1], task={"citations": False}))
    assert np.isnan(without["citation_recall"]).all()


# -- from end to end --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "gold", "question", "found"),
    [
        ("30만 원을 지급합니다.", "매월 300,000원을 지급해요.", "얼마인가요?", True),
        ("31만 원을 지급합니다.", "매월 300,000원을 지급해요.", "얼마인가요?", False),
        ("20만 원입니다.", "20만 원입니다.", "월세 지원은 얼마인가요?", True),
        ("주민센터에서 합니다.", "복지로 누리집에서 신청합니다.", "어디서 신청하나요?", False),
        ("누리집에서 신청합니다.", "복지로 누리집에서 신청합니다.", "어디서 신청하나요?", True),
        ("네, 가능합니다.", "가능합니다.", "신청 가능한가요?", True),
        ("", "가능합니다.", "신청 가능한가요?", False),
    ],
)
def test_what_says_what_the_person_says(text: str, gold: str, question: str, found: bool) -> None:
    assert answered_right.says(text, gold, question) is found


def test_a_question_whose_chunk_was_not_found_is_lost() -> None:
    said = [f"{ANSWER} [2]", REFUSAL, ANSWER, ANSWER, "매월 20만 원과 77만 원을 지급합니다."]
    given = answered(said, [{}, {}, MISSED, REFUSE, {}])
    assert answered_right.per_row(given) == pytest.approx([1, 0, 0, np.nan, 0], nan_ok=True)
    assert context_hit.per_row(given) == pytest.approx([1, 1, 0, np.nan, 1], nan_ok=True)


def test_the_system_score_by_hand() -> None:
    """hit 2/3, content ROUGE-L 1 and 0, faithful 4/4, refusals (2/2 + 1/2) / 2."""
    said = [f"{ANSWER} [2]", REFUSAL, REFUSAL, REFUSAL]
    rows = [{}, {"expected": "복지로에서 신청합니다."}, MISSED, REFUSE]
    found = rated(said, rows)
    wanted = 0.25 * 2 / 3 + 0.4 * 0.5 + 0.25 * 1 + 0.1 * 0.75
    assert value_of("system_score", found["system_score"]) == pytest.approx(wanted)
    heavy = rated(said, rows, task={"score_weights": {"faithfulness": 2.0}})
    assert value_of("system_score", heavy["system_score"]) == pytest.approx(1)


def test_a_part_that_no_row_can_give_leaves_its_weight_to_the_others() -> None:
    found = rated([REFUSAL, REFUSAL], [REFUSE, REFUSE])
    assert value_of("system_score", found["system_score"]) == pytest.approx(1)
    sums = np.zeros((1, 14))
    assert np.isnan(system_score.combine(sums)).all()


def test_every_figure_of_the_task_is_known_before_anything_runs() -> None:
    wanted = {"content_rouge_l", "rouge", "bleu", "chrf_pp", "char_f1", "value_f1", "exact_match", "faithfulness"}
    wanted |= {"citation_precision", "citation_recall", "refused_right", "refused_wrong", "refusal_accuracy"}
    wanted |= {"answered_right", "context_hit", "system_score", "repetition", "language", "speech_level", "unfinished"}
    found = list(metrics_of("answer"))
    assert wanted <= set(found)
    assert found[0] == "content_rouge_l"
