from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics.repetition import loop_share, ngram_share, notices, per_row, repetition, sentence_share
from tests.evaluation.metrics.asking import asked


def test_word_4_grams_by_hand() -> None:
    assert ngram_share("가 나 다 라 가 나 다 라") == pytest.approx(1 / 5)
    assert ngram_share("가 나 다") == 0


def test_sentences_by_hand() -> None:
    sentence = "천천히 함께 생각해 봐요"  # 10 letters without spaces
    assert sentence_share(f"{sentence}. 그래도 괜찮아요. {sentence}.") == pytest.approx(10 / 27)
    assert sentence_share("힘내세요. 정말 힘내세요. 힘내세요.") == 0, "short ones are said twice on purpose"


def test_a_loop_at_the_end_by_hand() -> None:
    assert loop_share("네" + " 좋아요" * 4) == pytest.approx(12 / 17)
    assert loop_share("좋아요 좋아요 좋아요 좋아요") == pytest.approx(11 / 15)
    assert loop_share("네" + " 좋아요" * 3) == 0, "three rounds are emphasis"


def test_a_loop_cut_in_the_middle_of_a_round_is_a_loop() -> None:
    assert loop_share("그래서 " + "할 수 있어요 " * 6 + "할 수") > 0.7


def test_a_loop_of_glued_syllables_has_no_words_to_count() -> None:
    text = "괜찮아" * 10
    assert ngram_share(text) == 0
    assert repetition(text) == pytest.approx(0.9)


@pytest.mark.parametrize(
    "text", ["ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ", "그래요" + "." * 30, "하하하하하하하하하하하하하하", "네네", "😀" * 30]
)
def test_laughter_dots_and_emoji_are_no_loop(text: str) -> None:
    assert repetition(text) == 0


def test_a_natural_answer_has_none() -> None:
    text = "많이 속상했겠어요. 우선 오늘은 푹 쉬세요. 내일은 좋아하는 과목부터 하나씩 적어 보면 어떨까요?"
    assert repetition(text) == 0


def test_an_empty_answer_is_not_judged_and_loops_are_counted() -> None:
    given = asked(["", "정말 그래요 " * 20, "좋아요."])
    found = per_row(given)
    assert np.isnan(found[0])
    assert found[1] > 0.9
    assert found[2] == 0
    [notice] = notices(given)
    assert notice.values == {"num": 1, "total": 3, "rounds": 4}
