"""Numbers that stand for a person or a company in Korea: their shapes, checksums and the words beside them.

A number without a checksum counts only where a word says what it is: dates, prices and order numbers look alike.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import date

from dadeum.core.findings import Span

BEFORE_CHARACTERS = 24
AFTER_CHARACTERS = 8
"""How far a word that explains a number may be from it: `계좌번호는 국민은행 김민수 123…` is about that long."""
LATEST_BIRTH_YEAR = 2035
"""A year of this century after it is a date of no person; later than now, so that results do not change by the day."""

_LEFT, _RIGHT = r"(?<![\d*])(?<!\d[-.])", r"(?![\d*]|[-.]\d)"
_DIGIT = re.compile("[0-9]")
_SEVEN_DIGITS = re.compile(r"[0-9](?:[\s.)–-]{0,3}[0-9]){6}")
"""No telephone number is shorter; most texts have none."""
_TEN_DIGITS = re.compile(r"[0-9](?:\s?[–—-]?\s?[0-9]){9}")
"""No other number is shorter, but for a passport's."""

# -- resident registration numbers ----------------------------------------------------------------
_RESIDENT = re.compile(rf"{_LEFT}(\d{{6}})(\s?[-–—]\s?| |)([1-8]\d{{6}}){_RIGHT}")
_RESIDENT_WORDS = re.compile(r"주민|외국인\s?등록|거소|실명번호|\bRRN\b")
_COMPANY_WORDS = re.compile(r"법인|등기")
_RESIDENT_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_COMPANY_WEIGHTS = (1, 2) * 6
_COMPANY_KINDS = {11, 12, 13, 14, 15, 21, 22}
# A time in milliseconds: thirteen digits whose first six can be a date.
_TIMESTAMP = re.compile("1[4-9]")
_BARCODE = re.compile("880")


def _residents(text: str) -> Iterator[Span]:
    for match in _RESIDENT.finditer(text):
        birth, hyphen, rest = match.groups()
        digits = _digits(birth + rest)
        if not _is_birthday(birth, digits[6]) or _has_word(text, match, _COMPANY_WORDS):
            continue
        checked = _resident_checksum(digits)
        named = _has_word(text, match, _RESIDENT_WORDS)
        if not named and (_is_company(digits) or (not hyphen and _is_other(birth, digits))):
            continue
        if checked:
            yield Span(*match.span(), "frn" if digits[6] > 4 else "rrn")
        elif named:
            # Numbers given out since October 2020 have random digits where the checksum was.
            yield Span(*match.span(), "rrn_unchecked")


def _is_birthday(birth: str, century: int) -> bool:
    year = (1900 if century in (1, 2, 5, 6) else 2000) + int(birth[:2])
    try:
        date(year, int(birth[2:4]), int(birth[4:]))
    except ValueError:
        return False
    return year <= LATEST_BIRTH_YEAR


def _resident_checksum(digits: Sequence[int]) -> bool:
    """The rule until October 2020; foreigners' numbers are two off."""
    total = sum(weight * digit for weight, digit in zip(_RESIDENT_WEIGHTS, digits, strict=False))
    return ((13 if digits[6] > 4 else 11) - total % 11) % 10 == digits[12]


def _is_other(birth: str, digits: Sequence[int]) -> bool:
    """Without a hyphen: a time, or the barcode of a Korean product (880…), whose checksum is EAN-13's."""
    total = sum(weight * digit for weight, digit in zip((1, 3) * 6, digits, strict=False))
    is_barcode = _BARCODE.match(birth) is not None and (10 - total % 10) % 10 == digits[12]
    return is_barcode or _TIMESTAMP.match(birth) is not None


def _is_company(digits: Sequence[int]) -> bool:
    """법인등록번호 such as 110111-…: registry office (1101 to 2855), kind of company, and a checksum of its own."""
    office, kind = digits[0] * 10 + digits[1], digits[4] * 10 + digits[5]
    total = sum(weight * digit for weight, digit in zip(_COMPANY_WEIGHTS, digits, strict=False))
    return 11 <= office <= 28 and kind in _COMPANY_KINDS and (10 - total % 10) % 10 == digits[12]


