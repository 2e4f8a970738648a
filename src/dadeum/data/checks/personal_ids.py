"""No registration number, card, account, passport or licence of a person."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Span
from dadeum.core.personal import find_ids
from dadeum.data.checks._kinds import judge_kinds
from dadeum.data.context import Context

CODE = "PI101"
NAME = "personal_ids"
PARTS = "all"

MINOR = frozenset({"business"})
"""사업자등록번호 stands on every receipt: a company's, and public."""


def find(text: str) -> list[Span]:
    return find_ids(text)


def judge(context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    return judge_kinds(context, CODE, NAME, hits, num_rows, MINOR)
