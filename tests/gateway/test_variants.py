"""Who gets which version: sticky, in the shares asked for, moved no further than needed, and told over HTTP."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import Problems, RecipeError
from dadeum.gateway.experiments import BUCKETS, Experiment, bucket, read_experiment, sizes, spread, variant_at
from dadeum.gateway.registry import Registry
from dadeum.gateway.variants import VariantTraffic
from tests.gateway.conftest import catalogue_of_tasks, client, make_gateway

USERS = [f"user-{number}" for number in range(20_000)]
CHAMPION, CHALLENGER = "counsel@aaaaaaaaaaaa", "counsel@bbbbbbbbbbbb"


def experiment(**changes: Any) -> Experiment:
    raw = {"name": "tone", "model": "counsel", "variants": {"champion": 90, "challenger": 10}}
    return Experiment.model_validate(raw | changes)


def traffic(folder: Path, **changes: Any) -> VariantTraffic:
    return VariantTraffic(catalogue_of_tasks(), Registry(folder / "registry.json"), experiment(**changes))


# -- buckets --------------------------------------------------------------------------------------
def test_users_are_dealt_in_the_shares_of_the_weights() -> None:
    layout = spread({"champion": 90, "challenger": 10})
    found = Counter(variant_at(layout, bucket("salt", user)) for user in USERS)
    assert found["challenger"] / len(USERS) == pytest.approx(0.1, abs=0.007)
    # Another salt deals anew: those of one experiment are no special people in the next.
    both = sum(
        variant_at(layout, bucket("salt", user)) == variant_at(layout, bucket("other", user)) == "challenger"
        for user in USERS
    )
    assert both / len(USERS) == pytest.approx(0.01, abs=0.004)


def test_buckets_are_even() -> None:
    counts = Counter(bucket("even", user) // 100 for user in USERS)
    expected = len(USERS) / 100
    # χ² with 99 degrees of freedom is above 160 once in 10,000.
    assert sum((counts[part] - expected) ** 2 / expected for part in range(100)) < 160


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1, "c": 1}, {"a": 90, "b": 10}, {"a": 1e-6, "b": 1}], ids=str)
def test_every_bucket_has_an_owner(weights: dict[str, float]) -> None:
    assert sum(sizes(weights).values()) == BUCKETS
    layout = spread(weights)
    assert layout[-1][0] == BUCKETS
    assert Counter(variant_at(layout, place) for place in range(BUCKETS)) == Counter(
        {name: size for name, size in sizes(weights).items() if size}
    )


def test_other_weights_move_only_as_many_users_as_must_move() -> None:
    steps: list[dict[str, float]] = [
        {"a": 90, "b": 10}, {"a": 50, "b": 25, "c": 25}, {"a": 40, "b": 25, "c": 35}, {"a": 40, "b": 60},
        {"b": 1, "a": 1},
    ]  # fmt: skip
    layout = spread(steps[0])
    for before, after in itertools.pairwise(steps):
        moved = spread(after, layout)
        held, wanted = sizes(before), sizes(after)
        fewest = sum(max(0, held.get(name, 0) - wanted.get(name, 0)) for name in {*held, *wanted})
        changed = sum(variant_at(layout, place) != variant_at(moved, place) for place in range(BUCKETS))
        assert changed == fewest
        layout = moved


# -- traffic --------------------------------------------------------------------------------------
def test_a_user_keeps_his_version_over_a_restart_and_a_shift_of_weights(tmp_path: Path) -> None:
    def versions(found: VariantTraffic) -> dict[str, str]:
        return {user: found.assign("counsel", user).model.version for user in USERS[:3000]}  # type: ignore[union-attr]

    before = versions(traffic(tmp_path))
    assert versions(traffic(tmp_path)) == before
    after = versions(traffic(tmp_path, variants={"champion": 80, "challenger": 20}))
    changed = [user for user in before if before[user] != after[user]]
    assert {before[user] for user in changed} == {CHAMPION}
    assert len(changed) / len(before) == pytest.approx(0.1, abs=0.02)


def test_an_assignment_names_experiment_variant_and_shadows(tmp_path: Path) -> None:
    found = traffic(tmp_path, shadow=["counsel@challenger"])
    by_variant = {one.variant: one for user in USERS[:200] if (one := found.assign("counsel", user))}
    champion, challenger = by_variant["champion"], by_variant["challenger"]
    assert (champion.experiment, champion.model.version) == ("tone", CHAMPION)
    assert [model.version for model in champion.shadows] == [CHALLENGER]
    assert challenger.model.version == CHALLENGER and challenger.shadows == ()


def test_whoever_asks_for_a_version_gets_it_and_is_not_counted(tmp_path: Path) -> None:
    found = traffic(tmp_path)
    for asked in ("counsel@challenger", CHALLENGER):
        one = found.assign(asked, "user-1")
        assert one is not None and (one.model.version, one.experiment, one.variant) == (CHALLENGER, "", "")
    mail = found.assign("mail", "user-1")
    assert mail is not None and mail.experiment == ""
    assert found.assign("nobody", "user-1") is None


def test_without_a_user_every_request_is_dealt_by_itself(tmp_path: Path) -> None:
    found = traffic(tmp_path, variants={"champion": 50, "challenger": 50})
    variants = Counter(one.variant for _ in range(400) if (one := found.assign("counsel", "")))
    assert min(variants.values()) > 140


def test_a_name_alone_means_its_champion_and_follows_a_promotion_at_once(tmp_path: Path) -> None:
    catalogue, registry = catalogue_of_tasks(), Registry(tmp_path / "registry.json")
    found = VariantTraffic(catalogue, registry)
    first = found.assign("counsel", "u")
    assert first is not None and first.model.version == CHAMPION
    registry.promote(catalogue.models[CHALLENGER], "", force=True)
    second = found.assign("counsel", "u")
    assert second is not None and second.model.version == CHALLENGER


def test_an_unloaded_variant_is_answered_by_the_champion_and_not_counted(tmp_path: Path) -> None:
    found = traffic(tmp_path, variants={"champion": 1, "challenger": 99})
    found.catalogue.remove(CHALLENGER)
    answered = [one for user in USERS[:100] if (one := found.assign("counsel", user))]
    assert {one.model.version for one in answered} == {CHAMPION}
    assert sum(one.experiment == "" for one in answered) > 90


def test_a_variant_that_leads_nowhere_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as error:
        traffic(tmp_path, variants={"champion": 1, "next": 1})
    assert error.value.values["target"] == "counsel@next"
    with pytest.raises(RecipeError):
        traffic(tmp_path, shadow=["nobody"])


# -- the file -------------------------------------------------------------------------------------
GOOD = """
name: tone
model: counsel
variants:
  champion: 90
  challenger: {weight: 10, model: counsel-v2}
