"""The study that all workers of a search share: optuna's own, in a file or in PostgreSQL, for its tools to read.

Workers breathe (heartbeats); what a dead one left is failed by whoever looks next, and tried once more.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dadeum.core.errors import MissingExtra, RunError, first_line
from dadeum.core.recipe import Recipe
from dadeum.core.run import fingerprint
from dadeum.core.tune import Range, Scalar, Tune
from dadeum.tuning.record import Objective, Params
from dadeum.tuning.space import own_point, tune_of

RETRIES = 1
"""How often a trial is tried again whose worker died; who kills two workers would kill a third."""
_WAIT_S = 60
_FIRST_LOOK = 20
"""Percent of a training before which no trial is stopped."""


@dataclass(frozen=True)
class Pace:
    """How often workers breathe, and after what silence one counts as dead (seconds)."""

    beat_s: int = 15
    grace_s: int = 90


def study_name(recipe: Recipe) -> str:
    """The same for everybody who searches this recipe over this space; budgets and places of files may differ."""
    tune = tune_of(recipe)
    asked = recipe.model_copy(update={"tune": Tune(space=tune.space, objectives=tune.objectives)})
    told = asked.model_dump(mode="json", exclude={"data", "checks", "export"})
    return f"{recipe.name}-{fingerprint(_portable(told))[:8]}"


def _portable(value: Any) -> Any:
    """Files by their names alone: another machine keeps them elsewhere, and rows are compared by themselves."""
    if isinstance(value, dict):
        return {key: _portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_portable(each) for each in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def storage_kind(url: str) -> str:
    """sqlite, postgresql or other; RunError for no URL."""
    try:
        name = sa.make_url(url).get_backend_name()
    except (sa.exc.ArgumentError, ValueError) as error:
        raise RunError("tune.storage.bad_url", detail=type(error).__name__) from error
    return {"postgres": "postgresql"}.get(name, name if name in ("sqlite", "postgresql") else "other")


def shown(url: str) -> str:
    """For people and files: without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def open_storage(url: str, pace: Pace) -> RDBStorage:
    """RunError for a database that cannot be reached, MissingExtra without psycopg."""
    kind = storage_kind(url)
    if kind == "other":
        raise RunError("tune.storage.unknown", kind=sa.make_url(url).get_backend_name())
    wait = {"timeout": _WAIT_S} if kind == "sqlite" else {"connect_timeout": 10}
    driver = "postgresql+psycopg" if kind == "postgresql" else "sqlite+pysqlite"
    full = sa.make_url(url).set(drivername=driver).render_as_string(hide_password=False)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                full,
                engine_kwargs={"connect_args": wait, "pool_pre_ping": True},
                heartbeat_interval=pace.beat_s,
                grace_period=pace.grace_s,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
            )
    except ImportError as error:
        raise MissingExtra("tune.storage.no_psycopg") from error
    except (SQLAlchemyError, OSError) as error:
        raise RunError("tune.storage.unreachable", url=shown(url), detail=_detail(error)) from error


@contextmanager
def reachable(url: str | None) -> Iterator[None]:
    """RunError where a database goes away in the middle; what ended is in it, and the search goes on with --resume."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        where = "study.db" if url is None else shown(url)
        raise RunError("tune.storage.lost", url=where, detail=_detail(error)) from error


def _detail(error: BaseException) -> str:
    """What the database said itself, not the libraries between it and us."""
    said: BaseException | None = error
    while said is not None and not isinstance(said, DBAPIError):
        said = said.__cause__
    return first_line(said.orig if isinstance(said, DBAPIError) and said.orig else error)


def open_study(
    storage: RDBStorage, name: str, recipe: Recipe, objectives: Sequence[Objective], rows: str
) -> optuna.Study:
    """Begin the study, or join it. RunError where others search another recipe, or other rows, under this name."""
    said = {"asked": study_name(recipe), "rows": rows}
    there = _exists(storage, name)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=[one.direction for one in objectives],
        pruner=pruner_of(tune_of(recipe), objectives),
        load_if_exists=True,
    )
    if not there:
        for key, value in (said | {"recipe": recipe.name}).items():
            study.set_user_attr(key, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([one.name for one in objectives])
        _enqueue_own_settings(study, recipe)
        return study
    for key, value in said.items():
        if study.user_attrs.get(key, value) != value:
            raise RunError(f"tune.storage.other_{key}", name=name)
    return study


def _exists(storage: RDBStorage, name: str) -> bool:
    try:
        storage.get_study_id_from_name(name)
    except KeyError:
        return False
    return True


def _enqueue_own_settings(study: optuna.Study, recipe: Recipe) -> None:
    """The recipe's own values come first: whatever is found must beat them."""
    if (own := own_point(recipe)) is not None:
        study.enqueue_trial(own, user_attrs={"default": True})