# -- cards, companies, passports, licences --------------------------------------------------------
_CARD = re.compile(
    rf"{_LEFT}(?:\d{{4}}([- ])\d{{4}}\1\d{{4}}\1\d{{4}}|3[47]\d\d([- ])\d{{6}}\2\d{{5}}"
    rf"|3[0689]\d\d([- ])\d{{6}}\3\d{{4}}|\d{{14,16}}){_RIGHT}"
)
_CARD_WORDS = re.compile(r"카드|결제|신용|체크|유효\s?기간|\bCVC|\bcard\b|\bvisa\b", re.IGNORECASE)
_CARD_PREFIX = {
    16: re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|35|62|65|6011|9"),
    15: re.compile("3[47]"),
    14: re.compile("3[0689]"),
}
_BANK_CARD = re.compile(r"(?:4\d|5[1-5])\d{14}")
_OTHER_NUMBER = re.compile(r"번호|송장|주문|코드|바코드|\bno\b|\bid\b|\bISBN\b|\d{10}|=|#", re.IGNORECASE)
_BUSINESS = re.compile(rf"{_LEFT}\d{{3}}-\d{{2}}-\d{{5}}{_RIGHT}")
_BUSINESS_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
_PASSPORT = re.compile(r"(?<![A-Za-z0-9])(?:[MSRODG](?:\d{8}|\d{3}[A-Z]\d{4})|[A-Z]{2}\d{7})(?![A-Za-z0-9])")
_PASSPORT_WORDS = re.compile(r"여권|passport", re.IGNORECASE)
_LICENCE_REGION = "서울|부산|대구|인천|광주|대전|울산|경기|강원|충북|충남|전북|전남|경북|경남|제주"
"""Until the regions got numbers."""
_LICENCE = re.compile(rf"{_LEFT}(?:1[1-9]|2[0-8]|{_LICENCE_REGION})-\d{{2}}-\d{{6}}-\d{{2}}{_RIGHT}")
_LICENCE_WORDS = re.compile(r"면허|운전")


def _passports(text: str) -> Iterator[Span]:
    for match in _PASSPORT.finditer(text):
        if _has_word(text, match, _PASSPORT_WORDS):
            yield Span(*match.span(), "passport")


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = _digits(match[0])
        prefix = _CARD_PREFIX[len(digits)]
        plain = "".join(map(str, digits))
        # Cards of the 9 range are Korean only, and nothing but their owner checks them.
        grouped = not match[0].isdigit() and plain[0] != "9"
        if (
            prefix.match(plain)
            and luhn(digits)
            and len(set(digits)) > 1
            and (grouped or _is_bank_card(text, match) or _has_word(text, match, _CARD_WORDS))
        ):
            yield Span(*match.span(), "card")


def _is_bank_card(text: str, match: re.Match[str]) -> bool:
    """Sixteen digits of Visa or Mastercard, alone between spaces in a text of words none of which numbers them."""
    alone = not text[: match.start()][-1:].strip() and not text[match.end() :][:1].strip()
    in_words = re.search("[A-Za-z가-힣]", text) is not None
    return (
        alone and in_words and _BANK_CARD.fullmatch(match[0]) is not None and not _has_word(text, match, _OTHER_NUMBER)
    )


def luhn(digits: Sequence[int]) -> bool:
    """Checksum of payment cards (ISO/IEC 7812)."""
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _businesses(text: str) -> Iterator[Span]:
    for match in _BUSINESS.finditer(text):
        if business_checksum(_digits(match[0])):
            yield Span(*match.span(), "business")


