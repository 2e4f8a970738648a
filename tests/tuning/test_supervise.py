from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from dadeum.core.errors import RunError
from dadeum.tuning import search, supervise
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.objectives import objectives_of
from dadeum.tuning.search import Asked
from dadeum.tuning.study import Book, open_storage, open_study
from dadeum.tuning.supervise import State
from dadeum.tuning.worker import Orders
from tests.tuning import dying
from tests.tuning.conftest import PACE, lay_ground, searched


def ordered(path: Path, **more: object) -> tuple[object, SearchFolder, Orders]:
    recipe = searched(**more)  # type: ignore[arg-type]
    folder = lay_ground(recipe, path)
    rows = Ground(recipe, folder).digest
    study = open_study(open_storage(folder.storage_url, PACE), "study", recipe, objectives_of(recipe), rows)
    return study, folder, Orders(folder.path, folder.storage_url, "study", 0, None, PACE)


def test_a_worker_that_dies_is_replaced_and_its_trial_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "work", dying.dies_once)
    study, _, orders = ordered(tmp_path / "search")
    seen: list[State] = []
    assert supervise.supervise(study, orders, searched().tune, 1, seen.append) == 1  # type: ignore[arg-type]
    book = Book.of(study)  # type: ignore[arg-type]
    assert [trial.state for trial in book.counted] == [TrialState.COMPLETE] * 4
    assert [trial.system_attrs.get("failed_trial") for trial in book.counted].count(1) == 1
    assert seen[-1].complete == 4
    assert seen[-1].best is not None
    assert seen[0].seconds_left is None


def test_workers_that_cannot_even_begin_are_not_started_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "work", dying.dies_at_once)
    study, folder, orders = ordered(tmp_path / "search")
    with pytest.raises(RunError, match=r"0\.log"):
        supervise.supervise(study, orders, searched().tune, 1, lambda state: None)  # type: ignore[arg-type]
    assert folder.path.exists()


def test_what_ctrl_c_cut_short_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "work", dying.waits)
    study, _, orders = ordered(tmp_path / "search")

    def presses(state: State) -> None:
        if state.running and state.complete:
            time.sleep(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervise.supervise(study, orders, searched().tune, 1, presses)  # type: ignore[arg-type]
    book = Book.of(study)  # type: ignore[arg-type]
    assert [trial.state for trial in book.counted] == [TrialState.COMPLETE]
    search._take_up(study)  # type: ignore[arg-type]
    waiting = [trial for trial in Book.of(study).trials if trial.state == TrialState.WAITING]  # type: ignore[arg-type]
    assert [trial.system_attrs["fixed_params"] for trial in waiting] == [book.trials[1].params]
    search._take_up(study)  # type: ignore[arg-type]
    assert sum(trial.state == TrialState.WAITING for trial in Book.of(study).trials) == 1  # type: ignore[arg-type]


def test_a_time_that_is_nearly_over_shortens_the_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, _, _ = ordered(tmp_path / "search", trials=1000)
    for _ in range(2):
        study.optimize(lambda trial: trial.suggest_float("stages.sft.learning_rate", 1e-5, 1e-1, log=True), n_trials=1)  # type: ignore[attr-defined]
    state = supervise.state_of(study, searched(trials=1000).tune, 1, time.time() + 0.001)  # type: ignore[arg-type]
    assert state.seconds_left is not None
    assert state.seconds_left < 0.01


def test_the_study_of_a_search_is_begun_once(tmp_path: Path) -> None:
    recipe = searched()
    folder = lay_ground(recipe, tmp_path / "search")
    asked = Asked(pace=PACE)
    first = search._study(recipe, folder, asked, Ground(recipe, folder))
    assert first.user_attrs["owner"] == search._study(recipe, folder, asked, Ground(recipe, folder)).user_attrs["owner"]
    with pytest.raises(RunError):
        search.begin(recipe, folder.path)
    with pytest.raises(RunError, match="dadeum tune"):
        search.reopen(tmp_path)


def test_workers_divide_the_cores_and_leave_what_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "num_cores", lambda: 8)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    with supervise._share_of_machine(3, 4):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["CUDA_VISIBLE_DEVICES"]) == ("2", "1")
    assert "OMP_NUM_THREADS" not in os.environ
    with supervise._share_of_machine(0, 1):
        assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with supervise._share_of_machine(0, 4):
        assert os.environ["OMP_NUM_THREADS"] == "5"
    assert os.environ["OMP_NUM_THREADS"] == "5"
