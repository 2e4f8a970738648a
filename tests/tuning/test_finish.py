"""The end of a search on tiny real models: winner, best.yaml, both runs on test rows, and going on after a kill."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import load_recipe
from dadeum.core.run import Run, read_json
from dadeum.tuning import repeats
from dadeum.tuning.finish import comparison_folder, conclude, failed_gates, taken_run
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.objectives import objectives_of
from dadeum.tuning.record import Search, Tried
from dadeum.tuning.repeats import recipe_of
from dadeum.tuning.space import defaults
from dadeum.tuning.trial import run_trial
from tests.tiny import decide_recipe

RATE = "stages.sft.learning_rate"
WORDS = [a + b for a in "가나다라마바사" for b in "람솔빛결별들"]


def mails(path: Path, number: int = 60) -> Path:
    chance = random.Random(3)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "label"])
        for row in range(number):
            said = " ".join(chance.sample(WORDS, 4))
            writer.writerow([said, "BLOCK" if row % 10 == 0 else "ALLOW"])
    return path


def recipe_in(folder: Path, base: Path, rates: tuple[float, ...] = (1e-8, 2e-2), **tune: Any) -> Recipe:
    """A recipe that learns nothing at its own rate of 1e-8; at 2e-2 it learns at least how rare BLOCK is."""
    source = {"path": str(mails(folder / "mails.csv")), "map": {"subject": "subject", "label": "label"}}
    stage = {"name": "sft", "method": "sft", "epochs": 1, "batch_size": 4, "learning_rate": 1e-8}
    return decide_recipe(  # type: ignore[no-any-return]
        base,
        data={"sources": [source], "clean": ["nfc"], "split": {"validation": 0.2, "test": 0.3, "group": "none"}},
        stages=[stage],
        evaluate={"bootstrap_samples": 100, "generate_rows": 0, "batch_size": 16, "baselines": ["majority"],
                  "gates": {"brier": "<= 0"}},
        tune={"space": {RATE: list(rates)}, "objectives": ["brier"], **tune},
    )  # fmt: skip


@dataclass
class Searched:
    recipe: Recipe
    folder: SearchFolder
    ground: Ground
    search: Search


def searched(root: Path, base: Path, **tune: Any) -> Searched:
    """A search of two trials that has come to its end: the recipe's own rate, and 2e-2."""
    recipe = recipe_in(root, base, **tune)
    folder = SearchFolder(root / "search")
    ground = Ground.lay(recipe, folder)
    objectives = objectives_of(recipe)
    tried = []
    for number, rate in enumerate((1e-8, 2e-2)):
        one = Tried(number=number, params={RATE: rate}, state="running", is_default=number == 0)
        outcome = run_trial(recipe_of(recipe, one), ground, folder.trial(number), objectives)
        tried.append(one.model_copy(update={"state": "complete", "values": outcome.values}))
    return Searched(recipe, folder, ground, search_of(recipe, tried))


def search_of(recipe: Recipe, tried: list[Tried], **fields: Any) -> Search:
    assert recipe.tune
    given: dict[str, Any] = {
        "name": recipe.name, "study": "tiny-1", "storage": "sqlite", "objectives": objectives_of(recipe),
        "space": recipe.tune.space, "defaults": defaults(recipe), "trials": len(tried), "timeout_minutes": None,
        "pruner": "halving", "workers": 1, "num_validation": 12, "num_train": 30, "seconds": 1.0, "ended": "trials",
        "duplicates": 0, "tried": tuple(tried),
    }  # fmt: skip
    return Search(**given | fields)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Searched:
    """Two trials, each with two seeds, the winner tested."""
    made = searched(tmp_path_factory.mktemp("ended"), tiny_llama, repeat=2, top=1)
    made.search = conclude(made.search, made.recipe, made.ground, made.folder)
    return made


