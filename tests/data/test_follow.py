"""A run that training goes on from has dealt out rows already: what it taught is not tested on, and the other way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from dadeum.core.errors import RunError
from dadeum.core.examples import SPLITS, to_table
from dadeum.core.messages import LANGUAGES, Message
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.data.follow import follow_inputs
from dadeum.data.prepare import Prepared, prepare

MakeRecipe = Callable[..., Recipe]
SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후"
Talk = tuple[str, str]


def talks(num: int, seed: int) -> list[Talk]:
    chance = random.Random(seed)
    return [tuple("".join(chance.choices(SYLLABLES, k=30)) for _ in range(2)) for _ in range(num)]  # type: ignore[misc]


def write(path: Path, rows: Sequence[Talk]) -> str:
    lines = [{"prompt": asked, "completion": said} for asked, said in rows]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def keep(recipe: Recipe, folder: Path) -> tuple[Path, Prepared]:
    """A run folder as a training leaves it, its weights a few numbers."""
    prepared = prepare(recipe)
    run = Run.create(recipe, folder)
    for split in SPLITS:
        run.split_path(split).parent.mkdir(exist_ok=True)
        pq.write_table(to_table(prepared.examples[split]), run.split_path(split))
    weights = run.adapter_folder(recipe)
    weights.mkdir(parents=True)
    shape = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (weights / "adapter_config.json").write_text(json.dumps(shape))
    save_file({"q_proj.lora_A.weight": np.zeros(2, np.float32)}, weights / "adapter_model.safetensors")
    return folder, prepared


def going_on(recipe: Recipe, start: Path) -> Recipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"start": str(start)})})


def split_of(prepared: Prepared) -> dict[str, str]:
    """Text → split."""
    return {row.text: name for name, rows in prepared.examples.items() for row in rows}


@pytest.fixture
def before(make_chat: MakeRecipe, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A trained run of 60 talks, and where each of them went."""
    recipe = make_chat([{"path": write(tmp_path / "first.jsonl", talks(60, 1))}], seed=1)
    folder, prepared = keep(recipe, tmp_path / "run")
    return folder, split_of(prepared)


