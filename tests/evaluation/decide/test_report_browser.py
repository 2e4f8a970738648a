"""The report in a real browser: what a reader sees, with and without scripts, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.report import write_report

MakeRun = Callable[..., tuple[Recipe, Run]]
HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">'


def test_the_switch_shows_one_language_and_is_remembered(browser: Any, make_run: MakeRun) -> None:
    path = write_report(*make_run(num_test=40))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    korean, english = page.locator("#heading-verdict [lang=ko]"), page.locator("#heading-verdict [lang=en]")
    assert korean.is_visible()
    assert not english.is_visible()
    page.get_by_role("button", name="English").click()
    assert english.is_visible()
    assert not korean.is_visible()
    assert page.title() == "spam-agent · Run report"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.url.endswith("#lang=en")
    page.reload()
    assert english.is_visible()
    context.close()


def test_the_language_can_be_asked_for_in_the_address(browser: Any, make_run: MakeRun) -> None:
    path = write_report(*make_run(num_test=40))
    page = browser.new_page()
    page.goto(path.as_uri() + "#lang=en")
    assert page.locator("#heading-cost [lang=en]").is_visible()
    page.close()


def test_charts_are_named_in_the_language_shown(browser: Any, make_run: MakeRun) -> None:
    path = write_report(*make_run(num_test=40))
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.get_by_role("img", name="최적화 단계에 따른 손실 (낮을수록 좋음)", exact=True).count() == 1
    page.get_by_role("button", name="English").click()
    assert page.get_by_role("img", name="Loss over optimizer steps (lower is better)", exact=True).count() == 1
    page.close()


def test_without_scripts_it_is_korean_and_has_no_dead_button(browser: Any, make_run: MakeRun) -> None:
    path = write_report(*make_run(num_test=40))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#heading-verdict [lang=ko]").is_visible()
    assert not page.locator("#heading-verdict [lang=en]").is_visible()
    assert not page.locator(".switch").is_visible()
    context.close()


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_nothing_is_requested_nothing_runs_and_nothing_overflows(browser: Any, make_run: MakeRun, width: int) -> None:
    labels = tuple(f"아주 긴 라벨 이름 {index}" for index in range(10))
    path = write_report(*make_run(num_test=40, labels=labels, subject=HOSTILE + "끊김없이이어지는제목" * 20))
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.title() == "spam-agent · 실행 보고서"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_text_stays_readable_in_the_dark(browser: Any, make_run: MakeRun) -> None:
    path = write_report(*make_run(num_test=40))
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(path.as_uri())
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        for selector in (
            "body",
            ".note",
            "a",
            ".gates .failed strong",
            ".figure-row.after .big",
            "table.confusion td.s0",
        ):
            ink = page.evaluate("s => getComputedStyle(document.querySelector(s)).color", selector)
            assert contrast(ink, paper) >= 4.5, f"{selector} in {scheme}"
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
