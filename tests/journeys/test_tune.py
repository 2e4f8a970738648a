"""`dadeum tune` as people call it: a real search on a tiny model, taken up again with a larger budget, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dadeum.cli_tune import _minutes
from dadeum.core.errors import RecipeError

SPACE = {"stages.sft.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "stages.sft.batch_size": [4, 8]}


def give_space(project: Path, tune: dict[str, Any] | None, **stage: Any) -> None:
    path = project / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["stages"][0] |= stage
    if tune is not None:
        recipe["tune"] = tune
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")


def test_a_search_from_the_recipe_to_a_tested_best(project: Path, dadeum: Any) -> None:
    give_space(project, {"space": SPACE, "trials": 2}, epochs=1, learning_rate=1e-3)
    code, told, err = dadeum("tune", "recipe.yaml", "--out", "found")
    assert code in (0, 1), err  # a gate of the recipe may fail on a random model
    found = project / "found"
    search = json.loads((found / "tune.json").read_text(encoding="utf-8"))
    assert (search["ended"], len(search["tried"])) == ("trials", 2)
    assert search["tried"][0]["is_default"]
    assert "2/2" in told
    assert str(found / "best.yaml") in told or "found/best.yaml" in told
    assert "eval_steps" in told  # one epoch, one validation: nothing can be stopped early, and that is said
    assert (found / "tune.html").stat().st_size > 10_000
    assert not any((found / "trials").glob("*/stages/*/adapter"))
    assert (found / ("default" if search["winner_is_default"] else "best") / "report.html").is_file()
    assert dadeum("plan", "found/best.yaml")[0] == 0

    # Going on: what was tried stays, one more is tried.
    code, told, err = dadeum("tune", "--resume", "found", "--trials", "3")
    assert code in (0, 1), err
    again = json.loads((found / "tune.json").read_text(encoding="utf-8"))
    assert [one["params"] for one in again["tried"]][:2] == [one["params"] for one in search["tried"]]
    assert len(again["tried"]) == 3


@pytest.mark.parametrize(
    ("tune", "options", "said"),
    [
        (None, [], "tune"),
        ({"space": {"stages.sft.learning_rat": [1e-3]}}, [], "stages.sft.learning_rate"),
        ({"space": {"data.split.test": [0.1, 0.2]}}, [], "data.split.test"),
        ({"space": SPACE, "objectives": ["makro_f1"]}, [], "macro_f1"),
        ({"space": SPACE}, ["--timeout", "soon"], "1h30m"),
        ({"space": SPACE}, ["--resume", "nowhere"], "--resume"),
        ({"space": {"stages.sft.learning_rate": {"low": 2, "high": 1}}}, [], "low"),
    ],
)
def test_mistakes_are_sentences_and_leave_nothing(
    project: Path, dadeum: Any, tune: dict[str, Any] | None, options: list[str], said: str
) -> None:
    give_space(project, tune)
    before = {path.name for path in project.iterdir()}
    code, _, err = dadeum("tune", "recipe.yaml", *options)
    assert code == 2
    assert said in err
    assert {path.name for path in project.iterdir()} == before


def test_a_search_goes_on_only_from_its_folder(project: Path, dadeum: Any) -> None:
    code, _, err = dadeum("tune", "--resume", ".")
    assert (code, "dadeum tune" in err) == (2, True)
    code, _, err = dadeum("tune", "--resume", ".", "--set", "seed=2")
    assert (code, "--set" in err) == (2, True)


@pytest.mark.parametrize(("given", "minutes"), [("90", 90), ("90m", 90), ("2h", 120), ("1h30m", 90), ("0.5h", 30)])
def test_times_are_read(given: str, minutes: float) -> None:
    assert _minutes(given) == minutes


@pytest.mark.parametrize("given", ["", "soon", "-5", "0", "h"])
def test_what_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(RecipeError, match="1h30m"):
        _minutes(given)