# -- how settings are drawn and stopped ---------------------------------------------------------------
def sampler_of(recipe: Recipe, num_trials: int, worker: int) -> TPESampler:
    """Seeded anew for every trial: a search that was killed draws on as if it had not been."""
    startup = max(4, min(10, tune_of(recipe).trials // 3))
    return TPESampler(seed=seed_of(recipe, num_trials, worker), n_startup_trials=startup)


def seed_of(recipe: Recipe, *what: object) -> int:
    """A number of its own for each draw, always the same for one recipe."""
    return int(fingerprint([recipe.seed, *what])[:8], 16)


def pruner_of(tune: Tune, objectives: Sequence[Objective]) -> BasePruner:
    """Resources are percents of a trial's own training. With several objectives optuna stops none."""
    if len(objectives) > 1 or tune.pruner == "none":
        return NopPruner()
    if tune.pruner == "hyperband":
        return HyperbandPruner(min_resource=_FIRST_LOOK, max_resource=100, reduction_factor=2)
    if tune.pruner == "median":
        return MedianPruner(n_startup_trials=4, n_warmup_steps=_FIRST_LOOK)
    return SuccessiveHalvingPruner(min_resource=_FIRST_LOOK, reduction_factor=2)


def suggested(trial: optuna.Trial, tune: Tune) -> Params:
    return {key: _drawn(trial, key, values) for key, values in tune.space.items()}


def _drawn(trial: optuna.Trial, key: str, values: Range | tuple[Scalar, ...]) -> Scalar:
    if not isinstance(values, Range):
        chosen: Scalar = trial.suggest_categorical(key, list(values))
        return chosen
    if values.is_whole:
        return trial.suggest_int(key, int(values.low), int(values.high), step=int(values.step or 1), log=values.log)
    return trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)


# -- what has been tried ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Book:
    """Trials as they stand now. Proposals that were not run, and what was tried again, count for nothing."""

    trials: Sequence[optuna.trial.FrozenTrial]
    taken_up: frozenset[int] = frozenset()
    """Trials that Ctrl-C or the end of the time cut short, and that wait to be run again, or were."""

    @classmethod
    def of(cls, study: optuna.Study) -> Book:
        return cls(study.get_trials(deepcopy=False), frozenset(study.user_attrs.get("taken_up", ())))

    @property
    def counted(self) -> list[optuna.trial.FrozenTrial]:
        again = {number for trial in self.trials for number in trial.system_attrs.get("retry_history", [])}
        skipped = ("duplicate_of", "surplus", "interrupted")
        return [
            trial
            for trial in self.trials
            if trial.state != TrialState.WAITING
            and trial.number not in again | self.taken_up
            and not any(name in trial.user_attrs for name in skipped)
        ]

    @property
    def running(self) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in self.trials if trial.state == TrialState.RUNNING]

    @property
    def has_waiting(self) -> bool:
        return any(trial.state == TrialState.WAITING for trial in self.trials)

    @property
    def duplicates(self) -> int:
        return sum("duplicate_of" in trial.user_attrs for trial in self.trials)

    def same_as(self, number: int, params: Params) -> int | None:
        """An earlier trial with these settings that was run or is being run, or failed by its own fault."""
        for trial in self.counted:
            done = trial.state != TrialState.FAIL or "failed" in trial.user_attrs
            if trial.number < number and done and trial.params and _same(trial.params, params):
                return trial.number
        return None

    def is_surplus(self, number: int, trials: int) -> bool:
        """Whether workers that began at the same moment have taken all that was left."""
        return sum(trial.number < number for trial in self.counted) >= trials

    def untried(self, settings: Sequence[Params]) -> list[Params]:
        tried = {_key(trial.params) for trial in self.counted if trial.params}
        return [params for params in settings if _key(params) not in tried]


def _same(one: dict[str, Any], other: Params) -> bool:
    return _key(one) == _key(other)


def _key(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)
