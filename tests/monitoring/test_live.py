"""Experiments whose truth is known, simulated as a log of requests: verdicts, guardrails, lost users, votes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dadeum.cli_compare import app
from dadeum.core.errors import RunError
from dadeum.evaluation.comparison.votes_files import read_key
from dadeum.gateway.experiments import Experiment
from dadeum.gateway.settings import Settings
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.gateway.store.log import SqlStore
from dadeum.monitoring.live import Judged, Live, compare_live
from dadeum.monitoring.live_votes import draw_live_vote, write_live_vote
from dadeum.monitoring.live_words import sentences, verdicts
from tests.gateway.conftest import MemoryStore

START = datetime(2026, 11, 1, tzinfo=UTC)
OLD, NEW = "counsel@aaaaaaaaaaaa", "counsel@bbbbbbbbbbbb"
VERSIONS = {"champion": OLD, "challenger": NEW}


def experiment(**changes: Any) -> Experiment:
    raw = {"name": "tone", "model": "counsel", "variants": {"champion": 50, "challenger": 50}}
    wide = {"error_rate": 0.05, "cut_off": 0.05}
    return Experiment.model_validate(raw | {"guardrails": wide} | changes)


def entry(number: int, variant: str, **changes: Any) -> Entry:
    told: dict[str, Any] = {
        "request_id": f"req-{number:06d}", "time": START + timedelta(minutes=number), "route": "/v1/chat/completions",
        "key_id": "dk", "user": f"u{number}", "model": "counsel", "version": VERSIONS.get(variant, NEW), "task": "chat",
        "status": 200, "reason": "stop", "total_s": 1.0, "experiment": "tone", "variant": variant,
    }  # fmt: skip
    return Entry(**(told | changes))


def log(
    likes: dict[str, float],
    users: int = 2000,
    keep: Callable[[str, np.random.Generator], bool] = lambda variant, chance: True,
    change: Callable[[Entry, np.random.Generator], Entry] = lambda one, chance: one,
    seed: int = 1,
) -> MemoryStore:
    """Half of the users each; everybody asks once or twice and rates what he gets."""
    chance, store, number = np.random.default_rng(seed), MemoryStore(), 0
    for user in range(users):
        variant = ("champion", "challenger")[chance.integers(2)]
        for _ in range(1 + int(chance.random() < 0.3)):
            number += 1
            seconds = float(np.exp(chance.normal(0, 0.5)))
            one = change(entry(number, variant, user=f"u{user}", total_s=seconds), chance)
            if not keep(variant, chance):
                continue
            store.record(one)
            rating = "up" if chance.random() < likes[variant] else "down"
            store.said.append(Feedback(one.request_id, one.time, rating=rating))  # type: ignore[arg-type]
    return store


def judged(found: Live) -> Judged:
    (one,) = found.challengers
    return one


def test_a_better_challenger_is_promoted() -> None:
    found = compare_live(log({"champion": 0.5, "challenger": 0.65}), experiment())
    one = judged(found)
    assert (one.verdict, one.reason) == ("promote", "better")
    assert one.effect is not None and one.effect.low <= 0.15 <= one.effect.high and one.effect.low > 0
    assert {guard.name: guard.state for guard in one.guards} == {
        "latency_p95": "passed", "error_rate": "passed", "cut_off": "passed",
    }  # fmt: skip
    champion = found.variants[0]
    assert champion.users + found.variants[1].users == 2000
    assert champion.p50_s is not None and champion.p95_s is not None and champion.p99_s is not None
    assert champion.p50_s < champion.p95_s < champion.p99_s


@pytest.mark.parametrize(
    ("likes", "changes", "users", "verdict", "reason"),
    [
        ((0.6, 0.45), {}, 2000, "keep", "worse"),
        ((0.5, 0.5), {}, 2000, "collect", "unsure"),
        ((0.5, 0.5), {"worthwhile": 0.2}, 2000, "keep", "no_gain"),
        ((0.5, 0.5), {"margin": 0.15}, 2000, "promote", "not_inferior"),
        ((0.5, 0.9), {}, 120, "collect", "too_few"),
        ((0.5, 0.8), {"guardrails": {"error_rate": 0.0005}}, 600, "collect", "guard_open"),
    ],
)
def test_verdicts_and_their_reasons(
    likes: tuple[float, float], changes: dict[str, Any], users: int, verdict: str, reason: str
) -> None:
    store = log({"champion": likes[0], "challenger": likes[1]}, users)
    one = judged(compare_live(store, experiment(**changes)))
    assert (one.verdict, one.reason) == (verdict, reason)


def test_lost_users_ring_before_anything_else() -> None:
    store = log(
        {"champion": 0.5, "challenger": 0.7},
        keep=lambda variant, chance: variant == "champion" or chance.random() < 0.7,
    )
    found = compare_live(store, experiment())
    assert found.ratio.rings and judged(found).verdict == "none"
    assert any("경보" in line for line in sentences(found, "ko"))


@pytest.mark.parametrize(
    ("guard", "worse"),
    [
        ("error_rate", {"status": 500, "reason": "error"}),
        ("cut_off", {"reason": "length"}),
        ("latency_p95", {"total_s": 9.0}),
    ],
)
def test_a_better_answer_does_not_make_up_for_a_broken_guardrail(guard: str, worse: dict[str, Any]) -> None:
    def change(one: Entry, chance: np.random.Generator) -> Entry:
        return replace(one, **worse) if one.variant == "challenger" and chance.random() < 0.25 else one

    found = compare_live(log({"champion": 0.5, "challenger": 0.8}, change=change), experiment())
    one = judged(found)
    assert (one.verdict, one.reason) == ("keep", "guard_failed")
    assert [each.name for each in one.guards if each.state == "failed"] == [guard]
    assert "지킬 것" in verdicts(found, "ko")[0]


def test_a_user_counts_once_however_often_he_rates() -> None:
    """One user of the challenger rates 400 times; the others are as many as ever."""
    store = log({"champion": 0.5, "challenger": 0.5}, 800)
    before = judged(compare_live(store, experiment()))
    loud = next(one.user for one in store.written if one.variant == "challenger")
    for number in range(400):
        one = entry(10_000 + number, "challenger", user=loud)
        store.record(one)
        store.said.append(Feedback(one.request_id, one.time, rating="up"))
    found = compare_live(store, experiment())
    after = judged(found)
    assert before.effect is not None and after.effect is not None
    assert after.effect.value == pytest.approx(before.effect.value, abs=0.005)
    assert found.variants[1].requests > 800


def test_users_of_two_variants_wishes_and_shadows_do_not_count() -> None:
    store = log({"champion": 0.5, "challenger": 0.5}, 400)
    users = compare_live(store, experiment()).variants
    moved = next(one.user for one in store.written if one.variant == "champion")
    store.record(entry(20_000, "challenger", user=moved))
    store.record(entry(20_001, "", experiment=""))
    store.record(entry(20_002, "shadow", shadow_of="req-000001"))
    store.record(entry(20_003, "gone"))
    found = compare_live(store, experiment())
    assert [one.users for one in found.variants] == [users[0].users - 1, users[1].users]
    assert {notice.key for notice in found.cautions} >= {"mixed", "unknown_variants"}
    # The sample ratio counts everybody with the variant that he had first.
    assert sum(found.ratio.found.values()) == 400


def test_requests_without_a_user_are_units_of_their_own_and_it_is_said() -> None:
    store = log({"champion": 0.5, "challenger": 0.5}, 300, change=lambda one, chance: replace(one, user=""))
    found = compare_live(store, experiment())
    assert sum(one.users for one in found.variants) == len(store.written)
    assert "without_user" in {notice.key for notice in found.cautions}


def test_a_version_that_changed_on_the_way_is_no_comparison() -> None:
    store = log({"champion": 0.5, "challenger": 0.8})
    store.record(entry(30_000, "challenger", version="counsel@cccccccccccc"))
    found = compare_live(store, experiment())
    assert (judged(found).verdict, judged(found).reason) == ("none", "versions_changed")
    later = experiment(since=(START + timedelta(minutes=29_000)).isoformat())
    assert sum(one.requests for one in compare_live(store, later).variants) == 1


def test_decisions_are_judged_by_the_labels_that_came_back() -> None:
    chance, store = np.random.default_rng(3), MemoryStore()
    for number in range(1600):
        variant = ("champion", "challenger")[number % 2]
        is_right = chance.random() < {"champion": 0.75, "challenger": 0.93}[variant]
        confidence = 0.75 if variant == "champion" else 0.93
        store.record(entry(number, variant, task="decide", label="BLOCK", confidence=confidence))
        said = Feedback(f"req-{number:06d}", START, label="BLOCK" if is_right else "ALLOW")
        # Corrected: what was said last counts.
        store.said += [replace(said, label="ALLOW"), replace(said, time=START + timedelta(days=1))]
    found = compare_live(store, experiment(metric="label"))
    one = judged(found)
    assert one.verdict == "promote" and one.effect is not None and one.effect.value == pytest.approx(0.18, abs=0.04)
    assert {guard.name: guard.state for guard in one.guards}["calibration"] == "passed"
    assert found.variants[0].labels == {"BLOCK": 800}


def test_a_shorter_time_is_a_gain() -> None:
    def change(one: Entry, chance: np.random.Generator) -> Entry:
        return replace(one, total_s=one.total_s * 0.6) if one.variant == "challenger" else one

    found = compare_live(log({"champion": 0.5, "challenger": 0.5}, change=change), experiment(metric="latency"))
    one = judged(found)
    assert one.verdict == "promote" and one.effect is not None and one.effect.low > 0
    assert "초" in " ".join(sentences(found, "ko"))


def test_who_rates_more_is_told() -> None:
    store = log({"champion": 0.5, "challenger": 0.5})
    silent = {one.request_id for number, one in enumerate(store.written) if one.variant == "champion" and number % 3}
    store.said = [one for one in store.said if one.request_id not in silent]
    assert "unequal_answers" in {notice.key for notice in compare_live(store, experiment()).cautions}


@pytest.mark.parametrize("language", ["ko", "en"])
def test_everything_can_be_said_and_written(language: str) -> None:
    for store in (MemoryStore(), log({"champion": 0.5, "challenger": 0.55}, 300)):
        found = compare_live(store, experiment())
        lines = [*sentences(found, language), *verdicts(found, language)]
        assert all(lines) and len(verdicts(found, language)) == 1
        assert Live.model_validate(json.loads(found.model_dump_json())) == found
    assert judged(compare_live(MemoryStore(), experiment())).verdict == "collect"


# -- blind votes over live answers ----------------------------------------------------------------
def said(version: str, number: int) -> str:
    return "같은 답" if number == 0 else f"{version}의 답 {number}"


def with_pairs(content: bool = True) -> MemoryStore:
    store = MemoryStore()
    for number in range(30):
        variant = ("champion", "challenger")[number % 2]
        other = NEW if variant == "champion" else OLD
        kept = {"question": f"물음 {number}", "answer": said(VERSIONS[variant], number)} if content else {}
        store.record(entry(number, variant, user=f"u{number % 10}", **kept))
        unseen = {"answer": said(other, number)} if content else {}
        shadow = {"version": other, "shadow_of": f"req-{number:06d}"}
        store.record(entry(1000 + number, "shadow", **shadow, **unseen))
    return store


def test_pairs_of_shown_and_unseen_answers_become_a_blind_vote(tmp_path: Path) -> None:
    page, key_path = write_live_vote(with_pairs(), experiment(), (OLD, NEW), tmp_path / "votes.csv", number=20)
    key = read_key(key_path)
    assert (key.a, key.b, len(key.rows)) == (OLD, NEW, 20)
    assert all(row.a.startswith(OLD) and row.b.startswith(NEW) for row in key.rows)
    assert key.num_same == 1
    assert [row.left for row in key.rows].count("a") == 10
    assert len({int(row.id[-2:]) % 10 for row in key.rows[:10]}) == 10  # every user once before any twice
    handed_out = (tmp_path / "votes.csv").read_text(encoding="utf-8-sig")
    assert "물음" in handed_out and "champion" not in handed_out and page.exists()


def test_the_command_line_compares_and_makes_votes_from_a_log(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'requests.db'}"
    store = SqlStore(Settings(database=database, keep_content=True, keep_days=36500))
    for one in with_pairs().written:
        store.record(one)
    store.close()
    file = tmp_path / "experiment.yaml"
    file.write_text("name: tone\nmodel: counsel\nvariants: {champion: 1, challenger: 1}\n", encoding="utf-8")
    given = ["--database", database, "--experiment", str(file)]
    shown = CliRunner().invoke(app, ["compare", "--live", *given, "--json", str(tmp_path / "live.json")])
    assert shown.exit_code == 0, shown.output
    assert "challenger" in shown.output and json.loads((tmp_path / "live.json").read_text())["experiment"] == "tone"
    made = CliRunner().invoke(app, ["votes", "live", OLD, NEW, *given, "--out", str(tmp_path / "votes.csv")])
    assert made.exit_code == 0 and len(read_key(tmp_path / "votes.key.json").rows) == 29
    votes = (tmp_path / "votes.csv").read_text(encoding="utf-8-sig").splitlines()
    (tmp_path / "votes.csv").write_text("\n".join([votes[0], *(f"{line}left" for line in votes[1:])]), encoding="utf-8")
    ranked = CliRunner().invoke(app, ["votes", "rank", str(tmp_path / "votes.csv")])
    assert ranked.exit_code == 0 and OLD in ranked.output
    for wrong in (["compare"], ["compare", "--live"], ["compare", str(tmp_path), "--live", *given]):
        assert isinstance(CliRunner().invoke(app, wrong).exception, RunError)


def test_without_contents_there_is_nothing_to_vote_on() -> None:
    with pytest.raises(RunError) as error:
        draw_live_vote(with_pairs(content=False), experiment(), OLD, NEW)
    assert error.value.values["num"] == 30


def test_a_handful_of_users_who_all_agree_prove_nothing() -> None:
    found = compare_live(log({"champion": 1.0, "challenger": 1.0}, users=10), experiment())
    one = judged(found)
    assert one.effect is not None and one.effect.low < -0.2 and one.effect.high > 0.2
    assert one.p is not None and one.p > 0.5
    assert all(variant.value is not None and variant.value.low < 0.7 for variant in found.variants)


# -- too few, and unseen ----------------------------------------------------------------------------
def test_with_few_users_nothing_is_told_but_how_many_are_missing() -> None:
    """Four users: an interval of a share from -551 % to 618 % is no figure, and it never promotes."""
    found = compare_live(log({"champion": 0.1, "challenger": 1.0}, users=9), experiment(min_users=20))
    one = judged(found)
    assert (one.verdict, one.reason) == ("collect", "too_few")
    slow = next(guard for guard in one.guards if guard.name == "latency_p95")
    assert slow.high is not None and slow.high > 1 and slow.state == "open" and slow.too_few
    for language, few in (("en", "too few users to tell"), ("ko", "너무 적어 알 수 없습니다")):
        told = [*sentences(found, language), *verdicts(found, language)]
        assert sum(few in line for line in told) == 3, told
        assert all(0 <= float(share) <= 100 for share in re.findall(r"(-?\d+(?:\.\d+)?)%", " ".join(told))), told
        assert "20" in told[-1] and f"{one.num_values}" in told[-1]


def test_decisions_of_a_shadow_are_held_against_those_that_people_saw() -> None:
    store = MemoryStore()
    for number in range(40):
        label = "BLOCK" if number % 2 else "ALLOW"
        store.record(entry(number, "champion", label=label))
        unseen = {"version": NEW, "shadow_of": f"req-{number:06d}", "label": "ALLOW" if number < 10 else label}
        store.record(entry(1000 + number, "shadow", **unseen))
    store.record(entry(3000, "shadow", version=NEW, shadow_of="req-gone", label="BLOCK"))
    found = compare_live(store, experiment(shadow=[NEW]))
    [one] = found.shadows
    assert (one.version, one.num, one.same) == (NEW, 40, 35)
    assert 0.6 < one.low < 35 / 40 < one.high < 1
    assert any("35" in line and "87.5%" in line for line in sentences(found, "ko"))
    assert compare_live(store, experiment()).shadows == []
