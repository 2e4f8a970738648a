"""Faults of characters and structure, injected into clean Korean text; see doctor_precision.py.

Every function has several forms of its fault, also ones that the checks were not written for: recall is to be honest.
A function returns None where a text cannot have the fault.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

Corrupt = Callable[[str, random.Random], "str | None"]

_HANGUL_WORD = re.compile("[가-힣]{2,}")
_COMPATIBLE_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_COMPATIBLE_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_COMPATIBLE_FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]


def _with_word(text: str, rng: random.Random, change: Callable[[str], str]) -> str | None:
    """One Hangul word of the text changed."""
    words = list(_HANGUL_WORD.finditer(text))
    if not words:
        return None
    word = rng.choice(words)
    changed = change(word[0])
    return None if changed == word[0] else text[: word.start()] + changed + text[word.end() :]


def _insert(text: str, rng: random.Random, piece: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + piece + text[at:]


def _append(text: str, rng: random.Random, sentence: str) -> str:
    return f"{sentence} {text}" if rng.random() < 0.3 else f"{text} {sentence}"


# -- encodings --------------------------------------------------------------------------------------
def mojibake(text: str, rng: random.Random) -> str | None:
    """cp949 as latin-1 or cp1252, UTF-8 as latin-1, cp1252, cp949 or twice, cp949 as UTF-8; the text or a word."""
    ways: list[Callable[[str], str]] = [
        lambda value: value.encode("cp949").decode("latin-1"),
        lambda value: value.encode("cp949").decode("cp1252", "replace"),
        lambda value: value.encode().decode("latin-1"),
        lambda value: value.encode().decode("cp1252", "ignore"),
        lambda value: value.encode().decode("cp949", "replace"),
        lambda value: value.encode().decode("latin-1").encode().decode("latin-1"),
        lambda value: value.encode("cp949").decode("utf-8", "replace"),
    ]
    way = rng.choice(ways)
    try:
        changed = way(text) if rng.random() < 0.6 else _with_word(text, rng, way)
    except UnicodeError:
        return None
    return None if changed == text else changed


def nfd(text: str, rng: random.Random) -> str | None:
    """One word, a file name in front, one syllable only, or all of it."""
    form = rng.randrange(4)
    if form == 0:
        return _with_word(text, rng, lambda word: unicodedata.normalize("NFD", word))
    if form == 1:
        return unicodedata.normalize("NFD", "회의 자료.pdf: ") + text
    if form == 2:
        return _with_word(text, rng, lambda word: unicodedata.normalize("NFD", word[0]) + word[1:])
    changed = unicodedata.normalize("NFD", text)
    return None if changed == text else changed


# -- characters -------------------------------------------------------------------------------------
def _in_pieces(syllable: str) -> str:
    number = ord(syllable) - 0xAC00
    lead, vowel, final = number // 588, number % 588 // 28, number % 28
    return _COMPATIBLE_LEADS[lead] + _COMPATIBLE_VOWELS[vowel] + _COMPATIBLE_FINALS[final]


def broken_jamo(text: str, rng: random.Random) -> str | None:
    """A syllable in compatibility jamo, a jamo lost from one, half-width Hangul, ㅋㅋ after NFKC."""
    form = rng.randrange(4)
    if form == 0:
        return _with_word(text, rng, lambda word: _at_random(word, rng, _in_pieces))
    if form == 1:
        return _with_word(text, rng, lambda word: _at_random(word, rng, _half_of))
    if form == 2:
        return _insert(text, rng, rng.choice(["ﾡﾢ", "ﾾￂﾤ", "ﾱￂ"]))
    return _append(text, rng, unicodedata.normalize("NFKC", rng.choice(["ㅋㅋ", "ㅎㅎㅎ", "ㅠㅠ"])))


def _at_random(word: str, rng: random.Random, change: Callable[[str], str]) -> str:
    at = rng.randrange(len(word))
    return word[:at] + change(word[at]) + word[at + 1 :]


def _half_of(syllable: str) -> str:
    """Conjoining jamo without the vowel, as PDF extraction leaves them."""
    return unicodedata.normalize("NFD", syllable)[0]


def invisible(text: str, rng: random.Random) -> str | None:
    characters = (
        "\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202e\u2066\u3164\u115f\u00ad"
        "\x00\x07\x0b\x1f\x7f\x85\x9d\U000e0041"
    )
    return _insert(text, rng, rng.choice(characters) * rng.choice([1, 1, 3]))


def html(text: str, rng: random.Random) -> str | None:
    wraps = [
        "<p>{}</p>",
        "<b>{}</b>",
        "{}<br>",
        "{}<br />",
        '<span style="color:red">{}</span>',
        "<div class=box>{}</div>",
        "{}&nbsp;",
        "&quot;{}&quot;",
        "{}&#8203;",
        "&lt;안내&gt; {}",
        "<!-- 본문 -->{}",
        '<a href="/x">{}</a>',
        "<ul><li>{}</li></ul>",
        "<TABLE><TR><TD>{}</TD></TR></TABLE>",
        "<h2>안내</h2>{}",
        "{}<img src='a.png'>",
        "{} <font color=blue>보기",
        "&#xAC00;{}",
    ]
    return rng.choice(wraps).format(text)


def control_tokens(text: str, rng: random.Random) -> str | None:
    wraps = [
        "<|im_start|>user\n{}<|im_end|>",
        "{}<|im_end|>",
        "{}<|endoftext|>",
        "[|user|]{}",
        "{}[|endofturn|]",
        "{}</s>",
        "<s>{}</s>",
        "<s>[INST] {} [/INST]",
        "[INST] {} [/INST]",
        "<<SYS>>\n친절하게 답한다.\n<</SYS>>\n{}",
        "<start_of_turn>user\n{}<end_of_turn>",
        "<bos>{}",
        "{}<eos>",
        "<|begin_of_text|>{}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{}",
        "{} [UNK]",
        "### Instruction:\n다음에 답하세요.\n\n### Response:\n{}",
        "### 지시문\n답하세요.\n### 출력\n{}",
        "### 명령어: 답하세요\n### 응답: {}",
        "<｜User｜>{}<｜Assistant｜>",
        "{}<pad><pad>",
        "### Human: 안녕\n### Assistant: {}",
        "<|assistant|>\n{}",
    ]
    return rng.choice(wraps).format(text)


# -- personal data ----------------------------------------------------------------------------------
def _digits(rng: random.Random, num: int) -> str:
    return "".join(rng.choices("0123456789", k=num))


def _resident(rng: random.Random) -> str:
    birth = f"{rng.randrange(100):02}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    century = rng.choice("12" if int(birth[:2]) > 26 else "34")
    foreign = rng.random() < 0.2
    number = birth + str(int(century) + 4 * foreign) + _digits(rng, 5)
    total = sum(weight * int(digit) for weight, digit in zip([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], number, strict=True))
    number += str(((13 if foreign else 11) - total % 11) % 10)
    return rng.choice(
        [f"{number[:6]}-{number[6:]}", number, f"{number[:6]} - {number[6:]}", f"{number[:6]} {number[6:]}"]
    )


def _card(rng: random.Random) -> str:
    number = rng.choice(["4", "51", "55", "3562", "6250", "9410"])
    number += _digits(rng, 15 - len(number))
    total = sum(sum(divmod(2 * int(digit), 10)) if at % 2 == 0 else int(digit) for at, digit in enumerate(number))
    number += str(-total % 10)
    return rng.choice(["-", " ", ""]).join(re.findall("....", number))


def personal_ids(text: str, rng: random.Random) -> str | None:
    birth = f"{rng.randrange(21, 26)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    account = "-".join(
        _digits(rng, num) for num in rng.choice([(3, 2, 6), (3, 6, 5), (6, 2, 6), (4, 3, 6), (3, 4, 4, 2)])
    )
    sentences = [
        f"제 주민등록번호는 {_resident(rng)}입니다.",
        f"({_resident(rng)})",
        f"주민번호 {birth}-{rng.choice('34')}{_digits(rng, 6)}",
        f"카드번호는 {_card(rng)}예요.",
        f"{_card(rng)} 카드로 결제해 주세요.",
        f"국민은행 {account}로 보내 주세요.",
        f"계좌번호: {account.replace('-', '')}",
        f"{account} (신한은행)",
        f"여권번호 M{_digits(rng, 8)}",
        f"여권은 M{_digits(rng, 3)}A{_digits(rng, 4)}입니다",
        f"운전면허번호는 {rng.randint(11, 26)}-{_digits(rng, 2)}-{_digits(rng, 6)}-{_digits(rng, 2)}입니다.",
        f"입금 계좌 카카오뱅크 {account}",
    ]
    return _append(text, rng, rng.choice(sentences))


def personal_contacts(text: str, rng: random.Random) -> str | None:
    middle, last = f"{rng.randint(2000, 9999)}", _digits(rng, 4)
    name = rng.choice("김이박최정강조윤장임") + rng.choice(
        ["민수", "서연", "도현", "지우", "영호", "하늘", "슬기", "은정", "준혁", "보람"]
    )
    user = rng.choice(["minsu", "s.yeon", "kim_88", "lee-jh", "park77"]) + _digits(rng, 2)
    sentences = [
        f"제 번호는 010-{middle}-{last}이에요.",
        f"010{middle}{last}로 문자 주세요.",
        f"010.{middle}.{last}",
        f"010 {middle} {last}",
        f"+82 10-{middle}-{last}",
        f"+82-10-{middle}-{last}",
        f"(010) {middle}-{last}",
        f"011-{middle[:3]}-{last}",
        f"☎010-{middle}-{last}",
        f"{user}@naver.com으로 보내 주세요.",
        f"메일은 {user}@hanmail.net",
        f"{user}@dept.univ.ac.kr",
        f"서울시 마포구 성산로 {rng.randint(1, 300)}, {rng.randint(101, 130)}동 {rng.randint(101, 2001)}호에 살아요.",
        f"경기도 수원시 영통구 매탄동 {rng.randint(1, 900)}-{rng.randint(1, 30)} 한빛아파트 101동 903호",
        f"부산 해운대구 우동 {rng.randint(1, 900)}번지 {rng.randint(101, 1500)}호",
        f"{name}님, 확인 부탁드립니다.",
        f"{name} 고객님께 안내드립니다.",
        f"안녕하세요 {name}님",
        f"{name}님의 예약이 확정되었습니다.",
    ]
    return _append(text, rng, rng.choice(sentences))


# -- answers ----------------------------------------------------------------------------------------
def empty_field(text: str, rng: random.Random) -> str | None:
    return rng.choice(["", " ", "\n", "\t \n", "\u3000"])


def broken_json(text: str, rng: random.Random) -> str | None:
    """JSON cut off, with single quotes, a trailing comma, a raw line end, or in a fence that stays open."""
    value = text.replace('"', "").replace("\\", "")
    forms = [
        f'{{"answer": "{value}"',
        f'{{"answer": "{value}',
        f'{{"answer": "{value}",}}',
        f'{{"answer": "{value}\n"}}',
        f'["{value}", ',
        f"{{\"answer\": '{value}'}}",
        f'```json\n{{"answer": "{value}"}}',
        f'```json\n{{"answer": "{value}"\n```',
        f"결과입니다.\n```json\n{{'answer': '{value}'}}\n```",
        f'{{"answer": "{value}"}} 이상입니다.',
    ]
    return rng.choice(forms)


def cut_answers(text: str, rng: random.Random) -> str | None:
    """Cut after any character, or before any word, of its second half."""
    end = rng.randrange(len(text) // 2, len(text)) if len(text) >= 20 else 0
    cut = text[:end] if rng.random() < 0.5 else text[: text.rfind(" ", 0, end) + 1]
    cut = cut.rstrip()
    return cut if len(cut) >= 10 and cut[-1] not in ".!?~…" else None


CORRUPTIONS: dict[str, Corrupt] = {
    "cut_answers": cut_answers,
    "mojibake": mojibake,
    "nfd": nfd,
    "broken_jamo": broken_jamo,
    "invisible": invisible,
    "html": html,
    "control_tokens": control_tokens,
    "personal_ids": personal_ids,
    "personal_contacts": personal_contacts,
    "empty_field": empty_field,
    "broken_json": broken_json,
}
"""Name of the check → what makes its fault."""