def test_winner_is_repeated_trained_again_and_tested_beside_the_recipe_as_it_was(ended: Searched) -> None:
    found = ended.search
    assert (found.winner, found.winner_is_default) == (1, False)
    assert [(one.number, one.seeds, len(one.values)) for one in found.repeated] == [(1, (42, 43), 2), (0, (42, 43), 2)]
    assert found.repeated[0].values[0] == found.tried[1].values[0]
    assert found.repeated[0].mean == pytest.approx(sum(found.repeated[0].values) / 2)
    assert found.final is not None
    assert [one.metric for one in found.final.tested] == ["brier", "macro_f1", "accuracy"]
    first = found.final.tested[0]
    assert first.direction == "minimize" and first.tuned.value < first.default.value
    assert first.verdict == ("better" if first.difference.high < 0 else "unclear")
    assert first.difference.value == pytest.approx(first.tuned.value - first.default.value)
    scores = [read_json(Run(ended.folder.path / name).scores_path) for name in ("default", "best")]
    assert [score["systems"]["tuned"]["brier"] for score in scores] == pytest.approx(
        [first.default.value, first.tuned.value]
    )
    assert scores[0]["num_rows"]["test"] == found.final.num_test == ended.ground.rows["test"]
    assert found.final.sentences_ko and len(found.final.sentences_ko) == len(found.final.sentences_en)
    assert (comparison_folder(ended.folder) / "comparison.html").is_file()


def test_winner_trained_again_gives_the_validation_figure_of_its_trial(ended: Searched) -> None:
    assert ended.search.final is not None
    assert ended.search.final.reproduced == ended.search.tried[1].values[0]
    # Trials are judged on validation rows, the runs on test rows: nothing was mixed up.
    judged = read_json(ended.folder.path / "reproduced" / "evaluation" / "scores.json")["num_rows"]["test"]
    assert judged == ended.ground.rows["validation"] != ended.ground.rows["test"]


def test_best_yaml_runs_as_it_is_and_says_what_it_is(ended: Searched) -> None:
    best = load_recipe(ended.folder.best_path)
    assert best == recipe_of(ended.recipe, ended.search.tried[1])
    assert best.stages[0].learning_rate == 2e-2 and best.tune == ended.recipe.tune
    head = [line for line in ended.folder.best_path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any("검증 행 12" in line for line in head) and any("12 validation rows" in line for line in head)
    assert sum("1e-08 → 0.02" in line for line in head) == 2


def test_failed_gates_are_told_and_end_nothing(ended: Searched) -> None:
    told = [notice.values["run"] for notice in ended.search.notices if notice.key == "tune.finish.notice.gate_failed"]
    assert told == ["best", "default"]
    taken = taken_run(ended.search, ended.folder)
    assert taken == ended.folder.best_run
    assert [gate.metric for gate in failed_gates(taken)] == ["brier"]


def test_both_runs_took_the_rows_of_the_search_and_checked_nothing_again(ended: Searched) -> None:
    for name in ("default", "best"):
        run = Run(ended.folder.path / name)
        assert (run.folder / "data").resolve() == (ended.ground.run.folder / "data").resolve()
        skipped = {one["step"] for one in events(run) if one["event"] == "step_skipped"}
        assert {"data.build", "data.check"} <= skipped
        assert (run.folder / "report.html").is_file() and (run.export_folder / "adapter").is_dir()


def events(run: Run) -> list[dict[str, Any]]:
    from dadeum.core.run import read_jsonl

    return read_jsonl(run.folder / "events.jsonl")


def test_repeats_leave_no_weights(ended: Searched) -> None:
    left = sorted(path.name for path in (ended.folder.path / "repeats").iterdir())
    assert left == ["0-43", "1-43"]
    assert not list((ended.folder.path / "repeats").rglob("*.safetensors"))


def test_called_again_it_finds_everything_done(ended: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **more: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(repeats, "run_trial", never)
    monkeypatch.setattr("dadeum.training.train.train", never)
    monkeypatch.setattr("dadeum.evaluation.evaluate.evaluate", never)
    again = conclude(ended.search, ended.recipe, ended.ground, ended.folder)
    assert again == ended.search
