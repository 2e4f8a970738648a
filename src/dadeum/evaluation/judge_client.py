"""The judge's endpoint: `models.endpoint` with what `evaluate.judge` says."""

from __future__ import annotations

from dadeum.core.errors import MissingExtra
from dadeum.core.recipe import Judge
from dadeum.models.endpoint import AT_ONCE, ATTEMPTS, FAILURES_IN_A_ROW, TIMEOUT_S, Endpoint, Reply, shown_url

__all__ = ["ATTEMPTS", "AT_ONCE", "FAILURES_IN_A_ROW", "TIMEOUT_S", "JudgeClient", "Reply", "shown_url"]


class JudgeClient(Endpoint):
    def __init__(self, judge: Judge, seed: int) -> None:
        missing = MissingExtra("evaluate.judge.missing_extra")
        super().__init__(judge.base_url, judge.model, judge.api_key_env, seed, missing, TIMEOUT_S, ATTEMPTS)
