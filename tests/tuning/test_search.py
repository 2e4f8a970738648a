from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna import TrialPruned
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from dadeum.core.errors import RunError
from dadeum.core.recipe_file import dump
from dadeum.tuning import search
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.search import Asked, begin, located, look_back, reopen
from dadeum.tuning.study import Book, reachable
from tests.tuning.conftest import PACE, lay_ground, searched


def test_ctrl_c_before_there_are_rows_leaves_no_record_and_no_error(tmp_path: Path) -> None:
    recipe = searched()
    assert look_back(recipe, begin(recipe, tmp_path / "search"), Asked(pace=PACE)) is None


def test_a_recipe_that_was_changed_in_between_is_refused_but_a_larger_budget_is_not(tmp_path: Path) -> None:
    folder = begin(searched(), tmp_path / "search")
    folder.recipe_path.write_text(dump(searched(trials=40, repeat=3)))
    assert reopen(folder.path)[0].tune.trials == 40  # type: ignore[union-attr]
    folder.recipe_path.write_text(dump(searched({"stages.sft.batch_size": [1, 2]})))
    with pytest.raises(RunError, match=r"recipe\.yaml"):
        reopen(folder.path)


def test_a_search_goes_on_where_its_trials_are(tmp_path: Path) -> None:
    recipe = searched()
    folder = lay_ground(recipe, tmp_path / "search")
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    search._study(recipe, folder, Asked(storage=url, study="ours", pace=PACE), Ground(recipe, folder))
    with pytest.raises(RunError, match=r"shared\.db"):
        located(folder, Asked())
    assert located(folder, Asked(storage=url)).study == "ours"
    with pytest.raises(RunError, match="theirs"):
        located(folder, Asked(storage=url, study="theirs"))


def test_a_password_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = searched()
    folder = lay_ground(recipe, tmp_path / "search")
    inner = search.open_storage(folder.storage_url, PACE)
    monkeypatch.setattr(search, "open_storage", lambda url, pace: inner)
    asked = Asked(storage="postgresql://kim:s3cret@host/db", pace=PACE)
    search._study(recipe, folder, asked, Ground(recipe, folder))
    assert "kim" in folder.state_path.read_text()
    assert "s3cret" not in folder.state_path.read_text()


def test_one_command_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder = begin(searched(), tmp_path / "search")
    with folder.held(), pytest.raises(RunError, match="search"), SearchFolder(folder.path).held():
        pass
    with folder.held():
        pass


def test_a_database_that_goes_away_is_a_sentence_without_the_password() -> None:
    cause = OperationalError("SELECT 1", {}, Exception("server closed the connection"))
    with pytest.raises(RunError, match="server closed") as caught, reachable("postgresql://kim:s3cret@host/db"):
        raise StorageInternalError("An exception is raised during the commit.") from cause
    assert "--resume" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "SELECT" not in str(caught.value)


def test_a_ground_that_a_kill_left_half_made_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dadeum.tuning import ground as module

    recipe = searched()
    folder = begin(recipe, tmp_path / "search")
    folder.ground(0).mkdir(parents=True)
    (folder.ground(0) / "recipe.yaml").write_text("name: half")
    monkeypatch.setattr(module, "build_and_check", lambda recipe, run, progress: None)
    assert Ground.lay(recipe, folder).run.recipe().name == recipe.name


def test_the_last_setting_of_a_space_is_taken_up_again_when_ctrl_c_cut_it_short(tmp_path: Path) -> None:
    study, recipe = _counted_study(tmp_path)
    for size in (2, 4):
        _run(study, size, {"interrupted": True} if size == 4 else {})
    assert search._how_ended(recipe, study, None) == "running"
    search._take_up(study)
    assert search._how_ended(recipe, study, None) == "running"
    _run(study, 4, {})
    assert search._how_ended(recipe, study, None) == "exhausted"


def test_what_the_end_of_the_time_cut_short_is_run_when_more_time_is_given(tmp_path: Path) -> None:
    study, _ = _counted_study(tmp_path)
    _run(study, 2, {"out_of_time": True})
    search._take_up(study, ("interrupted",))
    assert len(Book.of(study).counted) == 1
    search._take_up(study)
    assert Book.of(study).counted == []
    _run(study, 2, {})
    assert [trial.number for trial in Book.of(study).counted] == [2]


def _counted_study(tmp_path: Path) -> tuple[Any, Any]:
    recipe = searched({"stages.sft.batch_size": [2, 4]})
    folder = lay_ground(recipe, tmp_path / "search")
    study = search._study(recipe, folder, Asked(pace=PACE), Ground(recipe, folder))
    waiting = Book.of(study).trials[0]
    study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
    study._storage.set_trial_user_attr(waiting._trial_id, "surplus", True)
    study._storage.set_trial_state_values(waiting._trial_id, TrialState.FAIL)
    return study, recipe


def _run(study: Any, size: int, marks: dict[str, Any]) -> None:
    def trial(of: Any) -> float:
        of.suggest_categorical("stages.sft.batch_size", [2, 4])
        for mark, value in marks.items():
            of.set_user_attr(mark, value)
        if "interrupted" in marks:
            raise KeyError("cut short")
        if "out_of_time" in marks:
            raise TrialPruned
        return 1.0

    if not Book.of(study).has_waiting:
        study.enqueue_trial({"stages.sft.batch_size": size})
    study.optimize(trial, n_trials=1, catch=(KeyError,))
