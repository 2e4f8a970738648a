from __future__ import annotations

from dadeum.retrieval.matching import best_sentences

TEXT = "도서관 이용 안내입니다. 도서관 입장료는 3천 원입니다.\n문은 오전 9시에 엽니다."


def marked(wanted: str, text: str) -> str | None:
    [place] = best_sentences(wanted, [text])
    return text[place.start : place.end] if place else None


def test_the_sentence_that_shares_most_is_found_whatever_its_particles() -> None:
    assert marked("입장료가 얼마인가요?", TEXT) == "도서관 입장료는 3천 원입니다."
    assert marked("몇 시에 여나요? 오전인가요?", TEXT) == "문은 오전 9시에 엽니다."


def test_a_word_that_all_sentences_have_says_less_than_a_rare_one() -> None:
    text = "도서관 도서관 안내. 도서관 휴관일은 월요일. 도서관 안내 도서관."
    assert marked("도서관 휴관일", text) == "도서관 휴관일은 월요일."


def test_no_shared_word_is_no_match_and_places_count_the_text_as_it_is() -> None:
    assert marked("zzz", TEXT) is None
    assert marked("", TEXT) is None
    assert best_sentences("무엇", []) == []
    assert best_sentences("무엇", [""]) == [None]
    assert marked("입장료", "  \n#Person1#: 안녕.  \n입장료는 없습니다.  ") == "입장료는 없습니다."


def test_every_text_gets_its_own_place() -> None:
    texts = ["입장료는 없습니다.", "문은 닫혔습니다. 입장료는 2천 원입니다."]
    assert [text[place.start : place.end] for text, place in zip(texts, best_sentences("입장료", texts), strict=True)
            if place] == ["입장료는 없습니다.", "입장료는 2천 원입니다."]  # fmt: skip
