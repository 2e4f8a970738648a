"""`dadeum monitor` through the real command line: a log that a gateway wrote, an alarm that is an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dadeum.gateway.settings import Settings
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.gateway.store.log import SqlStore
from tests.monitoring.traffic import UNTIL, opinions, two_weeks

Dadeum = Callable[..., tuple[int, str, str]]


def write_log(path: Path, entries: list[Entry], said: list[Feedback]) -> str:
    """As a gateway writes it; the made-up fortnight ends now."""
    url = f"sqlite:///{path}"
    later = datetime.now(UTC) - UNTIL - timedelta(minutes=1)
    store = SqlStore(Settings(database=url, keep_days=365))
    # One commit for all: a commit each is the writer's own test.
    from dadeum.gateway.store import tables

    with store._engine.begin() as connection:
        moved = [replace(entry, time=entry.time + later) for entry in entries]
        connection.execute(tables.requests.insert(), [tables.row_of(each) for each in moved])
        if said:
            connection.execute(tables.feedback.insert(), [tables.row_of(each) for each in said])
    store.close()
    return url


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "220")
    return tmp_path


def test_a_drift_is_an_exit_code_a_page_and_figures(desk: Path, dadeum: Dadeum) -> None:
    entries = two_weeks(4000)
    url = write_log(desk / "log.db", entries, opinions(entries, 0.1))
    options = ["--database", url, "--out", "health", "--json", "figures.json", "--export-preferences", "next"]
    code, out, err = dadeum("monitor", *options)
    assert (code, err) == (1, "")
    assert "가동률" in out
    assert "입력 길이 (글자): 지난주와 다릅니다." in out
    assert "health/health.html" in out
    told = json.loads((desk / "figures.json").read_text(encoding="utf-8"))
    assert told == json.loads((desk / "health/health.json").read_text(encoding="utf-8"))
    assert told["total"]["num"] == pytest.approx(2000, abs=150)
    assert told["feedback"]["calibration"]["num"] > 50
    # Contents were not kept: what feedback cannot become is said.
    assert not list(desk.glob("next/*.jsonl"))
    assert "keep_content" in out


def test_calm_traffic_is_exit_code_0_in_both_languages(
    desk: Path, dadeum: Dadeum, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = write_log(desk / "log.db", two_weeks(2000, drift_on=None), [])
    code, out, _ = dadeum("monitor", "--database", url, "--since", "3d")
    assert code == 0
    assert "경보가 없습니다." in out
    assert len(list((desk / "runs/monitor").glob("*/health.html"))) == 1
    monkeypatch.setenv("DADEUM_LANG", "en")
    code, out, _ = dadeum("monitor", "--database", url, "--since", "3d", "--out", "again")
    assert (code, "No alarm." in out) == (0, True)


def test_nothing_to_look_at_is_a_sentence(desk: Path, dadeum: Dadeum) -> None:
    url = write_log(desk / "log.db", two_weeks(10), [])
    for options, exit_code, said in (
        (["--database", url, "--since", "0d"], 2, "--since 0d"),
        (["--database", url, "--since", "soon"], 2, "soon"),
        (["--database", url, "--since", "2999-01-01"], 2, "2999-01-01"),
        (["--database", "sqlite:///nowhere.db"], 2, "nowhere.db"),
        (["--database", url, "--run", "missing"], 2, "missing"),
    ):
        code, out, err = dadeum("monitor", *options)
        assert (code, said in out + err, "Traceback" in err) == (exit_code, True, False), out + err
    empty = write_log(desk / "empty.db", two_weeks(1), [])
    code, out, _ = dadeum("monitor", "--database", empty, "--since", "1h", "--json", "empty.json")
    assert (code, "요청이 없습니다" in out) == (0, True)
    assert json.loads((desk / "empty.json").read_text(encoding="utf-8"))["total"]["num"] == 0
    assert not (desk / "nowhere.db").exists()
    assert not (desk / "runs").exists()
