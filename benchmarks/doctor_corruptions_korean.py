"""Seeded faults for the checks on Korean: a clean answer in, the same answer with one fault out.

A function returns None where the answer has no place for the fault. The forms vary, but the checks were improved on
what they missed here: recall is on known kinds of fault, not held out. `answer_starts` and `speech_levels` are faults
of a whole data set (ROW_CORRUPTIONS: rows in; new rows and the ids of the faulty ones out). `translationese` is advice.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from dadeum.core.examples import Example, answer_of

Corrupt = Callable[[str, random.Random], str | None]

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*[ \n]*")
_TO_PLAIN = (
    ("있습니다", "있다"),
    ("없습니다", "없다"),
    ("좋습니다", "좋다"),
    ("었습니다", "었다"),
    ("았습니다", "았다"),
    ("했습니다", "했어"),
    ("겠습니다", "겠다"),
    ("합니다", "한다"),
    ("됩니다", "된다"),
    ("입니다", "이다"),
    ("줍니다", "준다"),
    ("옵니다", "온다"),
    ("랍니다", "란다"),
    ("거예요", "거야"),
    ("이에요", "이야"),
    ("예요", "야"),
    ("에요", "야"),
    ("보세요", "봐"),
    ("하세요", "해"),
    ("마세요", "마"),
    ("주세요", "줘"),
    ("가세요", "가라"),
    ("해요", "해"),
    ("돼요", "돼"),
    ("어요", "어"),
    ("아요", "아"),
    ("여요", "여"),
    ("봐요", "봐"),
    ("와요", "와"),
    ("가요", "가"),
    ("려요", "려"),
    ("게요", "게"),
    ("까요", "까"),
)
_TO_POLITE = (
    ("한다", "합니다"),
    ("된다", "돼요"),
    ("었다", "었습니다"),
    ("았다", "았어요"),
    ("했다", "했습니다"),
    ("있다", "있어요"),
    ("없다", "없습니다"),
    ("이다", "입니다"),
    ("간다", "가요"),
    ("온다", "옵니다"),
    ("준다", "줘요"),
    ("는다", "습니다"),
)
_PLAIN_SENTENCES = (
    "이건 꼭 기억해 둬.",
    "생각보다 어렵지 않다.",
    "나도 그렇게 생각해.",
    "천천히 해도 된다.",
    "궁금하면 또 물어봐.",
    "그렇게 하면 훨씬 나을 거야.",
    "처음에는 누구나 헤맨다.",
    "걱정하지 마라.",
    "그래서 더 중요하다.",
    "오늘은 이쯤 하자.",
)
_POLITE_SENTENCES = (
    "참고해 주세요.",
    "자세한 내용은 담당자에게 문의하시기 바랍니다.",
    "이상으로 정리를 마칩니다.",
    "도움이 되면 좋겠어요.",
    "그 점이 중요합니다.",
    "다음에 또 알려 드릴게요.",
)
_FOREIGN = (
    "非常",
    "问题",
    "可以",
    "因为",
    "情况",
    "需要",
    "重要な",
    "時間",
    "例えば",
    "しかし",
    "とても",
    "ありがとう",
    "メニュー",
    "という",
    "очень",
    "проблема",
    "сегодня",
    "можно",
    "хорошо",
    "สวัสดี",
    "ขอบคุณ",
    "مرحبا",
    "注意",
    "建議",
    "确认",
    "それは",
)
_HOMOGLYPHS = str.maketrans("aceopxyABEHKMOPCT", "асеорхуАВЕНКМОРСТ")
_TERMS = ("password", "account", "email", "computer", "coffee", "project", "team", "Apple", "online", "event")
_ENGLISH = (
    "Of course, you can do this at any time, but it is better to ask the person in charge before you begin.",
    "I think that you should take a rest and talk to your friend, because it is not your fault at all.",
    "This is a good question. There are many ways to do it, and the best one for you is to start with a plan.",
)
_PHRASES = (
    "정확한 판단은 전문가에게 확인하세요.",
    "저는 AI 언어 모델로서 개인적인 의견이 없습니다.",
    "도움이 되셨기를 바랍니다!",
    "더 궁금한 점이 있으시면 언제든지 물어보세요.",
    "자세한 사항은 반드시 전문가와 상담하시기 바랍니다.",
    "좋은 질문입니다!",
    "이 내용은 참고용으로만 활용해 주세요.",
    "추가 질문이 있으시면 말씀해 주세요.",
)
_OWN_PHRASE = "끝까지 읽어 주신 여러분께 작은 응원을 보냅니다."
"""On no list: only a data set that repeats it shows that it is one."""
_EMOJI = "😀😂🎉🔥👍💕✨🙏😭🚀"
_OPENERS = "“‘「『《(["
_CLOSERS = dict(zip(_OPENERS, "”’」』》)]", strict=True))


def mixed_speech(answer: str, rng: random.Random) -> str | None:
    """One sentence in the other level: rewritten where the ending is known, else a sentence added."""
    sentences = _SENTENCE.findall(answer)
    is_polite = (
        re.search(r"(?:요|다|까)[.!?]*\s*$", answer) is not None and re.search(r"요[.!?]|니다", answer) is not None
    )
    table = _TO_PLAIN if is_polite else _TO_POLITE
    places = list(range(len(sentences))) if len(sentences) > 1 else []
    rng.shuffle(places)
    for place in places:
        body = sentences[place].rstrip(" \n.!?")
        for ending, other in table:
            if body.endswith(ending):
                rest = sentences[place][len(body) :] or "."
                sentences[place] = body[: -len(ending)] + other + rest
                return "".join(sentences)
    if not re.search(r"[가-힣][.!?]\s*$", answer):
        return None
    return answer.rstrip() + " " + rng.choice(_PLAIN_SENTENCES if is_polite else _POLITE_SENTENCES)


def foreign_script(answer: str, rng: random.Random) -> str | None:
    """A word of another script beside, inside or instead of one; a homoglyph term; now and then all in English."""
    words = answer.split(" ")
    places = [at for at, word in enumerate(words) if re.fullmatch(r"[가-힣]{2,}[.,]?", word)]
    if not places:
        return None
    form, at, foreign = rng.randrange(10), rng.choice(places), rng.choice(_FOREIGN)
    if form == 0:
        return rng.choice(_ENGLISH)
    if form == 1:
        words.insert(at, rng.choice(_TERMS).translate(_HOMOGLYPHS))
    elif form < 5:
        words.insert(at, foreign)
    elif form < 8:
        words[at] = foreign + words[at][-1]
    else:
        words[at] = foreign
    return " ".join(words)


def spacing(answer: str, rng: random.Random) -> str | None:
    """All spaces gone, most of them gone, or spaces inside words."""
    if len(answer) < 20 or answer.count(" ") < 4:
        return None
    form = rng.randrange(4)
    if form < 2:
        return answer.replace(" ", "")
    if form == 2:
        return re.sub(" ", lambda _: "" if rng.random() < 0.8 else " ", answer)
    return re.sub(r"(?<=[가-힣])(?=[가-힣])", lambda _: " " if rng.random() < 0.6 else "", answer)


def split_syllables(answer: str, rng: random.Random) -> str | None:
    """Every syllable apart, in all of the answer or in a stretch of three to six words."""
    words = answer.split(" ")
    if len(words) < 3:
        return None
    length = len(words) if rng.random() < 0.5 else rng.randint(3, min(6, len(words)))
    start = rng.randint(0, len(words) - length)
    apart = [re.sub(r"(?<=[가-힣])(?=[가-힣])", " ", word) for word in words[start : start + length]]
    if sum(len(re.findall("[가-힣]", word)) for word in apart) < 8:
        return None
    return " ".join([*words[:start], *apart, *words[start + length :]])


def repetition(answer: str, rng: random.Random) -> str | None:
    """A sentence again, at once or at the end; or the last words in a loop."""
    sentences = [sentence for sentence in _SENTENCE.findall(answer) if len(sentence.strip()) >= 12]
    words = answer.split()
    form = rng.randrange(3)
    if form < 2 and sentences:
        again = rng.choice(sentences).strip()
        if form == 0:
            return answer.replace(again, again + " " + again, 1)
        return answer.rstrip() + " " + " ".join([again] * rng.randint(1, 3))
    if len(words) < 4:
        return None
    return answer.rstrip(" .!?") + (" " + " ".join(words[-rng.randint(2, 4) :])) * rng.randint(5, 12)


def punctuation(answer: str, rng: random.Random) -> str | None:
    """Ends of sentences drawn out, a wall of emoji, or a mark after every word."""
    form = rng.randrange(5)
    if form == 0:
        return re.sub(r"[.!?]+(?=\s|$)", rng.choice("!?~") * rng.randint(5, 12), answer.rstrip(".") + ".")
    if form == 1:
        return answer.rstrip() + " " + "".join(rng.choices(_EMOJI, k=rng.randint(6, 15)))
    if form == 2:
        return (
            re.sub(r" ", rng.choice(["... ", " • ", "!! ", " ★ ", ".... "]), answer) if answer.count(" ") > 4 else None
        )
    if form == 3:
        return answer + "." * rng.randint(7, 30)
    return (
        rng.choice(["• • • • ", ". . . . . ", "!?!?!? ", ",,,, "])
        + " "
        + answer
        + rng.choice(["!!!!!", " . . . . . .", ";;;;;"])
    )


def quotes(answer: str, rng: random.Random) -> str | None:
    """A mark that opens or closes without its partner, around a word in the middle."""
    words = answer.split(" ")
    if len(words) < 3 or re.search(r"[\"“”‘’「」『』《》()\[\]]", answer):
        return None
    at = rng.randrange(1, len(words))
    opener = rng.choice([*_OPENERS, '"'])
    if opener != '"' and opener != "‘" and rng.random() < 0.4:
        words[at - 1] += _CLOSERS[opener]
    else:
        words[at] = opener + words[at]
    return " ".join(words)


def boilerplate(answer: str, rng: random.Random) -> str | None:
    """A stock phrase at the end or the beginning, one in three on no list."""
    phrase = _OWN_PHRASE if rng.random() < 1 / 3 else rng.choice(_PHRASES)
    return f"{phrase} {answer}" if rng.random() < 0.2 else f"{answer.rstrip()} {phrase}"


CORRUPTIONS: dict[str, Corrupt] = {
    "mixed_speech": mixed_speech,
    "foreign_script": foreign_script,
    "spacing": spacing,
    "split_syllables": split_syllables,
    "repetition": repetition,
    "punctuation": punctuation,
    "quotes": quotes,
    "boilerplate": boilerplate,
}


def speech_levels(rows: list[Example], rng: random.Random) -> tuple[list[Example], set[str]]:
    """A fifth of the rows whose every ending is known, in plain speech."""

    def plain(answer: str) -> str | None:
        sentences = _SENTENCE.findall(answer)
        for place, sentence in enumerate(sentences):
            body = sentence.rstrip(" \n.!?")
            known = next(((ending, other) for ending, other in _TO_PLAIN if body.endswith(ending)), None)
            if known is None:
                return None
            sentences[place] = body[: -len(known[0])] + known[1] + (sentence[len(body) :] or ".")
        return "".join(sentences)

    return _replaced(rows, rng, 0.2, plain)


def answer_starts(rows: list[Example], rng: random.Random) -> tuple[list[Example], set[str]]:
    """Two rows in five begin with the same words, or with one mark."""
    start = rng.choice(["두 화자는 이 대화에서 ", "물론입니다! ", "질문에 답하자면, ", "• ", "… "])
    return _replaced(rows, rng, 0.4, lambda answer: start + answer)


def _replaced(
    rows: list[Example], rng: random.Random, share: float, change: Callable[[str], str | None]
) -> tuple[list[Example], set[str]]:
    changed: dict[str, Example] = {}
    for row in rng.sample(rows, len(rows)):
        if len(changed) < share * len(rows) and (answer := change(answer_of(row))) is not None:
            changed[row.id] = replace(row, completion=[{"role": "assistant", "content": answer}])
    return [changed.get(row.id, row) for row in rows], set(changed)


ROW_CORRUPTIONS = {"speech_levels": speech_levels, "answer_starts": answer_starts}
