"""Stock phrases in answers: known ones (warnings, "as an AI", closing lines), and those that a data set itself repeats.

A model that sees "정확한 판단은 전문가에게" in every tenth answer ends up writing it under everything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dadeum.core.korean import masked
from dadeum.data.texts.prose import without_code

MIN_SHARE = 0.02
"""Share of distinct answers from which a sentence is a stock phrase; in 7,779 real chat answers none has 0.3 %."""
MIN_ANSWERS = 5
"""Distinct answers that have it, in small data."""
MIN_DISTINCT = 20
"""Distinct answers below which nothing is mined."""
MIN_HANGUL = 10
"""Syllables of a stock phrase; shorter ones ("할 수 있습니다") are grammar."""
MAX_PHRASES = 50
MAX_MINED = 20_000
"""Distinct answers that phrases are mined from; they are counted in all."""

LISTED: dict[str, tuple[str, ...]] = {
    "warning": (
        r"정확한 (?:진단|판단|내용|정보|상담)[은을]? ?(?:위해|위해서는|반드시|꼭)",
        r"정확한 (?:진단|판단|내용|정보|상담)[은을]? ?[가-힣·]* ?(?:전문가|전문의|의사|수의사|변호사|의료)",
        r"(?:전문가|전문의|의사|의료진|수의사|변호사|세무사)(?:와|과|에게|의)? ?(?:상담|상의|문의|조언|진료)"
        r"[가-힣 ]{0,4}(?:하세|하시|받으|받아|바랍|바라|권[하장]|좋[습아을])",
        r"전문가에게 확인",
        r"참고용으로만",
        r"의학적 (?:조언|진단)을 대(?:체|신)",
        r"법률(?:적)? (?:조언|자문)(?:이|을|으로) (?:아니|대체|간주)",
    ),
    "identity": (
        r"(?:AI|인공지능|에이아이) ?(?:언어 ?)?(?:모델|어시스턴트|비서|챗봇)"
        r"(?:로서|으로서|이기|이므로|이라|입니다|이에요|라서)",
        r"언어 ?모델(?:로서|이기|이므로|입니다|이라)",
        r"제가 학습한 데이터",
        r"(?:실시간|최신) 정보(?:를|에) (?:제공|접근)[가-힣 ]{0,4}(?:수 없|못)",
    ),
    "opening": (
        r"좋은 질문(?:입니다|이에요|이네요|이군요)",
        r"(?:질문|문의)(?:해 ?| ?)주셔서 감사",
        r"도와 ?드리겠습니다[.!]",
        r"^(?:물론입니다|물론이죠|당연하죠)[.!,]",
    ),
    "closing": (
        r"도움이 (?:되셨|되었|됐|되시|되)(?:기를|길|으면 좋|다면 좋)",
        r"궁금(?:한|하신) (?:점|것|사항|내용|게|부분)[이가은]? ?(?:더 )?있(?:으시|으)",
        r"언제든(?:지)? (?:편하게 |편히 |다시 |주저 말고 )?(?:말씀|물어|문의|질문|연락)",
        r"추가(?:적인|로)? ?(?:질문|문의)[가-힣 ]{0,6}(?:있|언제)",
        r"좋은 하루 (?:되세요|보내세요|되시)",
    ),
    "refusal": (
        r"(?:죄송|미안)(?:하지만|합니다만|합니다[.,])[^.\n]{0,30}"
        r"(?:답변|도와|제공|수행|도움)[가-힣 ]{0,6}(?:수 없|어렵|못)",
    ),
}
"""Kind → patterns of phrases that are boilerplate in any data set."""
_LISTED = {kind: re.compile("|".join(patterns)) for kind, patterns in LISTED.items()}
_CUE = re.compile(
    "정확한|전문|의사|의료진|변호사|세무사|참고용|의학적|법률|모델|어시스턴트|비서|챗봇|학습한|정보|질문|문의|도와|물론|"
    "당연하죠|도움이|궁금|언제든|추가|좋은 하루|죄송|미안"
)
"""One of these is in every listed phrase: quicker to look for."""
_HANGUL = re.compile("[가-힣]")
_MASK = re.compile("<[가-힣]+>")
_ORIGINALS = {"<수>": r"\d[\d,.:/-]*", "<이름>": "[가-힣]{2,4}", "<메일>": r"\S+@\S+"}
_SENTENCE_END = re.compile(r"[.!?…\n]+\s*|(?<=[가-힣])\s*[~^]+\s*")
_CLAUSE_END = re.compile(r",\s+|\s[-–—:]\s")
_MARKUP = " \t*_#>-•·\"'“”‘’()[]"


@dataclass(frozen=True)
class Phrase:
    """A sentence or clause that many different answers have."""

    text: str
    """Names and numbers masked (`core.korean.masked`)."""
    count: int
    """Distinct answers that have it."""
    share: float
    """Of the distinct answers."""


def listed_phrase(answer: str) -> tuple[int, int, str] | None:
    """(start, end, kind) of the first phrase of LISTED; None when there is none."""
    if _CUE.search(answer) is None:
        return None
    found = [
        (match.start(), match.end(), kind) for kind, pattern in _LISTED.items() if (match := pattern.search(answer))
    ]
    return min(found, default=None)


def find_phrases(answers: Sequence[str]) -> list[Phrase]:
    """`mine` for answers as they are written."""
    return mine([folded(answer) for answer in dict.fromkeys(answers)])


def mine(answers: Sequence[str]) -> list[Phrase]:
    """Sentences and clauses in MIN_SHARE or more of some distinct answers (`folded`), the commonest first.

    Of a sentence and its own clause only the longer stays where nearly all have both.
    """
    if len(answers) < MIN_DISTINCT:
        return []
    mined = answers[:: max(1, len(answers) // MAX_MINED)]
    least = max(MIN_ANSWERS, MIN_SHARE * len(mined))
    counts = Counter(unit for answer in mined for unit in set(_units(answer)))
    frequent = [unit for unit, count in counts.items() if count >= least and _num_hangul(unit) >= MIN_HANGUL]
    totals = {unit: sum(unit in answer for answer in answers) for unit in frequent}
    phrases = [Phrase(unit, totals[unit], totals[unit] / len(answers)) for unit in _longest(totals)]
    return sorted(phrases, key=lambda phrase: (-phrase.count, phrase.text))[:MAX_PHRASES]


def place_of(phrase: Phrase, answer: str) -> tuple[int, int] | None:
    """Where the phrase stands in an answer as it is written; None when it does not."""
    pattern = re.escape(phrase.text).replace("\\ ", r"\s+")
    for mask, original in _ORIGINALS.items():
        pattern = pattern.replace(re.escape(mask), original)
    match = re.search(pattern, without_code(answer), re.IGNORECASE)
    return match.span() if match else None


def contains(answer: str, phrases: Iterable[Phrase]) -> bool:
    """Whether the answer has one of the phrases, whatever its names and numbers are."""
    text = folded(answer)
    return any(phrase.text in text for phrase in phrases)


def folded(answer: str) -> str:
    """The answer as phrases are compared: code away, names and numbers masked, one line per line."""
    return "\n".join(masked(line) for line in without_code(answer).split("\n"))


def _units(answer: str) -> Iterator[str]:
    """Sentences, and the clauses of those that have several."""
    for sentence in _SENTENCE_END.split(answer):
        if len(sentence) >= MIN_HANGUL:
            yield sentence.strip(_MARKUP)
            if ", " in sentence or " - " in sentence:
                for clause in _CLAUSE_END.split(sentence):
                    if len(clause) >= MIN_HANGUL:
                        yield clause.strip(_MARKUP)


def _num_hangul(unit: str) -> int:
    return len(_HANGUL.findall(_MASK.sub("", unit)))


def _longest(totals: dict[str, int]) -> list[str]:
    """Phrases without those that hardly ever stand outside a longer one."""
    kept: list[str] = []
    for unit in sorted(totals, key=len, reverse=True):
        if not any(unit in longer and totals[longer] >= 0.9 * totals[unit] for longer in kept):
            kept.append(unit)
    return kept
