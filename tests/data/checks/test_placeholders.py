"""Placeholders: what nobody filled in, and what is meant as it stands."""

from __future__ import annotations

import pytest

from dadeum.core.examples import Example
from dadeum.data.check import run_checks
from dadeum.data.checks.placeholders import find
from dadeum.data.context import Context


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{user_name}님 안녕하세요", "variable"), ("{{ 이름 }}님께", "variable"), ("lorem ipsum dolor", "lorem"),
        ("[여기에 이름 입력]", "fill"), ("[날짜를 입력하세요]까지", "fill"), ("[Insert company here]", "fill"),
        ("[이름]님께", "slot"), ("[Your Name]", "slot"), ("OO대학교 김OO", "circles"), ("○○시에서", "circles"),
        ("`{name}`처럼 씁니다", ""), ("```\n{이름}\n```", ""), ("{\"name\": 1}", ""), ("[제목](https://a.kr)", ""),
        ("\\textbf{name}", ""), ("${name}", ""), ("GOOD FOOD", ""), ("[1] 참고", ""), ("무한궤도 oo", ""),
    ],
)  # fmt: skip
def test_placeholders_by_kind(text: str, kind: str) -> None:
    assert {span.found for span in find(text)} == ({kind} if kind else set())


def test_a_form_to_fill_in_is_only_worth_knowing() -> None:
    def severity(answer: str) -> str:
        row = Example("r", "r", "r", "r", "써 줘", [{"role": "user", "content": "써 줘"}],
                      [{"role": "assistant", "content": answer}], "")  # fmt: skip
        (finding,) = run_checks(Context({"train": [row]}, "chat"), only=["placeholders"])
        return finding.severity

    assert severity("[이름]님께 드립니다.") == "info"
    assert severity("{name}님께 드립니다.") == "warn"
