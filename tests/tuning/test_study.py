from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from optuna.trial import TrialState

from dadeum.core.errors import RunError
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.objectives import objectives_of
from dadeum.tuning.study import Book, open_storage, open_study, shown, storage_kind, study_name
from dadeum.tuning.worker import tell_dead
from tests.postgres import postgres_server
from tests.tuning.conftest import PACE, RATE, lay_ground, searched

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@contextmanager
def started(folder: SearchFolder, url: str, index: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.tuning.slow_worker", str(folder.path), url, str(index), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def trials_of(url: str, recipe: Any, rows: str = "") -> Any:
    return open_study(open_storage(url, PACE), "shared", recipe, objectives_of(recipe), rows)


def test_two_workers_share_a_study_and_a_killed_ones_trial_is_tried_again(postgres: str, tmp_path: Path) -> None:
    recipe = searched(trials=5)
    folders = [lay_ground(recipe, tmp_path / name) for name in ("one", "two")]
    with started(folders[0], postgres, 0, 60) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == "begun\n"
        with started(folders[1], postgres, 1, 0.05) as lives:
            doomed.send_signal(signal.SIGKILL)
            assert lives.stdout is not None
            said = lives.stdout.read().split()
            assert lives.wait(timeout=30) == 0
    assert said[-1] == "trials"
    study = trials_of(postgres, recipe, _rows(folders[1], recipe))
    book = Book.of(study)
    assert [trial.state for trial in book.counted] == [TrialState.COMPLETE] * 5
    (again,) = [trial for trial in book.counted if "failed_trial" in trial.system_attrs]
    lost = book.trials[again.system_attrs["failed_trial"]]
    assert (lost.state, lost.params) == (TrialState.FAIL, again.params)


def _rows(folder: SearchFolder, recipe: Any) -> str:
    from dadeum.tuning.ground import Ground

    return Ground(recipe, folder).digest


def test_a_worker_that_is_known_to_be_dead_is_not_waited_for(tmp_path: Path) -> None:
    recipe = searched()
    folder = lay_ground(recipe, tmp_path / "search")
    study = trials_of(folder.storage_url, recipe)
    trial = study.ask()
    trial.suggest_float("stages.sft.learning_rate", 1e-5, 1e-1, log=True)
    trial.set_user_attr("worker", "here:1")
    assert tell_dead(study, "elsewhere:1") == []
    assert tell_dead(study, "here:1") == [0]
    assert [one.state for one in Book.of(study).trials] == [TrialState.FAIL, TrialState.WAITING]
    assert Book.of(study).counted == []


def test_another_recipe_or_other_rows_are_not_mixed_in(tmp_path: Path) -> None:
    url = SearchFolder(tmp_path).storage_url
    trials_of(url, searched(), "rows")
    with pytest.raises(RunError, match="--study"):
        trials_of(url, searched(), "other rows")
    with pytest.raises(RunError, match="--study"):
        trials_of(url, searched({"model.adapter.r": [2, 4]}), "rows")
    assert trials_of(url, searched(trials=99), "rows").study_name == "shared"


def test_a_budget_makes_no_other_study_but_a_space_does() -> None:
    assert study_name(searched(trials=1, repeat=3)) == study_name(searched(trials=9))
    assert study_name(searched(base="/here/base")) == study_name(searched(base="/there/base"))
    # Figures by another measure are no figures of the same study.
    other = searched()
    measured = other.evaluate.model_copy(update={"generate_rows": 9})
    assert study_name(other.model_copy(update={"evaluate": measured})) != study_name(other)
    assert study_name(searched()) != study_name(searched(RATE | {"model.adapter.r": [2, 4]}))


def test_databases_that_cannot_be_used_are_named_without_their_password() -> None:
    assert storage_kind("postgresql://me:secret@host/db") == "postgresql"
    assert "secret" not in shown("postgresql://me:secret@host/db")
    with pytest.raises(RunError, match="--storage"):
        storage_kind("not a url")
    with pytest.raises(RunError, match="mysql"):
        open_storage("mysql://host/db", PACE)
    with pytest.raises(RunError) as error:
        open_storage("postgresql://me:secret@127.0.0.1:1/db", PACE)
    assert "secret" not in str(error.value)


def test_optunas_dashboard_reads_our_studies(tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    recipe = searched()
    folder = lay_ground(recipe, tmp_path / "search")
    study = trials_of(folder.storage_url, recipe)
    study.optimize(lambda trial: trial.suggest_float("stages.sft.learning_rate", 1e-5, 1e-1, log=True), n_trials=2)

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with make_server("127.0.0.1", 0, dashboard.wsgi(folder.storage_url), handler_class=Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/api/studies", timeout=20) as answer:
            assert b'"shared"' in answer.read().replace(b" ", b"").replace(b"study_name", b"")
        with urllib.request.urlopen(f"{address}/api/studies/1?after=0", timeout=20) as answer:
            assert b"stages.sft.learning_rate" in answer.read()
        server.shutdown()
    assert os.path.getsize(folder.path / "study.db") > 0
