"""Names of people before 님 and 씨, told from job titles and roles (관리자님, 변호사님) by surname and given name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dadeum.core.findings import Span
from dadeum.core.morphemes import tokenized

SURNAMES = frozenset(
    "강경계고공곽구국권금기길김나남노도라류마맹명모문민박반방배백변봉서석선설성소손송신심안양엄여연염오옥왕용우원위유"
    "육윤은이인임장전정제조주지진차채천최추탁편표하한함허현홍황"
)
"""One-syllable surnames in use today."""
DOUBLE_SURNAMES = ("남궁", "황보", "제갈", "선우", "독고", "사공", "서문")

GIVEN = frozenset(
    "가건겸경광교구국권규균근금기길나남내녀노누다단달담대덕도동두라란람래련령례로록룡루륜률리린림마만매명모무문미민배"
    "백범별병보복봉빈사산상새서석선설섭성세소솔송수숙순슬승시식신아안애양언여연열영예오옥온완용우욱운웅원월유윤율융은"
    "을음의이익인일임자장재전점정제조종주준중지진찬창채천철청초춘충치태택표필하학한해향헌혁현협형혜호홍화환황회효후훈"
    "휘흥희"
)
"""Syllables of given names."""
NATIVE_GIVEN = frozenset({
    "가람", "가온", "가을", "겨울", "고은", "그루", "나래", "나리", "누리", "다솜", "다슬", "다운", "단비", "달님",
    "동이", "두리", "마루", "맑음", "미르", "바다", "바름", "별이", "보라", "보람", "봄이", "빛나", "사랑", "새롬",
    "새벽", "새봄", "샛별", "소라", "소리", "솔잎", "슬기", "시내", "아라", "아람", "아름", "여름", "예슬", "우람",
    "으뜸", "은빛", "이슬", "잔디", "조은", "주리", "찬솔", "초롱", "큰솔", "푸름", "하나", "하늘", "하람", "한결",
    "한나", "한별", "한빛", "한솔", "해나", "해솔", "힘찬",
})  # fmt: skip
"""Given names that are words."""
NOT_PEOPLE = frozenset({
    "강아지", "강연자", "경영인", "경영자", "경영주", "경호원", "고령자", "고소인", "고양이", "고용자", "고용주",
    "공로자", "공무원", "공연자", "공인중", "공장장", "공장주", "공학자", "구단주", "구매자", "구성원", "구원자",
    "구청장", "권리자", "금융인", "기록자", "기여자", "기자단", "노동자", "노무사", "노숙인", "노조원", "도우미",
    "도지사", "문의자", "문학자", "문화재", "민원인", "반대자", "방문자", "방송인", "방청자", "방해자", "배달원",
    "배석자", "배신자", "배우자", "변호사", "변호인", "봉사자", "서예가", "선교사", "선구자", "선도자", "선임자",
    "소대장", "소유자", "소유주", "송신자", "신청인", "신청자", "신학자", "심리사", "심사자", "안내원", "안내인",
    "안내자", "안마사", "안주인", "여교사", "여단장", "여사원", "여사장", "여의사", "여점원", "여주인", "연구원",
    "연구자", "연구진", "연대장", "연설자", "연예인", "연장자", "연주자", "왕세자", "우수자", "우승자", "원예사",
    "원주민", "위원장", "위정자", "유권자", "유단자", "유명인", "유지자", "이나라", "이사장", "이수자", "이순신",
    "이용자", "인도자", "인솔자", "인수자", "임대인", "임원진", "장애인", "장의사", "장학사", "전달자", "전담자",
    "전도사", "전문의", "전문인", "전세자", "전임의", "전임자", "정교사", "정원사", "정치인", "제보자", "제안자",
    "제조사", "제조자", "조달원", "조련사", "조리사", "조사원", "조사자", "조산원", "조언자", "조정자", "조종사",
    "주권자", "주동자", "주례자", "주인장", "주재원", "주치의", "지도원", "지도자", "지명자", "지배인", "지서장",
    "지식인", "지원자", "지점장", "지지자", "지청장", "지휘자", "채권자", "채무자", "채용자", "추천사", "추천인",
    "추천자", "편대장", "편찬자", "한국인", "한의사", "한학자", "현지인", "홍보대", "황태자",
})  # fmt: skip
"""Roles and words whose syllables would make a name."""
TITLES = frozenset({
    "간호", "감독", "검사", "고객", "고모", "공주", "과장", "교수", "국장", "권사", "기사", "기자", "누나", "대리",
    "대표", "도령", "도사", "동생", "매니", "목사", "박사", "반장", "본부", "부모", "부장", "사모", "사원", "사장",
    "삼촌", "상무", "선배", "선생", "셰프", "소장", "수녀", "순경", "스님", "신부", "실장", "약사", "어른", "언니",
    "여사", "왕자", "원장", "의원", "이모", "이사", "작가", "장군", "장로", "전무", "점장", "조교", "주임", "집사",
    "차장", "총장", "코치", "팀장", "판사", "피디", "학장", "형사", "회원", "회장", "후배",
})  # fmt: skip
"""김대리님, 박선생님: surname and title, no given name."""
EXAMPLES = frozenset(
    {"김갑돌", "김영희", "김철수", "박영희", "박철수", "아무개", "이갑순", "이영희", "이철수", "홍길동"}
)
"""Names of nobody, from textbooks and forms."""

_PARTICLES = frozenset("가과도로만와은을의이")
"""What may end a given name as well as a noun with its particle: before a free noun ("마음도 선생님께") Kiwi is asked.