metric: label
since: 2026-11-01T00:00:00+09:00
guardrails: {error_rate: 0.02, latency_p95: null}
"""


def test_an_experiment_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(GOOD, encoding="utf-8")
    found = read_experiment(path)
    assert found.weights == {"champion": 90, "challenger": 10} and found.control == "champion"
    assert (found.target("champion"), found.target("challenger")) == ("counsel@champion", "counsel-v2")
    assert found.guardrails.latency_p95 is None and found.guardrails.error_rate == 0.02


@pytest.mark.parametrize(
    ("wrong", "key", "line"),
    [
        (GOOD.replace("metric: label", "metrik: label"), "unknown_field", 7),
        (GOOD.replace("champion: 90", "champion: -1"), "bad_field", 5),
        (GOOD.replace("metric: label", "metric: charm"), "bad_field", 7),
        (GOOD.replace("model: counsel\n", "", 1), "missing_field", None),
        (GOOD.replace("error_rate", "eror_rate"), "unknown_field", 9),
        (GOOD.replace("+09:00", ""), "bad_field", 8),
        (GOOD.replace("  challenger: {weight: 10, model: counsel-v2}\n", ""), "bad_field", 4),
    ],
)
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, wrong: str, key: str, line: int | None) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(RecipeError) as error:
        read_experiment(path)
    assert error.value.key == f"gateway.written.{key}"
    assert line is None or error.value.values["where"].values["line"] == line  # type: ignore[attr-defined]


def test_several_mistakes_come_together_and_a_missing_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(GOOD.replace("metric: label", "metric: charm\nsaalt: x"), encoding="utf-8")
    with pytest.raises(Problems) as error:
        read_experiment(path)
    assert len(error.value.problems) == 2
    with pytest.raises(RecipeError):
        read_experiment(tmp_path / "none.yaml")


# -- over HTTP ------------------------------------------------------------------------------------
def test_answers_are_logged_with_their_variant(tmp_path: Path) -> None:
    gateway = make_gateway(traffic=traffic(tmp_path, shadow=["counsel@challenger"]))
    with client(gateway) as asked:
        for number in range(12):
            body = {"model": "counsel", "user": f"u{number}", "messages": [{"role": "user", "content": "안녕"}]}
            assert asked.post("/v1/chat/completions", json=body).status_code == 200
    shown = [entry for entry in gateway.store.entries() if not entry.shadow_of]
    assert {entry.experiment for entry in shown} == {"tone"}
    assert {(entry.variant, entry.version) for entry in shown} <= {("champion", CHAMPION), ("challenger", CHALLENGER)}
    unseen = [entry for entry in gateway.store.entries() if entry.shadow_of]
    assert {entry.version for entry in unseen} == {CHALLENGER}
    assert len(unseen) == sum(entry.variant == "champion" for entry in shown)


def test_what_is_compared_can_be_asked_for_and_champions_moved(tmp_path: Path) -> None:
    found = traffic(tmp_path)
    with client(make_gateway(traffic=found)) as asked:
        told = asked.get("/v1/experiments").json()
        assert [(one["name"], one["version"], one["share"]) for one in told["data"][0]["variants"]] == [
            ("champion", CHAMPION, 0.9), ("challenger", CHALLENGER, 0.1),
        ]  # fmt: skip
        move = {"version": CHALLENGER, "reason": "더 낫습니다"}
        refused = asked.post("/v1/admin/aliases", json=move)
        assert refused.status_code == 409 and refused.json()["error"]["code"] == "unjudged"
        assert str(tmp_path) not in refused.text
        assert asked.post("/v1/admin/aliases", json=move | {"version": "nobody"}).status_code == 404
        moved = asked.post("/v1/admin/aliases", json=move | {"force": True})
        assert moved.status_code == 200 and moved.json()["version"] == CHALLENGER
        assert asked.get("/v1/experiments").json()["aliases"] == {"counsel": {"champion": CHALLENGER}}
        again = asked.post("/v1/admin/aliases/rollback", json={"name": "counsel", "reason": "x"})
        assert again.status_code == 409 and again.json()["error"]["code"] == "nothing_before"


def test_a_gateway_without_aliases_says_so() -> None:
    with client(make_gateway()) as asked:
        assert asked.get("/v1/experiments").status_code == 501


def test_settings_are_read_from_a_file_and_mistakes_name_their_line(tmp_path: Path) -> None:
    from dadeum.core.errors import RecipeError
    from dadeum.gateway.settings import Settings
    from dadeum.gateway.written import read_section

    file = tmp_path / "serve.yaml"
    file.write_text("port: 9000\nlimits:\n  running: 4\n", encoding="utf-8")
    found = read_section(file, Settings, {"port": 9001})
    assert (found.port, found.limits.running) == (9001, 4)
    file.write_text("limits:\n  runing: 4\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="runing") as caught:
        read_section(file, Settings)
    assert "waiting_requests" in str(caught.value) and "2" in str(caught.value)
