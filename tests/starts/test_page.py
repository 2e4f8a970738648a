from __future__ import annotations

import json
from pathlib import Path

import pytest

from dadeum.core.measured import Measured, Notice
from dadeum.starts.examine import Limits, examine
from dadeum.starts.page import write_starts
from dadeum.starts.result import Starts
from dadeum.starts.verdict import RULES
from dadeum.starts.view import view
from tests.starts.conftest import PROMPTS, WARNED, recipe_of, turns


@pytest.fixture(scope="module")
def found(warned: Path, tiny_llama: Path) -> Starts:
    limits = Limits(answers=6, max_new_tokens=24)
    return examine(recipe_of(tiny_llama), warned, turns(PROMPTS), taught=WARNED, limits=limits)


def test_the_ten_likeliest_tokens_and_the_questions_of_the_answers_are_kept(found):
    likeliest = found.model.first.likeliest
    assert len(likeliest) == 10
    assert likeliest[0].token == found.model.first.top
    assert likeliest[0].probability == pytest.approx(found.model.first.top_probability)
    assert [one.probability for one in likeliest] == sorted((one.probability for one in likeliest), reverse=True)
    # Six of 21 questions, evenly; the first five of them are shown.
    assert found.questions == [PROMPTS[place * 21 // 6] for place in range(5)]
    assert found.model.answers.shown == ["참고용으로만."] * 5


def test_the_view_has_the_model_its_base_and_the_training_answers_beside_each_limit(found):
    shown = view(found)
    assert shown["state"] == "collapsed"
    assert [column.en for column in shown["columns"]] == ["This model", "Untuned model", "Training answers"]
    rows = {row.name.en: row for part in shown["rows"].values() for row in part}
    phrases = rows["Begin with a stock phrase"]
    assert phrases.state == "collapsed"
    assert phrases.cells[0] == "100%"
    assert phrases.limits.en == "at risk 5%, collapsed 50%"
    assert len(phrases.cells) == 3
    assert all(len(row.cells) == 3 for row in rows.values())
    assert shown["cause"] is not None
    assert [len(side["bars"]) for side in shown["tokens"]] == [10, 10]
    assert shown["tokens"][0]["bars"][0]["width"] == "1.000"


def test_what_is_hardly_there_is_neither_nothing_nor_a_row_of_noughts_and_long_questions_are_begun(found):
    first = found.model.first.model_copy(update={"ends": Measured(value=3e-7, low=1e-7, high=5e-7)})
    shown = view(
        found.model_copy(
            update={"model": found.model.model_copy(update={"first": first}), "questions": ["가나 " * 100] * 5}
        )
    )
    row = next(row for row in shown["rows"]["first"] if row.name.en == "Probability of an end token first")
    assert row.cells[0] == "&lt;0.01%"
    assert len(shown["answers"][0]["question"]) <= 161


def test_every_threshold_stands_in_the_table(found):
    limits = {row.limits.en for part in view(found)["rows"].values() for row in part}
    for rule in RULES:
        if rule.signal != "independence":
            assert any(f"{100 * rule.at_risk:.0f}%" in one for one in limits), rule.signal
    assert any("0.05 bits" in one for one in limits)


def test_the_page_says_it_in_both_languages_loads_nothing_and_escapes_what_models_write(found, tmp_path):
    answers = found.model.answers.model_copy(
        update={"shown": ["<script>alert(1)</script>", "", "가\u200b나", "라", "마"]}
    )
    hostile = found.model_copy(
        update={
            "model": found.model.model_copy(update={"answers": answers}),
            "questions": ["<img src=x>", *found.questions[1:]],
        }
    )
    told = [Notice(key="starts.prompts.shipped", values={"num": 72})]
    page = write_starts(hostile, tmp_path / "out", "smollm2-135m", "runs/a/adapter", told)
    html = page.read_text(encoding="utf-8")
    assert "시작이 무너졌습니다." in html and "Collapsed." in html
    assert "<script>alert" not in html and "<img src=x" not in html
    assert "U+200B" in html
    assert "(빈 답)" in html
    assert "dadeum's own 72" in html or "dadeum&#x27;s own 72" in html
    for outside in ("http://", "https://", "src="):
        assert outside not in html.replace("&lt;img src=x&gt;", "")
    stored = json.loads((tmp_path / "out" / "starts.json").read_text(encoding="utf-8"))
    assert Starts.model_validate(stored) == hostile


def test_an_examination_of_an_older_version_without_tokens_and_questions_is_shown(found, tmp_path):
    first = found.model.first.model_copy(update={"likeliest": []})
    bare = found.model_copy(
        update={"model": found.model.model_copy(update={"first": first}), "base": None, "base_verdict": None}
        | {"questions": [], "divergence": None, "taught": None, "level_drift": None}
    )
    shown = view(bare)
    assert shown["tokens"] == shown["answers"] == []
    assert write_starts(bare, tmp_path, "m", "").is_file()


def test_the_page_can_be_read_in_a_browser_in_either_language(found, tmp_path, browser):
    page = write_starts(found, tmp_path, "m", "a")
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"file://{page}")
    assert opened.locator(".headline").inner_text() == "시작이 무너졌습니다."
    opened.get_by_role("button", name="English").click()
    assert opened.locator(".headline").inner_text() == "Collapsed."
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    assert errors == []
    opened.close()
