"""Personal data in Korean text: registration numbers, cards, accounts, telephones, e-mail, addresses, names.

A model repeats what it was trained on, so what must not be said must not be learned. Found by rules that prefer to
miss a doubtful number: a tool that marks every date as an account is switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dadeum.core.findings import Span
from dadeum.core.korean_names import people
from dadeum.core.korean_numbers import apart, id_numbers, phones, spoken_phones

# -- e-mail ---------------------------------------------------------------------------------------
_EMAIL = re.compile(
    r"(?<![\w.+/-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,12}(?![\w@-])", re.ASCII
)
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "pdf", "js", "ts", "css", "py", "txt", "md", "json"})
"""`icon@2x.png` is a file."""
_ROLE = re.compile(
    r"git|(?:no|do-?not)[-_.]?reply|info|help(?:desk)?|support|admin(?:istrator)?|web-?master|post-?master|mailer-daemon|contact"
    r"|cs|customer.*|service|sales|master|privacy|news(?:letter)?|office|recruit|hr|job|pr|press|marketing|billing|notice|ask"
    r"|security|abuse|manager|team|hello|mail|email|member|event",
    re.IGNORECASE,
)
_EXAMPLE_DOMAIN = re.compile(
    r"@(?:.+\.)?(?:example|sample|test|email|domain|your-?\w*|my-?(?:domain|company)|abc|xyz|company)\.|@.+\.(?:example|test|invalid)$",
    re.IGNORECASE,
)
_EXAMPLE_NAME = re.compile(
    r"(?:x{3,}|abc\d*|test\d*|user\d*|example|sample|your\w*|name|hong(?:gil)?dong|id)@", re.IGNORECASE
)

_AT_WORD = re.compile(r"[(\[]\s?at\s?[)\]]", re.IGNORECASE)
_PROVIDER = "naver|gmail|hanmail|daum|nate|kakao|outlook|hotmail|icloud|yahoo"
_DISGUISED = re.compile(
    r"(?<![\w.+/-])(?P<user>[A-Za-z0-9][\w.+%-]{1,63})"
    r"(?:\s?(?:골뱅이|[(\[{]\s?(?:at|골뱅이)\s?[)\]}])\s?(?P<site>[A-Za-z0-9-]{2,63})"
    rf"|\s?@\s?(?P<provider>{_PROVIDER}))"
    r"\s?(?:\.|닷|점|쩜|[(\[{]\s?(?:dot|닷|점)\s?[)\]}])\s?(?P<end>com|net|org|kr|co\.kr|io|컴|넷)(?![\w@-])",
    re.IGNORECASE | re.ASCII,
)
"""Written so that no program finds it; a bare @ between spaces only at a provider of private mail."""

# -- addresses ------------------------------------------------------------------------------------
_PROVINCE = (
    r"(?:서울|부산|대구|인천|광주|대전|울산|세종)(?:특별자치시|특별시|광역시|시)?"
    r"|(?:경기|강원|제주|전북|전남|경북|경남|충북|충남|전라[남북]|경상[남북]|충청[남북])(?:특별자치도|도)?"
)
_DISTRICT = r"(?:[가-힣]{1,5}[시군구]\s?){1,2}"
_STREET = r"[가-힣][가-힣0-9·.]{0,11}(?:로|길)(?:\s?\d{1,4}번?길)?"
_VILLAGE = r"(?:[가-힣]{1,5}[읍면]\s?)?[가-힣][가-힣0-9]{0,6}(?:동|리|가)"
_NUMBER = r"(?:산\s?)?\d{1,4}(?:[-–]\d{1,4})?(?:번지)?(?![\d%]|[.,:]\d|(?!에|의|입니|이며)[가-힣])"
_BUILDING = r"(?:\([가-힣0-9 ,·]{2,20}\)[,\s]{0,2})?(?:[가-힣A-Za-z0-9]{1,14}\s)?"
_HOME = rf"[,\s]{{0,2}}{_BUILDING}(?:(?P<flat>(?:\d{{1,4}}동\s?)?\d{{1,4}}호)|(?:지하\s?)?\d{{1,4}}층)(?!선)"
_ADDRESS = re.compile(
    rf"(?<![가-힣])(?:{_PROVINCE})\s{{0,2}}{_DISTRICT}\s?(?:[가-힣]{{1,5}}[읍면]\s)?(?:{_STREET}|{_VILLAGE})\s?{_NUMBER}(?:{_HOME})?"
)
_LIVES = re.compile(r"살(?:고|아|았|던)|사는|거주|자택|우리\s?집|집\s?주소|배송지|배달지|수령지|받는\s?(?:사람|분|곳)")
"""Beside a building it says that somebody lives there."""
_NEAR = 10
"""Characters from an address to such a word."""
_HOUSE_NUMBER = re.compile(r"[로길동리가]\s?(?:산\s?)?\d")
_DIGIT = re.compile("[0-9]")

MASKS = {
    "rrn": "<주민등록번호>",
    "rrn_unchecked": "<주민등록번호>",
    "frn": "<외국인등록번호>",
    "card": "<카드번호>",
    "account": "<계좌번호>",
    "passport": "<여권번호>",
    "licence": "<운전면허번호>",
    "phone": "<전화번호>",
    "landline": "<전화번호>",
    "example_phone": "<전화번호>",
    "email": "<이메일>",
    "example_email": "<이메일>",
    "address": "<주소>",
    "street": "<주소>",
    "name": "<이름>",
    "name_ssi": "<이름>",
    "example_name": "<이름>",
}
"""Kind → what stands in its place. Addresses of offices (`role_email`) and numbers of companies (`business`) stay."""


def find_ids(text: str) -> list[Span]:
    """Numbers that identify a person or an account; kinds as in `korean_numbers.id_numbers`."""
    return id_numbers(text)


def find_contacts(text: str) -> list[Span]:
    """Ways to a person, in order and apart.

    Kinds: `phone`, `landline`, `example_phone`, `email`, `role_email` (info@…), `example_email`, `address` (of a flat),
    `street` (of a building, often an office), `name` (before 님), `name_ssi` (before 씨), `example_name`.
    """
    found: list[Span] = []
    if "@" in text:
        found += _emails(text)
    if "@" in text or "골뱅이" in text or (("(" in text or "[" in text) and _AT_WORD.search(text)):
        found += [Span(*match.span(), "email") for match in _DISGUISED.finditer(text)]
    found += spoken_phones(text)
    if _DIGIT.search(text):
        found += phones(text)
        found += _addresses(text)
    if "님" in text or "씨" in text:
        found += people(text)
    return apart(found)


def find_personal(text: str) -> list[Span]:
    """All of `find_ids` and `find_contacts`, in order and apart; a number that is both counts as an id."""
    return apart([*find_ids(text), *find_contacts(text)])


def mask_personal(text: str) -> str:
    """`text` with personal data replaced by its kind, such as <전화번호>; masking twice changes nothing more."""
    # What was joined to a number before it was masked may be one on its own now.
    for _ in range(len(text)):
        masked = _masked(text)
        if masked == text:
            break
        text = masked
    return text


def _masked(text: str) -> str:
    for span in reversed(find_personal(text)):
        if span.found in MASKS:
            text = text[: span.start] + MASKS[span.found] + text[span.end :]
    return text


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        address = match[0]
        if address.rpartition(".")[2].lower() in _FILES:
            continue
        kind = "email"
        if _ROLE.fullmatch(address.partition("@")[0]):
            kind = "role_email"
        if _EXAMPLE_DOMAIN.search(address) or _EXAMPLE_NAME.match(address):
            kind = "example_email"
        yield Span(*match.span(), kind)


def _addresses(text: str) -> Iterator[Span]:
    if _HOUSE_NUMBER.search(text):
        for match in _ADDRESS.finditer(text):
            near = text[max(0, match.start() - _NEAR) : match.start()] + "\n" + text[match.end() : match.end() + _NEAR]
            yield Span(*match.span(), "address" if match["flat"] or _LIVES.search(near) else "street")
