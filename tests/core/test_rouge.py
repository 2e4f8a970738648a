"""ROUGE on Korean morphemes: hand-worked figures, masks whole, the traps of the default tokenizer."""

import unicodedata

import pytest
from rouge_score.rouge_scorer import RougeScorer

from dadeum.core.morphemes import MASKED, morphemes
from dadeum.core.rouge import Rouge, rouge, rouge_many, signature, words

CONSTANT = "#Person1#과 #Person2#는 대화를 나누고 있습니다."


def test_equal_korean_sentences_get_one_where_the_default_tokenizer_gives_nothing() -> None:
    sentence = "오늘 서버가 멈췄습니다."
    default = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(sentence, sentence)
    assert [score.fmeasure for score in default.values()] == [0, 0, 0]
    assert rouge(sentence, sentence) == Rouge(1, 1, 1)
    assert rouge(sentence, sentence, content_words=True) == Rouge(1, 1, 1)


def test_a_wrong_sentence_with_the_same_latin_parts_is_no_longer_perfect() -> None:
    reference, answer = "GPU 서버 3대를 주문했다.", "GPU 사과 3대를 버렸다."
    assert RougeScorer(["rouge1"]).score(reference, answer)["rouge1"].fmeasure == 1
    assert rouge(answer, reference, content_words=True).r1 == pytest.approx(0.5)  # GPU, 3 of GPU, 서버, 3, 주문


def test_figures_worked_by_hand() -> None:
    # 고양이 가 밥 을 먹 었 다 . against 고양이 가 물 을 먹 었 다 .: seven of eight words, five of seven pairs.
    answer, reference = "고양이가 밥을 먹었다.", "고양이가 물을 먹었다."
    assert words(answer) == ["고양이", "가", "밥", "을", "먹", "었", "다", "."]
    found = rouge(answer, reference)
    assert (found.r1, found.r2, found.rl) == pytest.approx((7 / 8, 5 / 7, 7 / 8))
    assert found.mean == pytest.approx((7 / 8 + 5 / 7 + 7 / 8) / 3)
    # Content words: 고양이 밥 먹 against 고양이 물 먹: two of three, no pair, the longest subsequence is two.
    found = rouge(answer, reference, content_words=True)
    assert (found.r1, found.r2, found.rl) == pytest.approx((2 / 3, 0, 2 / 3))


def test_precision_and_recall_of_unequal_lengths() -> None:
    # 가방 (1 content word) against 가방 신발 모자 (3): P 1, R 1/3, F 1/2.
    assert rouge("가방", "가방, 신발, 모자", content_words=True).r1 == pytest.approx(0.5)


def test_masks_are_one_word_whatever_follows_them() -> None:
    assert words("#Person1#과 #Person2#는 #PhoneNumber#입니다.") == [
        "#Person1#", "과", "#Person2#", "는", "#PhoneNumber#", "이", "ㅂ니다", ".",
    ]  # fmt: skip
    assert words("#Person1##Person2#에게") == ["#Person1#", "#Person2#", "에게"]
    assert words("#Person1#는 #Home_Address#에서", content_words=True) == []


def test_offsets_are_those_of_the_text_as_given() -> None:
    text = "어제 #Person1#은 갔다"
    (found,) = morphemes([text])
    assert [text[each.start : each.end] for each in found if each.tag == MASKED] == ["#Person1#"]
    assert next(each for each in found if each.form == "은").start == text.index("은")


def test_a_sentence_that_fits_every_dialogue_gets_nothing_of_content_words() -> None:
    reference = "#Person2#는 숨쉬기 어려워합니다. 의사는 #Person2#에게 폐 전문의에게 가볼 것을 권합니다."
    assert rouge(CONSTANT, reference).r1 > 0.15
    assert rouge(CONSTANT, reference, content_words=True).mean == 0


def test_several_references_are_told_apart_and_rows_keep_their_order() -> None:
    found = rouge_many(["밥을 먹었다", "잠을 잤다"], [["밥을 먹었다", "물을 마셨다"], ["잠을 잤다"]])
    assert [len(row) for row in found] == [2, 1]
    assert found[0][0].mean == found[1][0].mean == 1
    assert found[0][1].mean < 0.5


def test_composed_and_decomposed_hangul_are_equal() -> None:
    sentence = "여름휴가를 떠났습니다."
    assert rouge(unicodedata.normalize("NFD", sentence), sentence) == Rouge(1, 1, 1)


def test_empty_texts_get_nothing() -> None:
    assert rouge("", "밥을 먹었다") == rouge("밥을 먹었다", "") == rouge("", "") == Rouge(0, 0, 0)


def test_the_signature_names_everything_that_moves_the_figures() -> None:
    for part in ("kiwi-0.", "model:", "tags:all", "masks:whole", "norm:nfc", "rouge-score:0.1"):
        assert part in signature()
    assert "tags:content:NNG" in signature(content_words=True)
    assert signature() != signature(content_words=True)


def test_what_was_read_is_forgotten_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from dadeum.core import morphemes as module

    memory = module._Memory()
    monkeypatch.setattr(module, "_memory", memory)
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 10)
    for number in range(20):
        assert module.morphemes([f"오늘은 {number}쪽까지 읽었다.", "처음"])[0][0].form == "오늘"
        assert memory.size == sum(map(len, memory.read.values())) < 30
