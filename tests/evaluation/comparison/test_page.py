from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.run import Run
from dadeum.evaluation.comparison.page import write_comparison
from dadeum.evaluation.comparison.several import compare_runs
from tests.evaluation.comparison.made import columns, written_run

HOSTILE = '<img src=x onerror="document.title=1">|*'


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    systems = {"lead": columns(0.12, seed=9)}
    return [
        written_run(tmp_path / "약한 실행", columns(0.1, seed=1), systems, seconds=None, training=None),
        written_run(tmp_path / HOSTILE.replace("/", ""), columns(0.3, seed=2), systems),
        written_run(tmp_path / "other", columns(0.301, seed=3), systems, generation={"beams": 4, "no_repeat_ngram": 3}),
    ]


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_the_spreadsheet_has_plain_numbers_and_empty_cells(runs: list[Run], tmp_path: Path) -> None:
    found = compare_runs(runs)
    write_comparison(found, tmp_path / "out")
    assert (tmp_path / "out" / "comparison.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read_csv(tmp_path / "out" / "comparison.csv")
    assert [row["kind"] for row in rows] == ["run", "run", "run", "baseline"]
    by_name = {row["name"]: row for row in rows}
    weak = by_name["약한 실행"]
    assert (weak["peak_memory_mb"], weak["seconds_per_row"], weak["standing"]) == ("", "", "worse")
    assert float(weak["content_rouge_l"]) == pytest.approx(found.entrants[0].figures["content_rouge_l"].value, abs=1e-6)
    assert float(weak["difference_high"]) < 0
    assert float(weak["p_holm"]) < 0.05
    assert sum(int(row["chosen"] or 0) for row in rows) == 1
    assert by_name["other"]["generation.beams"] == "4"
    assert rows[-1]["content_rouge_l"] != ""


def test_markdown_keeps_its_tables_whatever_names_hold(runs: list[Run], tmp_path: Path) -> None:
    write_comparison(compare_runs(runs), tmp_path / "out")
    markdown = (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")
    assert "<img" not in markdown
    tables = [block.splitlines() for block in markdown.split("\n\n") if block.lstrip().startswith("|")]
    assert [len(table) for table in tables] == [6, 6, 5]  # head, rule, rows; baselines write no answers
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "재지 않음" in markdown
    assert " 0.00 GiB" not in markdown


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_in_both_languages_and_loads_nothing(
    browser: Any, runs: list[Run], tmp_path: Path, width: int
) -> None:
    path = write_comparison(compare_runs(runs), tmp_path / "out")
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    assert page.locator("#heading-runs [lang=ko]").is_visible()
    page.get_by_role("button", name="English").click()
    assert page.locator("#heading-runs [lang=en]").is_visible()
    assert page.locator("table.comparison").count() == 3
    assert page.locator("#runs tr.chosen").count() == 1
    assert page.locator("#runs tr.worse").inner_text().count("not measured") == 4
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    page.screenshot(path=str(tmp_path / f"page-{width}.png"), full_page=True)
    context.close()