def business_checksum(digits: Sequence[int]) -> bool:
    """사업자등록번호, ten digits."""
    total = sum(weight * digit for weight, digit in zip(_BUSINESS_WEIGHTS, digits, strict=False))
    return (10 - (total + digits[8] * 5 // 10) % 10) % 10 == digits[9]


# -- telephones -----------------------------------------------------------------------------------
_COUNTRY = r"(?:\(?(?:\+|00)\s?82\)?[ .-]?(?:\(0\))?|(?<![\d-])82-)"
_GAP = r"\s?[-.–)\s]\s?"
# Without any sign between only 010, whose numbers go on with 2 to 9: references and tickets have eleven digits too.
_MOBILE = (
    rf"(?:{_COUNTRY}0?|0)"
    rf"(?:10(?:[2-9]\d{{7}}|12345678|[2-9]\d{{3}}{_GAP}\d{{4}})|1[016789]{_GAP}\d{{3,4}}(?:{_GAP})?\d{{4}})"
)
_PERSONAL = rf"050[2-8]{_GAP}\d{{3,4}}{_GAP}\d{{4}}"
_AREA = "2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70"
_LANDLINE = rf"(?:\(0(?:{_AREA})\)\s?|0(?:{_AREA}){_GAP}|{_COUNTRY}(?:{_AREA}){_GAP})\d{{3,4}}{_GAP}\d{{4}}"
_PHONE = re.compile(
    rf"(?<![\d*A-Za-z])(?<!\d[-.])(?:(?P<mobile>{_MOBILE}|{_PERSONAL})|(?P<landline>{_LANDLINE})){_RIGHT}"
)
# What people write when they mean no number at all.
_EXAMPLE_PHONE = re.compile(r"(?:1234\D*5678|0000\D*0000|1111\D*(?:1111|2222)|9999\D*9999)$")


def phones(text: str) -> Iterator[Span]:
    """`phone` (mobile, 050), `landline`, and `example_phone` such as 010-1234-5678; 1588-0000 is a company's."""
    if not _SEVEN_DIGITS.search(text):
        return
    for match in _PHONE.finditer(text):
        kind = "landline" if match["landline"] else "phone"
        yield Span(*match.span(), "example_phone" if _EXAMPLE_PHONE.search(match[0]) else kind)


# -- telephones in words, to be read by nobody but people -------------------------------------------
_SPOKEN_DIGIT = "[공영일이삼사오육륙칠팔구0-9]"
_SPOKEN_GLUE = r"(?:에|\s|-|,){0,2}"
_SPOKEN = re.compile(rf"(?:공[일1]공|영[일1]영){_SPOKEN_GLUE}{_SPOKEN_DIGIT}{{4}}{_SPOKEN_GLUE}{_SPOKEN_DIGIT}{{4}}")


def spoken_phones(text: str) -> Iterator[Span]:
    """공일공 사이오구 …, 공1공-4259-…: `phone`."""
    if "공" not in text and "영" not in text:
        return
    for match in _SPOKEN.finditer(text):
        yield Span(*match.span(), "phone")


# -- bank accounts --------------------------------------------------------------------------------
_ACCOUNT = re.compile(
    rf"{_LEFT}(?:\d{{2,6}}-\d{{2,6}}-\d{{2,7}}(?:-\d{{1,3}})?|(?!1[4-7]\d{{11}}(?!\d))\d{{10,14}}){_RIGHT}(?!\.[A-Za-z])"
)
_ACCOUNT_WORDS = re.compile(
    r"계좌|예금주|입금처|(?:국민|신한|우리|하나|기업|농협|수협|산업|씨티|제일|외환|대구|부산|경남|광주|전북|제주)\s?은행"
    r"|농협|수협|신협|새마을금고|우체국(?!쇼핑)|카카오뱅크|카뱅|토스\s?뱅크|케이뱅크"
)
_BANK_NAME = re.compile(r"(?:국민|신한|우리|하나|기업|카카오|토스|케이|씨티)\s?(?=\d{2})")
"""The short name of a bank is a word of its own: it counts only right before the number."""
# No account: a time in milliseconds, the name of a file.
_MIN_ACCOUNT, _MAX_ACCOUNT = 10, 14
_DATE = re.compile(r"(?:19|20)\d\d(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])")


def _accounts(text: str) -> Iterator[Span]:
    if _ACCOUNT_WORDS.search(text) is None and _BANK_NAME.search(text) is None:
        return
    for match in _ACCOUNT.finditer(text):
        enough = _MIN_ACCOUNT <= len(_digits(match[0])) <= _MAX_ACCOUNT
        other = _PHONE.fullmatch(match[0]) or _DATE.match(match[0])
        if enough and not other and _is_at_bank(text, match):
            yield Span(*match.span(), "account")


def _is_at_bank(text: str, match: re.Match[str]) -> bool:
    return any(bank.end() == match.start() for bank in _BANK_NAME.finditer(text)) or _has_word(
        text, match, _ACCOUNT_WORDS
    )


# -- all ------------------------------------------------------------------------------------------
def id_numbers(text: str) -> list[Span]:
    """Numbers given by authorities and banks, in order and apart.

    Kinds: `rrn` (주민등록번호), `frn` (외국인등록번호), `rrn_unchecked`, `card`, `account`, `passport`, `licence`,
    `business` (사업자등록번호: a company's, not a person's).
    """
    if not _DIGIT.search(text):
        return []
    if not _TEN_DIGITS.search(text):
        return list(_passports(text))
    found = [*_residents(text), *_cards(text), *_businesses(text)]
    found += [Span(*hit.span(), "licence") for hit in _LICENCE.finditer(text) if _has_word(text, hit, _LICENCE_WORDS)]
    return apart([*found, *_passports(text), *_accounts(text)])


def apart(spans: Sequence[Span]) -> list[Span]:
    """The spans in order; of two that overlap, the one that was named first."""
    kept: list[Span] = []
    for span in spans:
        at = bisect(kept, span)
        if (at == 0 or kept[at - 1].end <= span.start) and (at == len(kept) or span.end <= kept[at].start):
            kept.insert(at, span)
    return kept


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdecimal()]


def _has_word(text: str, match: re.Match[str], words: re.Pattern[str]) -> bool:
    before = text[max(0, match.start() - BEFORE_CHARACTERS) : match.start()]
    after = text[match.end() : match.end() + AFTER_CHARACTERS]
    return words.search(before) is not None or words.search(after) is not None
