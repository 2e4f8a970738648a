"""What /metrics tells Prometheus: vLLM's names and meanings with `dadeum_` in front, so that its dashboards are read.

Labels are bounded: versions, variants, labels of recipes, reasons; never users, keys or what somebody wrote. Whatever
is beyond the bound is counted as "other". Answers that nobody saw (shadows) count as work, not as service.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client import generate_latest as written
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dadeum.gateway.engine.work import Engine
from dadeum.gateway.store.entries import Entry

OTHER = "other"
_MOST = 64
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CONFIDENCE = tuple(number / 20 for number in range(1, 21))
_TOKENS = tuple(float(2**power) for power in range(0, 15))


class Bounded:
    """The first values of a label; later ones are "other", so that a label cannot fill the memory."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: set[str] = set()
        self._lock = Lock()

    def __call__(self, value: str) -> str:
        with self._lock:
            if value in self._known:
                return value
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
            return value


class _Now(Collector):
    """What goes on in the engine at the moment of asking, and what is served."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked of the engine when this is registered."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        stats = self._engine.stats()
        for name, told, value in (
            ("num_requests_running", "Requests whose tokens are being computed.", stats.running),
            ("num_requests_waiting", "Requests that wait for their turn.", stats.waiting),
            ("num_tokens_waiting", "Tokens of the requests that wait.", stats.waiting_tokens),
            ("kv_cache_usage_perc", "Share of the room for keys and values that is taken, 0 to 1.", stats.cache_share),
            ("accepting", "1 while new requests are taken.", int(stats.accepting)),
        ):
            yield GaugeMetricFamily(f"dadeum_{name}", told, value)
        info = GaugeMetricFamily("dadeum_model_info", "1 for each version that is served.", labels=_INFO)
        for model in sorted(self._engine.catalogue, key=lambda one: one.version)[:_MOST]:
            info.add_metric([model.version, model.name, model.parent or "", model.task], 1)
        yield info


_INFO = ("model_version", "model_name", "parent", "task")
_WHICH = ("model_version", "variant")


class PrometheusFigures:
    """A registry of its own: two gateways in one process (tests) do not share figures."""

    def __init__(self, engine: Engine, most: int = _MOST) -> None:
        self._engine = engine
        self._versions, self._variants, self._routes, self._reasons = (Bounded(most) for _ in range(4))
        self._registry = CollectorRegistry()
        self._registry.register(_Now(engine))
        ProcessCollector(registry=self._registry)
        self._count_requests()
        self._time_requests()

    def _count_requests(self) -> None:
        self._finished = self._counter("request_success", "Answered requests.", (*_WHICH, "finished_reason"))
        self._requests = self._counter("requests", "Requests that were let in.", ("route", "status"))
        self._prompt = self._counter("prompt_tokens", "Tokens of prompts.", _WHICH)
        self._cached = self._counter("prompt_tokens_cached", "Tokens of prompts that were computed before.", _WHICH)
        self._generated = self._counter("generation_tokens", "Tokens of answers.", _WHICH)
        self._shadows = self._counter("shadow_requests", "Answers made for comparison only.", _WHICH)
        self._rejected = self._counter("admission_rejections", "Refused requests.", ("route", "status", "reason"))
        self._decided = self._counter("decisions", "Decisions.", (*_WHICH, "label"))

    def _time_requests(self) -> None:
        self._first = self._histogram("time_to_first_token_seconds", "From submission.", _SECONDS)
        self._waited = self._histogram("request_queue_time_seconds", "Waiting for their turn.", _SECONDS)
        self._total = self._histogram("e2e_request_latency_seconds", "From arrival to the end.", _SECONDS)
        self._per_token = self._histogram(
            "request_time_per_output_token_seconds", "Mean between two tokens of one answer.", _TOKEN_SECONDS
        )
        self._length = self._histogram("request_generation_tokens", "Tokens of one answer.", _TOKENS)
        self._confidence = self._histogram("decision_confidence", "Calibrated probability of the label.", _CONFIDENCE)

    def _counter(self, name: str, told: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"dadeum_{name}", told, labels, registry=self._registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"dadeum_{name}", told, _WHICH, buckets=buckets, registry=self._registry)

    # -- being told ---------------------------------------------------------------------------
    def request(self, entry: Entry) -> None:
        which = (self._versions(entry.version), self._variants(entry.variant))
        self._prompt.labels(*which).inc(entry.prompt_tokens)
        self._cached.labels(*which).inc(entry.cached_tokens)
        self._generated.labels(*which).inc(entry.new_tokens)
        if entry.shadow_of:
            self._shadows.labels(*which).inc()
            return
        self._requests.labels(self._routes(entry.route), str(entry.status)).inc()
        self._length.labels(*which).observe(entry.new_tokens)
        if entry.status < 400:
            self._finished.labels(*which, self._reasons(entry.reason)).inc()
            self._timed(entry, which)
        if entry.label:
            self._decided.labels(*which, self._known_label(entry)).inc()
        if entry.confidence is not None:
            self._confidence.labels(*which).observe(entry.confidence)

    def refused(self, route: str, status: int, reason: str) -> None:
        self._rejected.labels(self._routes(route), str(status), self._reasons(reason)).inc()

    def page(self) -> tuple[bytes, str]:
        return written(self._registry), CONTENT_TYPE_LATEST

    def _timed(self, entry: Entry, which: tuple[str, str]) -> None:
        self._total.labels(*which).observe(entry.total_s)
        self._waited.labels(*which).observe(entry.waited_s)
        if entry.first_token_s is None:
            return
        self._first.labels(*which).observe(entry.first_token_s)
        if entry.new_tokens > 1:
            spent = max(0.0, entry.total_s - entry.first_token_s)
            self._per_token.labels(*which).observe(spent / (entry.new_tokens - 1))

    def _known_label(self, entry: Entry) -> str:
        """Only what a recipe names: options of a decision request are the client's own words."""
        model = self._engine.catalogue.find(entry.version)
        labels = getattr(model.recipe.task, "labels", None) if model else None
        return entry.label if entry.label in (labels or ()) else OTHER
