from __future__ import annotations

from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.data.check import run_checks
from dadeum.data.context import Context


def rows(*answers: str) -> Context:
    examples = [
        Example(
            f"chat:{number}", "chat", "chat", "", "연락처를 알려 줘", [{"role": "user", "content": "연락처를 알려 줘"}],
            [{"role": "assistant", "content": answer}], "",
        )
        for number, answer in enumerate(answers)
    ]  # fmt: skip
    return Context({"train": examples}, "chat")


def findings(*answers: str) -> dict[str, Finding]:
    return {found.name: found for found in run_checks(rows(*answers), only=["personal_ids", "personal_contacts"])}


def test_people_are_a_warning_and_offices_are_worth_knowing() -> None:
    found = findings("010-3827-4419로 전화 주세요.", "02-382-4419는 사무실 번호입니다.", "없습니다.")
    contacts = found["personal_contacts"]
    assert (contacts.severity, contacts.count, contacts.total) == ("warn", 1, 3)
    assert (contacts.values["kinds"], contacts.values["others"]) == ("phone 1", "landline 1")
    only_office = findings("02-382-4419는 사무실 번호입니다.", "없습니다.")["personal_contacts"]
    assert (only_office.severity, only_office.count) == ("info", 1)


def test_the_place_is_marked_and_the_number_is_not_in_the_facts() -> None:
    row = findings("여권번호는 M47382915입니다.")["personal_ids"].rows[0]
    start, end = row["mark"]
    assert row["text"][start:end] == "M47382915"
    assert row["found"] == "passport"


def test_a_companys_number_is_no_persons() -> None:
    found = findings("사업자등록번호 124-81-00998")
    assert (found["personal_ids"].severity, found["personal_ids"].values["kinds"]) == ("info", "business 1")


def test_clean_rows_are_left_alone() -> None:
    assert findings("1588-1234로 2024-03-01까지 신청하세요.", "값은 1,234,567원입니다.") == {}
