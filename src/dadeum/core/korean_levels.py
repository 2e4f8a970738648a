"""A Korean sentence in another speech level (높임법): its last ending replaced, everything else as it was.

Kiwi takes the last word apart and joins it again, so that contraction and irregular stems come out right. A sentence is
left alone where the change would guess: requests and proposals, remarks with an ending of their own (-네요, -죠),
hearsay, and whatever Kiwi reads otherwise afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dadeum.core.korean import MASK
from dadeum.core.morphemes import kiwi, tokenized
from dadeum.core.speech import Level, Sentence, levels, sentences_of

if TYPE_CHECKING:
    from kiwipiepy import Token  # type: ignore[import-untyped]

LEVELS: tuple[Level, ...] = ("hapsyo", "haeyo", "hae", "haera")
"""What a sentence can be changed from and to."""
_STATED = {"ᆸ니다", "습니다", "다", "ᆫ다", "는다", "어요", "에요", "예요", "아요", "어", "아", "야"}
_ASKED = {"ᆸ니까", "습니까", "니", "냐", "느냐", "으냐", "어요", "에요", "예요", "아요", "어", "아", "야"}
_STATES: dict[Level, str] = {"hapsyo": "ᆸ니다", "haeyo": "어요", "hae": "어", "haera": "다"}
_ASKS: dict[Level, str] = {"hapsyo": "ᆸ니까", "haeyo": "어요", "hae": "어", "haera": "니"}
_COPULA: dict[Level, tuple[str, str]] = {
    "hapsyo": ("입니다", "입니다"), "haeyo": ("이에요", "예요"), "hae": ("이야", "야"), "haera": ("이다", "다"),
}  # fmt: skip
"""Of 이다 without a tense, after a consonant and after a vowel."""
_COPULA_ASKS: dict[Level, tuple[str, str]] = {
    "hapsyo": ("입니까", "입니까"), "haeyo": ("이에요", "예요"), "hae": ("이야", "야"), "haera": ("이니", "니"),
}  # fmt: skip
_NOT: dict[Level, str] = {"haeyo": "에요", "hae": "야"}
"""After 아니다, where it differs from other stems."""
_TENSE = {"었", "겠", "았", "였"}
_LIKE_ADJECTIVES = {"있", "없", "싶", "만하", "듯하", "법하", "뻔하", "듯싶"}
"""Stems whose plain form takes -다 in the present although Kiwi may call them verbs."""
_NEGATION = {"않", "못하"}
_TENSE_STATES: dict[Level, str] = {"hapsyo": "습니다", "haeyo": "어요", "hae": "어", "haera": "다"}
_TENSE_ASKS: dict[Level, str] = {"hapsyo": "습니까", "haeyo": "어요", "hae": "어", "haera": "니"}
_THING = "거"
_HONORIFIC = {"시", "으시"}


def in_level(text: str, wanted: Level) -> str:
    """`text` with every sentence in the wanted level that can be changed safely."""
    if wanted not in LEVELS:
        return text
    spoken = {sentence.start: sentence for sentence in levels(text)}
    for tokens in reversed(next(sentences_of([text]), [])):
        sentence = spoken.get(tokens[0].start)
        if sentence and sentence.level in LEVELS and sentence.level != wanted:
            text = _changed(text, tokens, sentence, wanted)
    return text


class _Ending(NamedTuple):
    """The last ending of a sentence and the word that it stands in, as places among the sentence's words."""

    word: list[Token]
    """From the beginning of the last word, or from after a mask in it, to what stands before the ending."""
    start: int
    end: int
    """Characters of the text from the beginning of `word` to the end of the ending."""
    bare: int
    """Where the ending itself begins."""
    form: str


def _changed(text: str, tokens: Sequence[Token], sentence: Sentence, wanted: Level) -> str:
    """The text with this sentence changed, or as it was."""
    found = _ending(text, tokens)
    asked = text[sentence.start : sentence.end].rstrip(" \"'”’)").endswith("?")
    if found is None or found.form not in (_ASKED if asked else _STATED) or _guesses(tokens, found, sentence, asked):
        return text
    written = _written(text, tokens, found, wanted, asked)
    if written is None:
        return text
    changed = text[: found.start] + written + text[found.end :]
    grown = len(changed) - len(text)
    new = changed[sentence.start : sentence.end + grown]
    return changed if _same_but_level(text[sentence.start : sentence.end], new, wanted) else text


