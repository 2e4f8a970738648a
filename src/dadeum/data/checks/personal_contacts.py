"""No way to a person: mobile phone, e-mail, the address of a flat, a name before 님."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Span
from dadeum.core.personal import find_contacts
from dadeum.data.checks._kinds import judge_kinds
from dadeum.data.context import Context

CODE = "PI102"
NAME = "personal_contacts"
PARTS = "all"

MINOR = frozenset({"landline", "street", "role_email", "example_email", "example_phone", "example_name", "name_ssi"})
"""Offices and examples: of 280 landlines and 19 street addresses in public welfare texts, not one is a person's."""


def find(text: str) -> list[Span]:
    return find_contacts(text)


def judge(context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    return judge_kinds(context, CODE, NAME, hits, num_rows, MINOR)
