from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.korean_names import is_name, people
from dadeum.core.korean_numbers import business_checksum, luhn
from dadeum.core.personal import MASKS, find_contacts, find_ids, find_personal, mask_personal


def found(text: str) -> list[tuple[str, str]]:
    return [(span.found, text[span.start : span.end]) for span in find_personal(text)]


def resident(beginning: str, base: int = 11) -> str:
    """A number made up for the test, with the checksum that it had until 2020."""
    total = sum(
        weight * int(digit) for weight, digit in zip([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], beginning, strict=True)
    )
    return f"{beginning[:6]}-{beginning[6:]}{(base - total % 11) % 10}"


# -- numbers --------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["{}", "({})", "번호는 {}입니다", "번호{}", "{}\n"])
def test_resident_numbers_with_a_checksum_need_no_word(form: str) -> None:
    number = resident("880229114567")
    assert found(form.format(number)) == [("rrn", number)]
    assert found(form.format(number.replace("-", ""))) == [("rrn", number.replace("-", ""))]
    foreigner = resident("930713637837", 13)
    assert found(form.format(foreigner)) == [("frn", foreigner)]


def test_newer_resident_numbers_have_no_checksum_and_need_a_word() -> None:
    assert found("주민등록번호 230317-3482915") == [("rrn_unchecked", "230317-3482915")]
    assert found("230317-3482915") == []


@pytest.mark.parametrize(
    "text",
    [
        f"주민번호 {resident('881329114567')}",  # thirteenth month
        f"주민번호 {resident('870229114567')}",  # no leap year
        "주민번호 900101-1******",
        "법인등록번호 110111-0006249",
        "바코드 8801234567893",
        "시각 1700000000000",
        "ISBN 9788912345678",
    ],
)
def test_what_is_no_resident_number(text: str) -> None:
    assert found(text) == []


def test_cards_need_prefix_and_checksum_and_ungrouped_ones_a_word() -> None:
    assert found("4111-1111-1111-1111") == [("card", "4111-1111-1111-1111")]
    assert found("4111 1111 1111 1111 카드") == [("card", "4111 1111 1111 1111")]
    assert found("카드번호 4111111111111111") == [("card", "4111111111111111")]
    assert found("아멕스 3782-822463-10005") == [("card", "3782-822463-10005")]
    for text in ("4111111111111111", "4111-1111-1111-1112", "쿠폰 0000-0000-0000-0000", "1111-2222-3333-4444"):
        assert found(text) == []


def test_checksums() -> None:
    assert luhn([int(digit) for digit in "79927398713"])
    assert not luhn([int(digit) for digit in "79927398710"])
    assert business_checksum([int(digit) for digit in "1248100998"])
    assert found("사업자등록번호 124-81-00998") == [("business", "124-81-00998")]
    assert found("사업자등록번호 124-81-00999") == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("국민은행 123456-78-901234", "account"),
        ("1002-123-456789 (우리은행)", "account"),
        ("계좌번호: 30212345678912", "account"),
        ("여권번호 M47382915", "passport"),
        ("여권은 M473A2915입니다", "passport"),
        ("운전면허 13-07-482913-55", "licence"),
    ],
)
def test_numbers_that_a_word_explains(text: str, kind: str) -> None:
    assert [name for name, _ in found(text)] == [kind]
    number = found(text)[0][1]
    assert found(f"상품 번호 {number}") == []


@pytest.mark.parametrize(
    "text",
    [
        "주문번호 20240115-0038291, 운송장 6078-2913-4471",
        "2024-03-01 10:30 ~ 2024-03-15 18:00",
        "국민은행 앞에서 2024-01-15에 만나요",
        "값은 1,234,567원, 10.15.7-20240131 판",
        "3.14159265358979323846",
        "고객센터 1588-1234, 1644-0000",
        "위도 37.5665350, 경도 126.9779692",
        "IP 192.168.100.200, 버전 2.11.0-3827",
        "010번 방 0107명 3827호",
    ],
)
def test_numbers_of_everyday_life_stay(text: str) -> None:
    assert found(text) == []
    assert mask_personal(text) == text


