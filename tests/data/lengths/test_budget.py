from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.examples import Example, Turn
from dadeum.core.messages import LANGUAGES, text
from dadeum.data.checks import token_budget
from dadeum.data.context import Context
from dadeum.data.lengths import budget
from dadeum.data.lengths.budget import Budget, measure_budget
from dadeum.models.load import ALIASES, resolve_base
from tests.tiny import NO_SYSTEM_TEMPLATE, save_tokenizer

ALTERNATING = (
    "{% for message in messages %}{% if loop.index0 % 2 and message['role'] == 'user' %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<{{ message['role'] }}>{{ message['content'] }}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def row(number: int, question: str, answer: str, before: list[Turn] | None = None) -> Example:
    prompt: list[Turn] = [*(before or []), {"role": "user", "content": question}]
    completion: list[Turn] = [{"role": "assistant", "content": answer}] if answer else []
    return Example(f"chat:{number}", "chat", "chat", str(number), question, prompt, completion, "")


def measure(folder: Path, rows: list[Example], limit: int = 64, template: str | None = "chatml", **more: Any) -> Budget:
    save_tokenizer(folder, **({} if template == "chatml" else {"template": template}))
    return measure_budget(rows, str(folder), limit, **more)


def said(rows: list[Example], *budgets: Budget) -> list[Any]:
    findings = token_budget.check(Context({"train": rows}, "chat", budgets=list(budgets)))
    for finding in findings:
        for language in LANGUAGES:
            values = {"count": finding.count, "total": finding.total} | finding.values
            assert str(finding.values["median"]) in text("checks.token_budget.title", language, **values)
    return findings


def test_lengths_are_those_of_the_rendered_row(tmp_path: Path) -> None:
    rows = [row(0, "회의 일정 안내드립니다", "회의록.docx"), row(1, "무료 당첨", "안내")]
    tokenizer = save_tokenizer(tmp_path)
    result = measure_budget(rows, str(tmp_path), 2048)
    whole = [
        len(tokenizer(tokenizer.apply_chat_template([*r.prompt, *r.completion], tokenize=False)).input_ids)
        for r in rows
    ]
    # ChatML ends an answer with its end token and a line break; the line break carries no loss and is not counted.
    assert (result.longest, result.median) == (max(whole) - 1, min(whole) - 1)
    assert (result.format, result.num_rows, result.num_total, result.cut, result.refused) == ("chat", 2, 2, [], [])
    assert result.unknown_share == 0.0


def test_answers_that_would_be_cut_and_lost(tmp_path: Path) -> None:
    rows = [row(0, "회의", "안내"), row(1, "회의", "별빛 달빛 " * 40), row(2, "회의 일정 " * 60, "안내")]
    result = measure(tmp_path, rows, limit=64)
    assert [cut.row for cut in result.cut] == [1, 2]
    assert result.num_lost == 1
    (finding,) = said(rows, result)
    assert (finding.severity, finding.count, finding.values["cut"], finding.values["lost"]) == ("warn", 2, 2, 1)
    assert [shown["id"] for shown in finding.rows] == ["chat:1", "chat:2"]


def test_a_tokenizer_without_a_template_says_so(tmp_path: Path) -> None:
    talk: list[Turn] = [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네"}]
    rows = [row(0, "회의", "안내"), row(1, "회의", "안내", talk)]
    result = measure(tmp_path, rows, template=None)
    assert (result.format, result.refused, result.num_rows) == ("instruction", [1], 1)
    (finding,) = said(rows, result)
    assert "no chat template" in finding.values["format"]
    assert finding.values["refused"] == 1


def test_rows_that_a_template_refuses_are_counted_not_raised(tmp_path: Path) -> None:
    rows = [row(0, "회의", "안내"), row(1, "회의", "안내", [{"role": "user", "content": "저기요"}])]
    result = measure(tmp_path, rows, template=ALTERNATING)
    assert (result.refused, result.num_rows) == ([1], 1)


def test_a_template_without_a_system_role_takes_the_instruction_into_the_question(tmp_path: Path) -> None:
    rows = [row(0, "회의", "안내", [{"role": "system", "content": "짧게"}])]
    assert measure(tmp_path, rows, template=NO_SYSTEM_TEMPLATE).refused == []


def test_tokens_per_eojeol_by_hand(tmp_path: Path) -> None:
    rows = [row(0, "xx yy", "zz")]
    tokenizer = save_tokenizer(tmp_path)
    num_tokens = sum(len(tokenizer(part, add_special_tokens=False).input_ids) for part in ("xx yy", "zz"))
    assert measure_budget(rows, str(tmp_path)).tokens_per_eojeol == pytest.approx(num_tokens / 3)


def test_large_sets_are_sampled_unless_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_ROWS", 10)
    rows = [row(number, f"회의 {number}", "안내") for number in range(30)]
    sampled = measure(tmp_path, rows)
    assert (sampled.num_rows, sampled.num_total) == (10, 30)
    assert measure_budget(rows, str(tmp_path), full=True).num_rows == 30
    (finding,) = said(rows, sampled)
    assert (finding.values["looked"], finding.values["rows"]) == (10, 30)


def test_every_tokenizer_gets_its_answer_and_nobody_asked_is_silence(tmp_path: Path) -> None:
    rows = [row(0, "회의", "안내")]
    result = measure(tmp_path, rows)
    assert len(said(rows, result, result)) == 2
    assert said(rows) == []
    assert said([], measure_budget([], str(tmp_path))) == []


def test_bare_texts_are_measured_as_they_are(tmp_path: Path) -> None:
    text_row = Example("text:0", "text", "text", "0", "회의 일정", [], [], "")
    result = measure(tmp_path, [text_row])
    tokenizer = save_tokenizer(tmp_path)
    assert result.longest == len(tokenizer("회의 일정", add_special_tokens=False).input_ids)


def test_an_english_model_falls_into_bytes_on_korean() -> None:
    from importlib.util import find_spec

    alias = "smollm2-135m"
    if find_spec(ALIASES[alias].module) is None:
        pytest.skip(f"{ALIASES[alias].requirement} is not installed")
    resolve_base(alias)
    rows = [row(0, "도서관은 몇 시에 문을 여나요?", "평일에는 아침 아홉 시에 엽니다.")]
    (finding,) = said(rows, measure_budget(rows, alias))
    assert (finding.severity, finding.values["cut"]) == ("warn", 0)
    assert finding.values["tokens_per_eojeol"] > token_budget.MAX_TOKENS_PER_EOJEOL
