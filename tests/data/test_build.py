from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import DataError
from dadeum.core.examples import SCHEMA, SPLITS, read_examples
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash
from dadeum.data.build import REMOVED_SCHEMA, build_data
from dadeum.data.prepare import prepare

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def recipe(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> Recipe:
    chance = random.Random(3)
    rows = [
        ("".join(chance.choices("가나다라마바사아자차카타파하", k=14)), ("BLOCK", "ALLOW")[n % 2]) for n in range(60)
    ]
    return make_recipe([{"path": str(mail_file([*rows, rows[0], rows[1]]))}])


def test_a_build_writes_what_prepare_made(recipe: Recipe, tmp_path: Path, all_fit: Any) -> None:
    run = Run.create(recipe, tmp_path / "run")
    result = build_data(recipe, run, fits=all_fit)
    prepared = prepare(recipe)
    for split in SPLITS:
        assert read_examples(run.split_path(split)) == prepared.examples[split]
        assert pq.read_schema(run.split_path(split)).equals(SCHEMA)
    removed = pq.read_table(run.split_path("removed"))
    assert removed.schema.equals(REMOVED_SCHEMA)
    assert [(row["id"], row["reason"], row["detail"]) for row in removed.to_pylist()] == [
        ("mail:62", "exact_duplicate", "mail:2"),
        ("mail:63", "exact_duplicate", "mail:3"),
    ]
    assert (result.rows_in, sum(result.used.values()), result.removed) == (62, 60, {"exact_duplicate": 2})
    assert result.rows_in == sum(pq.read_metadata(path).num_rows for path in (tmp_path / "run" / "data").iterdir())
    assert result.seconds > 0


def test_the_manifest_holds_hashes_counts_and_guesses(recipe: Recipe, tmp_path: Path, all_fit: Any) -> None:
    run = Run.create(recipe, tmp_path / "run")
    build_data(recipe, run, fits=all_fit)
    data = run.manifest()["data"]
    assert (data["rows_in"], data["used"]) == (62, {"train": 48, "validation": 6, "test": 6})
    assert data["removed"] == {"exact_duplicate": 2}
    assert data["labels"]["test"] == {"BLOCK": 3, "ALLOW": 3}
    assert data["sha256"]["test"] == file_hash(run.split_path("test"))
    source = data["sources"]["mail"]
    assert source["sha256"] == file_hash(Path(recipe.data.sources[0].path))
    assert source["field_map"] == {
        "columns": {"subject": "subject", "label": "label"},
        "label_values": {},
        "guessed": True,
    }
    assert (source["file_name"], source["format"], source["encoding"], source["num_rows"]) == (
        "mail.csv",
        "csv",
        "utf-8",
        62,
    )


def test_the_same_recipe_writes_the_same_bytes(recipe: Recipe, tmp_path: Path, all_fit: Any) -> None:
    hashes = []
    for name in ("a", "b"):
        run = Run.create(recipe, tmp_path / name)
        build_data(recipe, run, fits=all_fit)
        hashes.append(run.manifest()["data"]["sha256"])
    assert hashes[0] == hashes[1]


def test_bad_input_leaves_nothing_half_written(make_recipe: MakeRecipe, tmp_path: Path, all_fit: Any) -> None:
    recipe = make_recipe([{"path": str(tmp_path / "none.csv")}])
    run = Run.create(recipe, tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        build_data(recipe, run, fits=all_fit)
    assert sorted(tmp_path.rglob("*")) == before
    assert "data" not in run.manifest()


def test_a_second_build_that_fails_leaves_the_first(recipe: Recipe, tmp_path: Path, all_fit: Any) -> None:
    run = Run.create(recipe, tmp_path / "run")
    build_data(recipe, run, fits=all_fit)
    before = run.manifest()["data"]
    Path(recipe.data.sources[0].path).write_text("subject,label\n가,모름\n", encoding="utf-8")
    with pytest.raises(DataError):
        build_data(recipe, run, fits=all_fit)
    assert run.manifest()["data"] == before
    assert file_hash(run.split_path("train")) == before["sha256"]["train"]


def test_nothing_removed_is_an_empty_table(
    mail_file: Callable[..., Path], make_recipe: MakeRecipe, tmp_path: Path, all_fit: Any
) -> None:
    recipe = make_recipe(
        [{"path": str(mail_file([(f"메일 {n * 7919} 번호", ("BLOCK", "ALLOW")[n % 2]) for n in range(9)]))}]
    )
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"clean": ()})})
    run = Run.create(recipe, tmp_path / "run")
    try:
        build_data(recipe, run, fits=all_fit)
    except DataError as error:
        pytest.fail(str(error))
    assert pq.read_table(run.split_path("removed")).num_rows == 0
