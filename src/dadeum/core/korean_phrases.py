"""Stock phrases that are known beforehand: warnings, "as an AI", openings, closing lines, refusals.

Data checks look for them in answers to learn from, the start-pattern doctor in answers that a model wrote.
"""

from __future__ import annotations

import re

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
        r"^(?:물론(?:입니다|이죠|이지요|이에요)|당연하죠|당연합니다)[.!,]",
        r"^(?:네|예|그럼요)[,.!]? ?(?:(?:그럼요|네)[,.!]? ?)?(?:물론|당연하죠|당연합니다|좋은 (?:질문|지적))",
        r"^(?:(?:네|예)[,.!]? ?|[가-힣A-Za-z0-9 ]{1,30}에 (?:대해|관해)서? )(?:바로 |자세히 |간단히 |쉽게 )?"
        r"(?:알려|설명해|안내해|말씀|답변해?|답해) ?드(?:리겠습니다|릴게요)[.!]",
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
    "당연|드리겠|드릴게|좋은 지적|도움이|궁금|언제든|추가|좋은 하루|죄송|미안"
)
"""One of these is in every listed phrase: quicker to look for."""


def listed_phrase(answer: str) -> tuple[int, int, str] | None:
    """(start, end, kind) of the first phrase of LISTED; None when there is none."""
    if _CUE.search(answer) is None:
        return None
    found = [
        (match.start(), match.end(), kind) for kind, pattern in _LISTED.items() if (match := pattern.search(answer))
    ]
    return min(found, default=None)