def test_rows_keep_their_split_in_another_file_with_another_seed(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    folder, known = before
    rows = talks(60, 1) + talks(60, 2)
    random.Random(5).shuffle(rows)
    recipe = make_chat([{"path": write(tmp_path / "second.jsonl", rows)}], seed=99)
    alone, following = split_of(prepare(recipe)), prepare(going_on(recipe, folder))
    found = split_of(following)
    assert any(alone[text] != split for text, split in known.items())
    assert {text: found[text] for text in known} == known
    assert {found[text] for text, _ in talks(60, 2)} == set(SPLITS)
    (note,) = [aside for aside in following.asides if isinstance(aside, Message) and aside.key.startswith("data.fol")]
    assert (note.values["num"], note.values["total"], note.values["test"]) == (60, 120, 6)
    assert all(str(folder) in text for text in (str(note), *following.notes[-1:]))
    assert LANGUAGES == ("ko", "en")


def test_near_copies_go_where_their_originals_went(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    """Also where the originals are not in the data any more: they were taught, or tested on, all the same."""
    folder, known = before
    copies = [(f"{asked[:-2]}다시", said) for asked, said in talks(60, 1)]
    recipe = make_chat([{"path": write(tmp_path / "copies.jsonl", copies + talks(30, 3))}], seed=7)
    found = split_of(prepare(going_on(recipe, folder)))
    originals = {copy: known[asked] for (copy, _), (asked, _) in zip(copies, talks(60, 1), strict=True)}
    assert {text: found[text] for text in originals} == originals
    assert set(originals.values()) == set(SPLITS)


def test_a_row_between_two_splits_goes_to_neither(make_chat: MakeRecipe, tmp_path: Path) -> None:
    """The run did not keep near copies together; a further one of them would carry what is tested into train."""
    (stem, _), *others = talks(40, 6)
    family = [(f"{stem}{ending}", f"답 {number}") for number, ending in enumerate(SYLLABLES[:30])]
    loose = {"split": {"group": "none", "test": 0.3}, "near_duplicate_similarity": 1.0}
    first = make_chat([{"path": write(tmp_path / "first.jsonl", [*family, *others])}], data=loose)
    folder, prepared = keep(first, tmp_path / "run")
    known = split_of(prepared)
    assert {known[text] for text, _ in family} == set(SPLITS)
    rows = [*family, *others, (f"{stem}힣", "사이에 있는 답")]
    recipe = make_chat(
        [{"path": write(tmp_path / "more.jsonl", rows)}], data={"near_duplicate_similarity": 1.0}, seed=7
    )
    following = prepare(going_on(recipe, folder))
    assert split_of(following) == known
    assert [(row.text, row.reason) for row in following.removed] == [(f"{stem}힣", "near_duplicate_of_held_out")]


def test_groups_of_the_new_recipe_do_not_pull_tested_rows_into_train(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    folder, known = before
    recipe = make_chat(
        [{"path": write(tmp_path / "a.jsonl", talks(60, 1))}, {"path": write(tmp_path / "b.jsonl", talks(60, 2))}],
        data={"split": {"group": "source", "validation": 0.1, "test": 0.3}},
    )
    found = split_of(prepare(going_on(recipe, folder)))
    assert {text: found[text] for text in known} == known


def test_what_the_recipe_asks_against_the_run_is_left_out_and_told(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    folder, known = before
    sources = [{"path": write(tmp_path / "a.jsonl", talks(60, 1))}, {"path": write(tmp_path / "b.jsonl", talks(60, 2))}]
    held = going_on(make_chat(sources, data={"split": {"hold_out": ["a"]}}), folder)
    prepared = prepare(held)
    assert {text for text, split in split_of(prepared).items() if split == "test"} & set(known) == {
        text for text, split in known.items() if split == "test"
    }
    taught = sum(split != "test" for split in known.values())
    assert prepared.removed_by_reason == {"taught_before": taught}
    only = prepare(going_on(make_chat(sources, data={"split": {"train_only": ["a"]}}), folder))
    assert only.removed_by_reason == {"tested_before": 60 - sum(split == "train" for split in known.values())}
    found = split_of(only)
    assert all(found.get(text) == ("train" if split == "train" else None) for text, split in known.items())
    assert any(aside.key == "data.follow.removed" for aside in only.asides)


def test_labels_tell_equal_texts_apart(make_recipe: MakeRecipe, mail_file: Any, tmp_path: Path) -> None:
    """Decisions go through the same door; ids of another file mean nothing."""
    rows = [(asked, ("BLOCK", "ALLOW")[number % 2]) for number, (asked, _) in enumerate(talks(60, 4))]
    folder, prepared = keep(make_recipe([{"path": str(mail_file(rows))}], seed=1), tmp_path / "run")
    known = split_of(prepared)
    recipe = make_recipe([{"path": str(mail_file(rows[::-1]))}], seed=50)
    assert split_of(prepare(recipe)) != known
    assert split_of(prepare(going_on(recipe, folder))) == known


def test_a_run_without_its_splits_is_told_and_their_content_is_an_input(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    folder, _ = before
    recipe = make_chat([{"path": write(tmp_path / "second.jsonl", talks(30, 2))}])
    assert follow_inputs(recipe) == []
    inputs = follow_inputs(going_on(recipe, folder))
    assert len(set(inputs)) == 3 and None not in inputs
    Run.open(folder).split_path("test").unlink()
    assert follow_inputs(going_on(recipe, folder)) != inputs
    with pytest.raises(RunError, match="data build"):
        prepare(going_on(recipe, folder))


def test_of_a_bare_adapter_nobody_knows_the_rows(
    make_chat: MakeRecipe, tmp_path: Path, before: tuple[Path, dict[str, str]]
) -> None:
    folder, _ = before
    bare = tmp_path / "bare"
    (folder / "stages" / "1-sft" / "adapter").rename(bare)
    recipe = make_chat([{"path": write(tmp_path / "second.jsonl", talks(60, 1))}], seed=99)
    assert split_of(prepare(going_on(recipe, bare))) == split_of(prepare(recipe))
