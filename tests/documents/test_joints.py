from __future__ import annotations

from collections import Counter

from dadeum.documents.joints import HYPHEN, Joint, decided, joined


def test_kiwi_tells_words_from_halves_of_words():
    joints = [
        Joint("피보험자의 상해에 대한 위험을 보장하", "기 위하여 체결됩니다."),
        Joint("보험금을 지급", "합니다."),
        Joint("회사는 보험금을", "지급합니다."),
        Joint("알릴 의무와 관련하여", "회사가 그 사실을"),
    ]
    assert decided(joints, set()) == ["", "", " ", " "]


def test_a_word_that_the_document_writes_elsewhere_is_one():
    joint = Joint("계약자는 납입최고", "기간으로 정하여")
    assert decided([joint], set()) == [" "]
    assert decided([joint], {"납입최고기간으로"}) == [""]


def test_signs_tell_without_kiwi():
    joints = [
        Joint("the agreed compen-", "sation of"), Joint("state of", "the art"), Joint("계약(이하", "‘계약’이라"),
        Joint("장해(", "의수"), Joint("지급합니다", ". 다만"), Joint("말합니다.", "다만"),
    ]  # fmt: skip
    assert decided(joints, set()) == [HYPHEN, " ", " ", "", "", " "]


def test_a_document_that_writes_its_spaces_is_believed():
    written = [Joint("경기를 속행한다면", "그 뒤에", space_is_written=True)] * 2
    # "경기 개시" are two words for Kiwi; here no space was written.
    assert decided([*written, Joint("홈구단의 경기", "개시 시간")], set()) == [" ", " ", ""]
    assert decided([Joint("홈구단의 경기", "개시 시간")], set()) == [" "]
    # An adverb begins a word whatever is written.
    assert decided([*written, Joint("시간 변경 가능", "또한 홈구단이")], set())[-1] == " "
    # What is written in paragraphs says nothing of cells.
    assert decided([*written, Joint("홈구단의 경기", "개시 시간", is_narrow=True)], set())[-1] == " "


def test_a_number_and_its_unit_part_only_where_words_are_never_broken():
    unit, between = Joint("보험기간은 2026", "년까지"), Joint("회사는 보험금을", "지급합니다.")
    inside = Joint("보험금을 지급", "합니다.")
    assert decided([unit, *[between] * 6], set())[0] == " "
    assert decided([unit, *[between, inside] * 3], set())[0] == ""


def test_a_line_that_had_room_was_broken_between_words():
    assert decided([Joint("보험금을 지급", "합니다.", had_room=True)], set()) == [" "]


def test_what_was_done_is_counted():
    changes: Counter[str] = Counter()
    assert joined(["a compen-", "sation", "를", "지급"], [HYPHEN, "", " "], changes) == "a compensation를 지급"
    assert dict(changes) == {"hyphens": 1, "lines_without_space": 1, "lines_with_space": 1}