def _ending(text: str, tokens: Sequence[Token]) -> _Ending | None:
    words = [token for token in tokens if token.tag[0] not in "SW" or token.tag in ("SL", "SH", "SN")]
    last = len(words) - 1
    form = ""
    if last > 0 and words[last].tag == "JX" and words[last].form == "요":
        form, last = "요", last - 1
    if last < 1 or words[last].tag != "EF":
        return None
    end = words[-1].end
    begin = next((at + 1 for at in range(words[last].end - 1, -1, -1) if text[at].isspace()), 0)
    begin = max([begin, *(mask.end() for mask in MASK.finditer(text, 0, end))])
    word = [token for token in words[:last] if token.start >= begin]
    return _Ending(word, word[0].start, end, words[last].start, words[last].form + form) if word else None


def _guesses(tokens: Sequence[Token], found: _Ending, sentence: Sentence, asked: bool) -> bool:
    """-어요 and -어 state, ask to do and propose: a verb in the present states only where its subject is named."""
    if asked or sentence.level not in ("haeyo", "hae"):
        return False
    stem = found.word[-1]
    if stem.tag == "EP":
        return stem.form in _HONORIFIC
    if stem.tag in ("VCP", "VCN") or stem.tag.startswith(("VA", "XSA")) or stem.form in _LIKE_ADJECTIVES:
        return False
    return not any(token.tag == "JKS" or (token.tag == "JX" and token.form in "은는") for token in tokens)


def _written(text: str, tokens: Sequence[Token], found: _Ending, wanted: Level, asked: bool) -> str | None:
    """The last word in the wanted level; None where Kiwi cannot even write the old one."""
    stem = found.word[-1]
    if stem.tag == "VCP":
        return _copula(text, found, wanted, asked)
    if stem.form in _TENSE:  # it ends in ㅆ, and everything after that is written as it is
        return text[found.start : found.bare] + (_TENSE_ASKS if asked else _TENSE_STATES)[wanted]
    parts = [(token.form, token.tag) for token in found.word]
    old = found.form.removesuffix("요") if found.form not in _STATED | _ASKED else found.form
    if "".join(kiwi().join([*parts, (old, "EF")]).split()) != text[found.start : found.end]:
        return None
    ending = (_ASKS if asked else _STATES)[wanted]
    if stem.tag == "VCN":
        ending = _NOT.get(wanted, ending)
    elif wanted == "haera" and not asked:
        kind = _is_verb(tokens, found)
        if kind is None:
            return None
        ending = "ᆫ다" if kind else "다"
    return "".join(kiwi().join([*parts, (ending, "EF")]).split())


def _copula(text: str, found: _Ending, wanted: Level, asked: bool) -> str:
    stem = found.word[-1]
    before = text[found.start : stem.start]
    after_vowel = _ends_in_vowel(text[: stem.start], text[stem.start : found.end])
    if wanted == "hapsyo" and before.endswith(_THING):
        return before[:-1] + ("겁니까" if asked else "겁니다")
    return before + (_COPULA_ASKS if asked else _COPULA)[wanted][after_vowel]


def _ends_in_vowel(before: str, copula: str) -> bool:
    """After a Hangul syllable by its last sound; after letters and masks as the copula stood there already."""
    last = before[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28 == 0
    return not copula.startswith(("이", "입"))


def _is_verb(tokens: Sequence[Token], found: _Ending) -> bool | None:
    """Whether the plain present takes -ㄴ다 (verbs) or -다 (adjectives and tenses); None where nobody can tell."""
    parts = [token for token in tokens if token.end <= found.word[-1].end]
    while parts and parts[-1].tag == "EP":
        if parts[-1].form in _TENSE:
            return False
        parts.pop()
    if not parts:
        return None
    stem = parts[-1]
    if stem.form in _LIKE_ADJECTIVES or stem.tag.startswith(("VA", "XSA", "VCN")):
        return False
    if stem.tag.startswith("VX"):
        if stem.form in _NEGATION:
            told = next((token.tag for token in reversed(parts[:-1]) if token.tag[:2] in ("VV", "VA", "XS")), "")
            return None if not told else told.startswith(("VV", "XSV"))
        return None if stem.form == "보" and parts[-2].form not in ("어", "아") else True
    return True if stem.tag.startswith(("VV", "XSV")) else None


def _same_but_level(old: str, new: str, wanted: Level) -> bool:
    """Read again: one sentence still, of the wanted level, with the same words but for the ending."""
    read = levels(new)
    return len(read) == 1 and read[0].level == wanted and _stems(old) == _stems(new)


def _stems(sentence: str) -> list[tuple[str, str]]:
    """Everything but endings, marks, the copula, and the polite particle."""
    return [
        (token.form, token.tag[:2])
        for line in next(tokenized([sentence]))
        for token in line
        if token.tag == "EP" or not (token.tag.startswith(("E", "VCP", "SF", "SS")) or token.form == "요")
    ]
