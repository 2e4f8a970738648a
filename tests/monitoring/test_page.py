"""The whole of `health`, its page and its words: a drift that was planted on day ten is found, named and drawn."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dadeum.core.messages import LANGUAGES
from dadeum.monitoring import words
from dadeum.monitoring.drift import bins_of, named
from dadeum.monitoring.page import write_health
from dadeum.monitoring.reference import Feature, Reference, reference_of
from dadeum.monitoring.summary import Health, health
from tests.monitoring.traffic import UNTIL, VERSION, ListStore, entry, opinions, two_weeks


def trained(version: str | None = VERSION) -> Reference:
    random = np.random.default_rng(5)

    def feature(values: Any, source: str) -> Feature:
        return Feature(histogram=bins_of([float(value) for value in values]), source=source)

    return Reference(
        name="mail", version=version, folder="runs/mail", task="decide", made=datetime.now(UTC), inputs="",
        features={
            "input_characters": feature(random.lognormal(3.6, 0.45, 2000).astype(int), "train"),
            "prompt_tokens": feature(60 + random.lognormal(2.9, 0.45, 2000).astype(int), "train"),
            "confidence": feature(random.beta(14, 1.5, 400), "test"),
            "label": Feature(histogram=named(Counter(BLOCK=160, ALLOW=240)), source="test"),
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def drifted() -> Health:
    entries = two_weeks(5000)
    return health(ListStore(entries, opinions(entries)), UNTIL - timedelta(days=14), UNTIL, UTC, [trained()])


@pytest.fixture(scope="module")
def calm() -> Health:
    entries = two_weeks(5000, drift_on=None)
    return health(ListStore(entries), UNTIL - timedelta(days=14), UNTIL, UTC, [trained()])


# -- what is found --------------------------------------------------------------------------------
def test_a_planted_drift_is_found_on_its_day(drifted: Health) -> None:
    tenth = UNTIL - timedelta(days=5)
    assert {each.feature for same in drifted.alarms for each in same} == {
        "input_characters", "prompt_tokens", "confidence", "label",
    }  # fmt: skip
    began = [each.since for same in drifted.alarms for each in same if each.feature != "label"]
    assert set(began) == {tenth}
    for each in drifted.drift:
        before = [step.compared.verdict for step in each.steps if step.start < tenth]
        assert "shifted" not in before


def test_without_one_nothing_rings(calm: Health) -> None:
    assert calm.alarms == []
    verdicts = {step.compared.verdict for each in calm.drift for step in each.steps}
    assert "stable" in verdicts
    assert "shifted" not in verdicts
    assert words.conclusion(calm).en.startswith("No alarm.")


def test_a_week_is_compared_with_the_same_days_before(drifted: Health) -> None:
    [each] = [one for one in drifted.drift if (one.feature, one.against) == ("input_characters", "week")]
    first_week, second_week = each.steps[:7], each.steps[7:]
    assert all(step.compared.num_before == 0 for step in first_week)
    # Each day has the day a week before on its other side.
    assert [step.compared.num_before for step in second_week] == [step.compared.num for step in first_week]


def test_quiet_services_are_judged_in_longer_windows() -> None:
    entries = two_weeks(560, drift_on=None)
    found = health(ListStore(entries), UNTIL - timedelta(days=14), UNTIL, UTC, [trained()])
    [each] = [one for one in found.drift if (one.feature, one.against) == ("input_characters", "training")]
    assert 3 <= len(each.steps) <= 6
    assert all(step.compared.num >= 100 for step in each.steps[:-1])
    assert each.steps[0].end - each.steps[0].start >= timedelta(days=2)


def test_too_little_traffic_is_said_and_not_judged() -> None:
    entries = [entry(number, UNTIL - timedelta(hours=number + 1)) for number in range(40)]
    found = health(ListStore(entries), UNTIL - timedelta(days=7), UNTIL, UTC, [trained()])
    assert found.alarms == []
    assert "100" in words.conclusion(found).en


def test_another_version_is_not_compared_but_named() -> None:
    entries = two_weeks(300, drift_on=None)
    found = health(ListStore(entries), UNTIL - timedelta(days=7), UNTIL, UTC, [trained("mail@ffffffffffff")])
    assert [notice.key for notice in found.notices] == ["monitoring.notices.other_version"]
    assert {each.against for each in found.drift} == {"week"}
    by_name = health(ListStore(entries), UNTIL - timedelta(days=7), UNTIL, UTC, [trained(None)])
    assert "training" in {each.against for each in by_name.drift}


# -- the page -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def page(drifted: Health, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_health(drifted, tmp_path_factory.mktemp("health"))


def test_the_page_loads_nothing_and_says_both_languages(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert "달라진 것이 4가지 있습니다." in html
    assert "Things that have changed: 4." in html
    assert html.count("<svg") > 12
    assert "http://" not in html
    assert "https://" not in html


def test_the_json_is_what_was_found(page: Path, drifted: Health) -> None:
    told = json.loads(page.with_name("health.json").read_text(encoding="utf-8"))
    assert Health.model_validate(told) == drifted
    assert told["total"]["num"] == 5000


def test_every_chart_has_its_words(page: Path, browser: Any) -> None:
    shown = browser.new_page()
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(message.text))
    shown.goto(page.as_uri())
    charts = shown.locator("svg[role=img]")
    for place in range(charts.count()):
        label = charts.nth(place).get_attribute("aria-labelledby")
        assert shown.locator(f"[id='{label}']").count() == 1, label
    assert shown.locator(".alarms .alarm").count() == 4
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.set_viewport_size({"width": 390, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wrong == []
    shown.close()


def test_names_from_requests_are_text(tmp_path: Path) -> None:
    evil = '<img src=x onerror="document.title=1">'
    entries = [entry(n, UNTIL - timedelta(hours=n + 1), version=evil, label=evil, variant=evil) for n in range(30)]
    html = write_health(health(ListStore(entries), UNTIL - timedelta(days=7), UNTIL, UTC), tmp_path).read_text()
    assert "<img" not in html
    assert "&lt;img" in html


def test_sentences_have_no_holes(drifted: Health, calm: Health) -> None:
    for found in (drifted, calm):
        lines = [*words.sentences(found), *words.cautions(found), words.conclusion(found)]
        lines += [words.alarm(same, found, words.zone_of(found)) for same in found.alarms]
        for language in LANGUAGES:
            assert [line for line in (each.get(language) for each in lines) if "{" in line or "None" in line] == []


# -- the reference --------------------------------------------------------------------------------
@pytest.fixture
def run_folder(tmp_path: Path, tiny_llama: Path) -> Path:
    import pyarrow.parquet as pq

    from dadeum.core.examples import Example, to_table
    from dadeum.core.run import Run, write_jsonl
    from dadeum.tasks.decide import plain_text, prompt
    from tests.tiny import decide_recipe

    recipe = decide_recipe(tiny_llama)
    run = Run.create(recipe, tmp_path / "run")
    rows = []
    for number in range(40):
        fields = {name: "가" * (number + 1) for name in recipe.task.input_fields[:1]}
        label = recipe.task.labels[number % 2]
        rows.append(
            Example(f"a:{number}", "a", "a", f"a:{number}", plain_text(recipe.task, fields),
                    prompt(recipe.task, fields), [{"role": "assistant", "content": label}], label)
        )  # fmt: skip
    run.split_path("train").parent.mkdir(parents=True)
    pq.write_table(to_table(rows), run.split_path("train"))
    said = recipe.task.labels[0]
    write_jsonl(run.samples_path, [{"predicted": said, "confidence": number / 40} for number in range(40)])
    return run.folder


def test_a_run_is_read_once_and_again_when_it_changes(run_folder: Path) -> None:
    found = reference_of(run_folder)
    assert set(found.features) == {"input_characters", "prompt_tokens", "confidence", "label"}
    assert found.features["input_characters"].histogram.edges == [4, 8, 12, 16, 20, 24, 28, 32, 36]
    assert found.features["label"].source == "test"
    assert found.version is None
    assert (run_folder / "monitoring/reference.json").exists()
    assert reference_of(run_folder).made == found.made
    (run_folder / "evaluation/samples.jsonl").unlink()
    again = reference_of(run_folder)
    assert again.made != found.made
    assert again.features["label"].source == "train"
    assert [notice.key for notice in again.notices] == ["monitoring.notices.no_samples"]


def test_a_damaged_reference_is_made_anew(run_folder: Path) -> None:
    found = reference_of(run_folder)
    (run_folder / "monitoring/reference.json").write_text("{", encoding="utf-8")
    assert reference_of(run_folder).features == found.features