@pytest.mark.parametrize(
    "number",
    [
        "010-3827-4419",
        "01038274419",
        "010.3827.4419",
        "010 3827 4419",
        "010) 3827-4419",
        "+82 10-3827-4419",
        "+82-10-3827-4419",
        "(+82)10-3827-4419",
        "+821038274419",
        "011-382-4419",
        "0504-3827-4419",
        "82-10-3827-4419",
    ],
)
def test_mobile_phones(number: str) -> None:
    assert found(f"연락처는 {number}입니다") == [("phone", number)]


@pytest.mark.parametrize(
    "number", ["02-382-4419", "031-382-4419", "(02) 3827-4419", "02)3827-4419", "070-3827-4419", "+82-2-3827-4419"]
)
def test_landlines_are_told_apart(number: str) -> None:
    assert found(f"전화 {number}로") == [("landline", number)]


def test_numbers_of_nobody() -> None:
    assert found("010-1234-5678") == [("example_phone", "010-1234-5678")]
    assert found("홍길동님") == [("example_name", "홍길동")]
    assert found("user@example.com hong@test.co.kr") == [
        ("example_email", "user@example.com"),
        ("example_email", "hong@test.co.kr"),
    ]


# -- mail, addresses, names -----------------------------------------------------------------------
def test_mail_of_people_and_of_offices() -> None:
    assert found("bora.hwang27@nate.com으로") == [("email", "bora.hwang27@nate.com")]
    assert found("no-reply@mail.shop.co.kr, info@shop.co.kr") == [
        ("role_email", "no-reply@mail.shop.co.kr"),
        ("role_email", "info@shop.co.kr"),
    ]
    assert found("icon@2x.png, @이름, 3@4, git commit a@b") == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("서울특별시 은평구 은평로 218, 103동 1504호", "address"),
        ("경기도 수원시 영통구 매탄동 12-3 한빛아파트 101동 502호", "address"),
        ("부산 해운대구 우동 1408번지", "street"),
        ("서울 강남구 테헤란로 410", "street"),
        ("전남 담양군 담양읍 지침리 12", "street"),
    ],
)
def test_addresses(text: str, kind: str) -> None:
    assert found(f"주소: {text}") == [(kind, text)]


@pytest.mark.parametrize(
    "text",
    ["서울 강남구로 3명이 갔다", "부산 사하구 인구는 30만", "서울시 종로구 가회동에 3년 살았다", "경기 3-2 승리"],
)
def test_what_is_no_address(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("서지우님", "서지우"),
        ("(광고) 원종란님, 안내", "원종란"),
        ("남궁민수님께", "남궁민수"),
        ("박하늘 고객님의", "박하늘"),
        ("최서연님은요", "최서연"),
    ],
)
def test_names_before_an_honorific(text: str, name: str) -> None:
    assert found(text) == [("name", name)]


@pytest.mark.parametrize(
    "word",
    [
        "고객",
        "회원",
        "선생",
        "관리자",
        "변호사",
        "신청자",
        "이용자",
        "김대리",
        "박선생",
        "이주인공",
        "하느",
        "구독자",
        "임차인",
        "조부모",
        "강아지",
        "지원자",
        "한의사",
    ],
)
def test_roles_are_no_names(word: str) -> None:
    assert found(f"{word}님, 안녕하세요") == []
    assert not is_name(word)


def test_ssi_is_told_apart() -> None:
    assert found("서지우 씨는 웃었다") == [("name_ssi", "서지우")]
    assert found("날씨가 좋다, 아저씨, 불씨") == []


# -- masking --------------------------------------------------------------------------------------
def test_masking_says_what_was_there() -> None:
    text = f"서지우님({resident('880229114567')})은 010-3827-4419, bora.hwang27@nate.com, 국민은행 123456-78-901234"
    assert mask_personal(text) == "<이름>님(<주민등록번호>)은 <전화번호>, <이메일>, 국민은행 <계좌번호>"


