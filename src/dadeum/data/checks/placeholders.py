"""No form that nobody filled in: {name}, {{이름}}, lorem ipsum, "[여기에 이름 입력]". A model writes them so.

[이름] and ○○ in an answer may be meant (a letter to fill in, a name left out), so they alone are only worth knowing.
"""

from __future__ import annotations

import re

from dadeum.core.findings import Finding, Hit, Span
from dadeum.data.checks._kinds import judge_kinds
from dadeum.data.context import Context
from dadeum.data.texts.code_spans import blank_code

CODE = "DA117"
NAME = "placeholders"
PARTS = "answers"

MINOR = frozenset({"slot", "circles"})
_FIELD = (
    r"(?:user|customer|client|company|product|first|last|full|your|my|input|output)?[_ ]?"
    r"(?:name|text|question|answer|response|context|topic|title|date|content|instruction|prompt|query|keyword|email)"
    r"|(?:고객|회사|상품|제품|사용자|담당자|학교|본인|상대방?|받는 ?사람|보내는 ?사람)? ?"
    r"(?:이름|성함|성명|명|날짜|제목|내용|질문|답변|주제|주소|연락처|전화번호|직책|부서|회사|학교|금액)"
)
_SLOT = r"(?:your |본인 ?|고객 ?|회사 ?|담당자 ?)?(?:name|company|이름|성함|성명|명|연락처|전화번호|직책|부서|회사명)"
"""[질문] and [제목] are headings."""
_PLACE = re.compile(
    r"(?P<lorem>\blorem ipsum\b)"
    rf"|(?P<variable>(?<![\\$\w}}])\{{\{{?\s?(?:{_FIELD})\s?\}}\}}?(?!\}}))"
    r"|(?P<fill>\[(?:여기에|이곳에)[^\[\]\n]{1,30}\]"
    r"|\[[^\[\]\n]{1,30}[을를] ?(?:입력|기입|작성|삽입)[^\[\]\n]{0,8}\]|\[insert [^\[\]\n]{1,30}\])"
    rf"|(?P<slot>\[(?:{_SLOT})\](?![(:]))"
    r"|(?P<circles>(?<![A-Za-z0-9,.])(?-i:O{2,4})(?![A-Za-z0-9])|[○◯〇]{2,4})",
    re.IGNORECASE,
)
_MAY_HAVE = re.compile(r"[{\[○◯〇]|OO|(?i:lorem)")


def find(text: str) -> list[Span]:
    """Kinds `lorem`, `variable`, `fill` (an order to fill in), `slot` ([이름]) and `circles` (OOO, ○○)."""
    if _MAY_HAVE.search(text) is None:
        return []
    return [Span(*match.span(), match.lastgroup or "") for match in _PLACE.finditer(blank_code(text))]


def judge(context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    return judge_kinds(context, CODE, NAME, hits, num_rows, MINOR)
