"""The page of findings in a real browser: languages, filter, links, no scripts, three widths, both themes."""

from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.examples import Example
from dadeum.core.findings import Hit
from dadeum.core.messages import Message
from dadeum.data.context import Context
from dadeum.data.corpus import Corpus, FileFacts
from dadeum.data.pages.findings_page import write_findings_page

HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">\u202e\u200b'


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    rows = [
        Example(
            f"대화:{number}", "대화", "", "", "환불은 어떻게 하나요?" * 8,
            [{"role": "user", "content": "환불은 어떻게 하나요?" + HOSTILE}],
            [{"role": "assistant", "content": "끊김없이이어지는답변" * 300 + HOSTILE * 20}], "",
        )
        for number in range(60)
    ]  # fmt: skip
    context = Context({"train": rows, "validation": [], "test": []}, task="chat")
    long_value = {"v": "x" * 400}
    findings = [
        *context.finding("DA102", "empty_field", "block", [Hit(row) for row in range(40)], {"problems": HOSTILE}),
        *context.finding("KO305", "invisible", "warn", [Hit(row, "user.1", 11, 40) for row in range(60)], long_value),
        *context.finding("KO901", "made_up", "info", [Hit(9, "assistant.2", 2000, 2100, {"like_text": "가" * 999})]),
    ]
    facts = FileFacts(
        "대화", "아주/긴/폴더/" * 12 + "대화.jsonl", "messages", "jsonl", "utf-8", "", 60, 0, {"messages": "messages"},
        "끊김없이" * 200, rows[0],
    )  # fmt: skip
    corpus = Corpus("chat", context.splits, [facts], notes=[Message("page.units.rows", {"num": 60})])
    path = tmp_path_factory.mktemp("page") / "findings.html"
    write_findings_page(path, context, findings, corpus=corpus, verdict="unusable", seconds=3.0, title="대화")
    return path.as_uri()


def test_the_switch_shows_one_language_everywhere(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    assert page.locator(".headline [lang=ko]").is_visible()
    assert page.get_by_placeholder("찾은 것에서 검색").is_visible()
    page.get_by_role("button", name="English").click()
    assert page.locator(".headline [lang=en]").is_visible()
    assert not page.locator(".headline [lang=ko]").is_visible()
    assert page.get_by_placeholder("Search the findings").is_visible()
    assert page.title() == "대화 · Data diagnosis"
    page.reload()
    assert page.locator(".headline [lang=en]").is_visible()
    page.close()


def test_the_filter_hides_line_section_and_link(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.get_by_role("searchbox").fill("made_up")
    assert [page.locator(f"#{code}").is_visible() for code in ("DA102", "KO305", "KO901")] == [False, False, True]
    assert page.locator("tr[data-of]:visible").count() == page.locator(".inner li:visible").count() == 1
    page.get_by_role("searchbox").fill("이런 말은 없다")
    assert page.get_by_text("맞는 것이 없습니다.").is_visible()
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="차단 1").click()
    assert not page.locator("#DA102").is_visible()
    assert page.locator("#KO305").is_visible()
    page.close()


def test_the_keyboard_leads_from_the_table_to_the_rows(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(address)
    page.locator("tr[data-of=KO305] a").focus()
    page.keyboard.press("Enter")
    from playwright.sync_api import expect

    expect(page.locator("#KO305 h3")).to_be_in_viewport()
    folded = page.locator("#KO305 details")
    assert folded.get_attribute("open") is None
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#KO305 li:visible").count() == 30
    page.close()


def test_without_scripts_it_is_korean_and_all_is_open(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    assert page.locator(".headline [lang=ko]").is_visible()
    assert page.locator("#DA102 li:visible").count() == 30
    assert not page.locator(".filter").is_visible()
    assert not page.locator(".switch").is_visible()
    assert page.locator(".copy button:visible").count() == 0
    context.close()


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_nothing_is_requested_nothing_runs_and_nothing_overflows(browser: Any, address: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.title() == "대화 · 데이터 진단"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_text_stays_readable_in_both_themes(browser: Any, address: str) -> None:
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for selector in (".headline", ".note", ".tally dd", ".part b", ".chip", ".badge", ".left-out", "mark"):
            ink = page.evaluate("s => getComputedStyle(document.querySelector(s)).color", selector)
            ground = page.evaluate("getComputedStyle(document.querySelector('mark')).backgroundColor")
            assert contrast(ink, ground if selector == "mark" else paper) >= 4.5, f"{selector} in {scheme}"
        context.close()


def contrast(first: str, second: str) -> float:
    """WCAG 2.2 contrast ratio of two `rgb(r, g, b)` colours."""
    dark, light = sorted(luminance(colour) for colour in (first, second))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(part) / 255 for part in colour[4:-1].split(","))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