def test_offices_are_not_masked() -> None:
    text = "문의: info@shop.co.kr, 사업자등록번호 124-81-00998"
    assert mask_personal(text) == text
    assert {"business", "role_email"}.isdisjoint(MASKS)


PIECES = st.sampled_from(
    [
        "010-3827-4419",
        "02-382-4419",
        "주민번호 ",
        "계좌 ",
        "국민은행",
        "900101-",
        "1234567",
        "4111-1111-1111-1111",
        "서지우",
        "님",
        " 씨",
        "bora@nate.com",
        "@",
        "-",
        " ",
        "서울 강남구 테헤란로 4",
        "101동 3호",
        "여권 M12345678",
        "면허 11-11-123456-11",
        "0",
        "82",
        "+",
        ",",
        "은",
    ]
)


@given(st.lists(PIECES | st.text("0123456789-. ", max_size=6), max_size=8).map("".join))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    masked = mask_personal(text)
    assert mask_personal(masked) == masked
    assert all(span.found not in MASKS for span in find_personal(masked))


@given(st.text(max_size=60))
def test_any_text_can_be_searched(text: str) -> None:
    spans = find_personal(text)
    assert all(span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    assert {*find_ids(text), *find_contacts(text)} >= set(spans)


def test_random_digits_are_seldom_taken_for_a_person() -> None:
    chance = random.Random(1)
    numbers = ["".join(chance.choices("0123456789", k=13)) for _ in range(2000)]
    assert sum(bool(find_ids(f"접수 {number}")) for number in numbers) < 20


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("연락은 공일공 사이오구 오일삼공으로", "phone", "공일공 사이오구 오일삼공"),
        ("공1공-4259-오일삼공", "phone", "공1공-4259-오일삼공"),
        ("minji77 (at) naver.com 으로", "email", "minji77 (at) naver.com"),
        ("minji77[at]kakao[dot]com", "email", "minji77[at]kakao[dot]com"),
        ("minji77 골뱅이 gmail 닷컴", "email", "minji77 골뱅이 gmail 닷컴"),
        ("minji77 @ daum.net 입니다", "email", "minji77 @ daum.net"),
        ("배송지: 경기도 수원시 팔달구 인계동 12", "address", "경기도 수원시 팔달구 인계동 12"),
        ("서울 은평구 통일로 12에 살고 있어요", "address", "서울 은평구 통일로 12"),
        ("오늘 산 카드 4111111111111111 이에요", "card", "4111111111111111"),
        ("이걸로 내 4111111111111111", "card", "4111111111111111"),
        ("신한 110-123-456789로", "account", "110-123-456789"),
        ("여권은 PM1234567입니다", "passport", "PM1234567"),
        ("면허증 경기-83-341483-28", "licence", "경기-83-341483-28"),
    ],
)
def test_forms_that_people_write(text: str, kind: str, part: str) -> None:
    assert found(text) == [(kind, part)]


@pytest.mark.parametrize(
    "text",
    [
        "공일공부터 구구구까지 외우세요",
        "골뱅이 무침과 소면",
        "Meet me @ cafe.com today",
        "주문번호 4111111111111111 확인",
        "우리 2024-05-01부터 시작해요",
        "모델명 PM1234567",
    ],
)
def test_what_only_looks_like_them(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("더 심해질까 봐 겁나는 마음도 선생님께 그대로 말씀하세요.", []),
        ("그런 고민이 선생님께 전해지면 됩니다.", []),
        ("도지사님과 구청장님, 공장장님이 오셨습니다.", []),
        ("담임 정다은 선생님과 이재만 선생님이 계십니다.", ["정다은", "이재만"]),
        ("조정은님, 예약이 확정되었습니다.", ["조정은"]),
        ("조정은 고객님 안녕하세요", ["조정은"]),
    ],
)
def test_a_noun_with_its_particle_is_no_name(text: str, names: list[str]) -> None:
    assert [text[span.start : span.end] for span in people(text)] == names
