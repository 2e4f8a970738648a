"""Names, meanings and bounds of what Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as families

from dadeum.gateway.engine.work import Stats
from dadeum.gateway.figures import PrometheusFigures
from dadeum.gateway.store.entries import Entry
from tests.gateway.conftest import FakeEngine


def entry(**changes: Any) -> Entry:
    told: dict[str, Any] = {
        "request_id": "r", "time": datetime.now(UTC), "route": "/v1/chat/completions", "key_id": "dk_abc",
        "user": "hash",
        "model": "counsel", "version": "counsel@aaaaaaaaaaaa", "task": "chat", "status": 200, "reason": "stop",
        "prompt_tokens": 10, "new_tokens": 5, "cached_tokens": 4, "waited_s": 0.1, "first_token_s": 0.2, "total_s": 1.0,
    }  # fmt: skip
    return Entry(**(told | changes))


def page(figures: PrometheusFigures) -> dict[tuple[str, ...], float]:
    """(name, labels' values …) → value."""
    content, kind = figures.page()
    assert kind.startswith("text/plain")
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families(content.decode())
        for sample in family.samples
    }


WHICH = ("model_version=counsel@aaaaaaaaaaaa", "variant=")


def test_one_answer_is_counted_as_vllm_counts_it() -> None:
    figures = PrometheusFigures(FakeEngine())
    figures.request(entry())
    found = page(figures)
    assert found["dadeum_prompt_tokens_total", *WHICH] == 10
    assert found["dadeum_generation_tokens_total", *WHICH] == 5
    assert found["dadeum_prompt_tokens_cached_total", *WHICH] == 4
    assert found["dadeum_request_success_total", "finished_reason=stop", *WHICH] == 1
    assert found["dadeum_time_to_first_token_seconds_sum", *WHICH] == 0.2
    assert found["dadeum_request_queue_time_seconds_sum", *WHICH] == 0.1
    assert found["dadeum_e2e_request_latency_seconds_count", *WHICH] == 1
    assert found["dadeum_request_time_per_output_token_seconds_sum", *WHICH] == 0.2  # 0.8 s between five tokens
    assert found["dadeum_requests_total", "route=/v1/chat/completions", "status=200"] == 1


def test_what_failed_is_no_success_and_sets_no_time() -> None:
    figures = PrometheusFigures(FakeEngine())
    figures.request(entry(status=504, reason="timeout"))
    found = page(figures)
    assert found["dadeum_requests_total", "route=/v1/chat/completions", "status=504"] == 1
    assert not [
        name
        for name in found
        if name[0] in ("dadeum_request_success_total", "dadeum_e2e_request_latency_seconds_count")
    ]


def test_shadows_are_work_and_not_service() -> None:
    figures = PrometheusFigures(FakeEngine())
    figures.request(entry(shadow_of="r0", variant="shadow"))
    found = page(figures)
    shadow = (WHICH[0], "variant=shadow")
    assert found["dadeum_generation_tokens_total", *shadow] == 5
    assert found["dadeum_shadow_requests_total", *shadow] == 1
    assert not [name for name in found if name[0] in ("dadeum_requests_total", "dadeum_request_success_total")]


def test_an_answer_without_a_token_has_no_time_of_its_first() -> None:
    figures = PrometheusFigures(FakeEngine())
    figures.request(entry(first_token_s=None, new_tokens=0))
    found = page(figures)
    assert found["dadeum_e2e_request_latency_seconds_count", *WHICH] == 1
    assert not [name for name in found if name[0] == "dadeum_time_to_first_token_seconds_count"]


def test_labels_are_a_recipes_words_never_a_clients() -> None:
    figures = PrometheusFigures(FakeEngine())
    mail = {"version": "mail@cccccccccccc", "task": "decide", "reason": "decided", "confidence": 0.9}
    figures.request(entry(**mail, label="BLOCK"))
    figures.request(entry(**mail, label="김철수의 비밀"))
    found = page(figures)
    of_mail = ("model_version=mail@cccccccccccc", "variant=")
    assert found["dadeum_decisions_total", "label=BLOCK", *of_mail] == 1
    assert found["dadeum_decisions_total", "label=other", *of_mail] == 1
    assert found["dadeum_decision_confidence_count", *of_mail] == 2
    assert "비밀" not in figures.page()[0].decode()


def test_labels_stay_few_whatever_is_sent() -> None:
    figures = PrometheusFigures(FakeEngine(), most=3)
    for number in range(50):
        figures.request(entry(version=f"counsel@{number}", variant=f"v{number}", reason=f"r{number}"))
        figures.refused(f"/v1/{number}", 400, f"why{number}")
    found = page(figures)
    rejected = [name for name in found if name[0] == "dadeum_admission_rejections_total"]
    assert len(rejected) <= 4 and any("route=other" in name for name in rejected)
    assert len([name for name in found if name[0] == "dadeum_prompt_tokens_total"]) == 4


def test_no_label_names_a_person_or_a_key() -> None:
    figures = PrometheusFigures(FakeEngine())
    figures.request(entry(user="hash-of-kim", key_id="dk_secret", request_id="req-77"))
    figures.refused("/v1", 401, "invalid_api_key")
    told = figures.page()[0].decode()
    assert not [word for word in ("hash-of-kim", "dk_secret", "req-77") if word in told]


def test_gauges_are_read_when_asked_and_models_come_and_go() -> None:
    class Busy(FakeEngine):
        now = Stats(3, 2, 900, True, 0.25)

        def stats(self) -> Stats:
            return self.now

    engine = Busy()
    figures = PrometheusFigures(engine)
    found = page(figures)
    names = ("num_requests_running", "num_requests_waiting", "num_tokens_waiting", "kv_cache_usage_perc", "accepting")
    assert [found[f"dadeum_{name}",] for name in names] == [3, 2, 900, 0.25, 1]
    info = (
        "dadeum_model_info",
        "model_name=mail",
        "model_version=mail@cccccccccccc",
        "parent=tiny-base",
        "task=decide",
    )
    assert found[info] == 1
    engine.now = Stats(0, 0, 0, False)
    engine.catalogue.remove("mail@cccccccccccc")
    found = page(figures)
    assert found["dadeum_accepting",] == 0 and info not in found


def test_two_gateways_do_not_share_figures() -> None:
    one, other = PrometheusFigures(FakeEngine()), PrometheusFigures(FakeEngine())
    one.request(entry())
    assert ("dadeum_prompt_tokens_total", *WHICH) not in page(other)