Alone it would take 조정은 for 조정 + 은, so it reads the words before too. 님 and 씨 never follow a particle.
"""
_CONTEXT = 30
_UNKNOWN = 100
"""Kiwi's numbers up to here stand for words that are not in its dictionary: most names."""
_HONORIFIC = re.compile(
    r"(?:(?:고객|회원|선생)?님|씨)"
    r"(?=[^가-힣]|$|(?:께서?|에게|의|은|는|이|가|을|를|과|와|도|만|이시|입니|안녕|반갑|환영)(?:[^가-힣]|$|[가-힣]{1,3}(?:[^가-힣]|$)))"
)
_WORD_BEFORE = re.compile(r"(?:^|[^가-힣])([가-힣]{3,4})\s?$")
_MAX_BEFORE = 6
"""Characters that a name, a space and the sign before it take."""


def people(text: str) -> Iterator[Span]:
    """Names, without the honorific: `name` before 님, `name_ssi` before 씨, `example_name` such as 홍길동."""
    for honorific in _HONORIFIC.finditer(text):
        begin = max(0, honorific.start() - _MAX_BEFORE)
        before = _WORD_BEFORE.search(text[begin : honorific.start()])
        if before is None or not is_name(before[1]):
            continue
        kind = "name" if honorific[0] != "씨" else "name_ssi"
        start, end = before.span(1)
        is_apart = honorific[0] == "선생님" and before.end() > end
        if is_apart and before[1][-1] in _PARTICLES and _is_noun_with_particle(text, begin + start, begin + end):
            continue
        yield Span(begin + start, begin + end, "example_name" if before[1] in EXAMPLES else kind)


def is_name(word: str) -> bool:
    """Surname and given name of two syllables, or a double surname: two syllables alone are too often a word."""
    if word in NOT_PEOPLE or len(word) < 3:
        return False
    if word.startswith(DOUBLE_SURNAMES):
        surname, given = word[:2], word[2:]
    else:
        surname, given = word[0], word[1:]
        if surname not in SURNAMES or len(given) != 2:
            return False
    if given in TITLES or given.endswith(("님", "씨")):
        return False
    return given in NATIVE_GIVEN or all(syllable in GIVEN for syllable in given)


def _is_noun_with_particle(text: str, start: int, end: int) -> bool:
    """As in "그 마음도 선생님께": a common noun of the dictionary and what marks its part in the sentence."""
    begin = max(0, start - _CONTEXT)
    read = next(tokenized([text[begin : end + _MAX_BEFORE]]))
    words = [token for tokens in read for token in tokens if token.start < end - begin and start - begin < token.end]
    if not words:
        return False
    noun, *rest = words
    is_common = noun.tag == "NNG" and noun.id > _UNKNOWN and noun.start == start - begin and len(noun.form) > 1
    return is_common and bool(rest) and all(token.tag.startswith("J") for token in rest)
