"""Rows asked for in several ways: which there are, which an epoch takes, and that training goes on from a kill."""

from __future__ import annotations

from collections import Counter

import pyarrow.parquet as pq
import pytest
import torch

from dadeum.core.examples import SPLITS, Example, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Fitted, Renderer
from dadeum.tasks import summarize
from dadeum.training.arguments import check_stages, steps_per_epoch
from dadeum.training.instructions import rows_per_epoch, ways
from dadeum.training.order import LengthWindowSampler
from dadeum.training.rows import prompt_groups
from dadeum.training.train import train

OWN = "Sum up."
WAYS = ("Sum up.", "Say it in one line.", "What was said? In short.")


def recipe_of(base, render=None, **stage):
    return Recipe.model_validate(
        {
            "name": "tiny-summary",
            "task": {"type": "summarize", "instruction": OWN},
            "model": {"base": str(base), "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"},
            "data": {"sources": [{"path": "unused.csv"}]},
            "render": {"max_length_tokens": 256} | (render or {}),
            "stages": [{"name": "sft", "method": "sft", "batch_size": 4, "epochs": 2, "learning_rate": 5e-3, **stage}],
        }
    )


def example(recipe, number):
    dialogue = f"#Person1#: mail {number}\n#Person2#: " + "spam " * (number % 5)
    return Example(
        id=f"talk:{number}", source="talk", origin="talk", group=str(number), text=dialogue,
        prompt=summarize.prompt(recipe.task, dialogue, recipe.render.format),
        completion=summarize.completion(f"mail {number}"), label="",
    )  # fmt: skip


def new_run(folder, recipe, name="run"):
    run = Run.create(recipe, folder / name)
    for split, numbers in zip(SPLITS, (range(10), range(10, 14), range(14, 18)), strict=True):
        run.split_path(split).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(to_table(example(recipe, number) for number in numbers), run.split_path(split))
    return run


def always(example):
    return Fitted(example, 10, 5)


def too_long_for(asked):
    """Without room for one of the ways."""

    def fit(example):
        return Fitted(None if asked in example.prompt[0]["content"] else example, 10, 5)

    return fit


@pytest.mark.parametrize("form", ["chat", "instruction"])
def test_every_row_in_every_way_and_nothing_else_changes(form):
    recipe = recipe_of("x", {"format": form}, instructions=WAYS, augment="copy")
    rows = [example(recipe, number) for number in range(4)]
    made = ways(recipe, recipe.stages[0], rows, always)
    assert made.num_rows == len(made.examples) == 12
    assert made.drawn_from is None
    assert made.examples[0] == rows[0]
    for row, places in zip(rows, made.per_row, strict=True):
        asked = [made.examples[place] for place in places]
        assert [one.id for one in asked] == [row.id] * 3
        texts = [summarize.source_text(one.prompt) for one in asked]
        assert [text.replace(way, OWN) for text, way in zip(texts, WAYS, strict=True)] == [texts[0]] * 3
        assert len(set(texts)) == 3


def test_without_instructions_rows_are_as_they_were():
    recipe = recipe_of("x")
    rows = [example(recipe, number) for number in range(4)]
    made = ways(recipe, recipe.stages[0], rows, lambda one: pytest.fail("measured in vain"))
    assert made.examples == rows
    assert (made.num_rows, made.drawn_from, made.figures) == (4, None, {})


def test_a_way_that_makes_a_row_too_long_is_left_out_and_told(caplog):
    recipe = recipe_of("x", instructions=WAYS)
    rows = [example(recipe, number) for number in range(3)]
    made = ways(recipe, recipe.stages[0], rows, too_long_for(WAYS[2]))
    assert [len(places) for places in made.per_row] == [2, 2, 2]
    assert made.figures == {"ways_to_ask": 2, "ways_left_out": 3, "ways_cut": 0}
    assert "256" in caplog.text
    made = ways(recipe, recipe.stages[0], rows, lambda one: Fitted(None, 10, 5))
    assert made.examples == rows  # as they were measured


def test_a_way_for_which_the_input_is_cut_is_kept_and_counted():
    """`truncation: cut_input` cuts rows to the limit: a longer instruction must not cost them."""
    recipe = recipe_of("x", instructions=WAYS)
    rows = [example(recipe, number) for number in range(3)]
    made = ways(recipe, recipe.stages[0], rows, lambda one: Fitted(one, 10, 5, was_cut=WAYS[2] in str(one.prompt)))
    assert [len(places) for places in made.per_row] == [3, 3, 3]
    assert made.figures == {"ways_to_ask": 3, "ways_left_out": 0, "ways_cut": 3}


def test_each_epoch_draws_one_way_per_row():
    per_row = [[3 * row, 3 * row + 1, 3 * row + 2] for row in range(200)]
    sampler = LengthWindowSampler([1 + place % 7 for place in range(600)], 4, seed=3, ways=per_row)
    taken = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert len(order) == len(sampler) == 200
        assert sorted(place // 3 for place in order) == list(range(200))
        taken.append(order)
    assert taken[0] != taken[1]
    shares = Counter(place % 3 for order in taken for place in order)
    assert all(abs(num / 1200 - 1 / 3) < 0.05 for num in shares.values())
    again = LengthWindowSampler([1 + place % 7 for place in range(600)], 4, seed=3, ways=per_row)
    again.set_epoch(5)
    assert list(again) == taken[5]
    assert list(LengthWindowSampler([1] * 600, 4, seed=4, ways=per_row)) != taken[0]


def test_rows_of_one_long_instruction_stand_together():
    """What `prompt_groups` finds in all ways still holds for those that an epoch draws."""
    asked = [list(range(100 * way, 100 * way + 40)) for way in range(3)]
    rows = [[1, 2, *asked[way], 900 + row] for row in range(64) for way in range(3)]
    groups = prompt_groups(rows, 4)
    assert len(set(groups)) == 3
    ways_of = [[3 * row, 3 * row + 1, 3 * row + 2] for row in range(64)]
    order = list(LengthWindowSampler([43] * 192, 4, 3, groups, ways_of))
    mixed = sum(len({groups[place] for place in order[at : at + 4]}) > 1 for at in range(0, 64, 4))
    assert mixed <= 2


@pytest.mark.parametrize(("augment", "rows", "steps"), [("sample", 10, 6), ("copy", 30, 16)])
def test_training_takes_as_many_steps_as_said(tiny_llama, tmp_path, augment, rows, steps):
    recipe = recipe_of(tiny_llama, instructions=WAYS, augment=augment)
    result = train(recipe, new_run(tmp_path, recipe))["sft"]
    assert (result.rows, result.steps) == (rows, steps)
    assert rows_per_epoch(recipe.stages[0], 10) == rows
    assert 2 * steps_per_epoch(rows, recipe.stages[0]) == steps
    assert result.figures == {"ways_to_ask": 3, "ways_left_out": 0, "ways_cut": 0}


def test_both_epochs_ask_differently_and_validation_asks_as_the_task_does(tiny_llama, tmp_path):
    from dadeum.training.methods.sft import ready
    from tests.tiny import work_on

    recipe = recipe_of(tiny_llama, instructions=WAYS[1:])
    run = new_run(tmp_path, recipe)
    tokenizer = load_tokenizer(recipe.model)
    seen = []
    with ready(work_on(recipe, tmp_path / "stage", run=run)) as made:
        collate = made.trainer.data_collator
        made.trainer.data_collator = type(
            "Spy", (), {"__call__": lambda self, rows: (seen.extend(rows), collate(rows))[1],
                        "__getattr__": lambda self, name: getattr(collate, name)}
        )()  # fmt: skip
        made.trainer.train()
        validated = [tokenizer.decode(row["input_ids"]) for row in made.trainer.eval_dataset]
    asked = [tokenizer.decode(row["input_ids"]) for row in seen]
    trained = [text for text in asked if text not in validated]
    assert len(trained) == 20
    assert {way: sum(way in text for text in trained) > 0 for way in WAYS} == {OWN: False, WAYS[1]: True, WAYS[2]: True}
    assert set(trained[:10]) != set(trained[10:])
    assert all(OWN in text for text in validated)


def test_resume_after_a_kill_draws_as_an_uninterrupted_run(tiny_llama, tmp_path):
    recipe = recipe_of(tiny_llama, instructions=WAYS, eval_steps=2, save_steps=2)
    straight, killed = (new_run(tmp_path, recipe, name) for name in ("straight", "killed"))
    train(recipe, straight)

    class Killed(BaseException):
        pass

    def kill(what, done, total):
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, killed, kill)
    train(recipe, killed)
    assert any(event["event"] == "stage_resumed" for event in read_jsonl(killed.folder / "events.jsonl"))
    curves = [
        [(row["step"], row["loss"]) for row in read_jsonl(run.metrics_path) if "loss" in row]
        for run in (straight, killed)
    ]
    assert len(curves[0]) == 6
    assert curves[0] == curves[1]


def test_instructions_need_a_place_to_stand(tiny_llama):
    from tests.tiny import decide_recipe

    assert check_stages(recipe_of(tiny_llama, instructions=WAYS)) == []
    stage = {"name": "sft", "method": "sft", "instructions": WAYS}
    [problem] = check_stages(decide_recipe(tiny_llama, stages=[stage]))
    assert problem.key == "train.instructions.other_task"
    recipe = recipe_of(tiny_llama, instructions=WAYS)
    empty = recipe.model_copy(update={"task": recipe.task.model_copy(update={"instruction": ""})})
    [problem] = check_stages(empty)
    assert problem.key == "train.instructions.none_to_replace"


def test_measured_lengths_are_those_of_the_renderer(tiny_llama, tmp_path, caplog):
    """A limit that only the longest way breaks: training goes on without it."""
    recipe = recipe_of(tiny_llama)
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render)
    rows = [example(recipe, number) for number in range(18)]
    longest = max(len(renderer.render(row).input_ids) for row in rows)
    bound = recipe_of(tiny_llama, {"max_length_tokens": longest}, instructions=(OWN, OWN + " long" * 40))
    result = train(bound, new_run(tmp_path, bound))["sft"]
    assert result.figures["ways_left_out"] > 0
    assert result.rows == 10
    assert str(longest) in caplog.text
    assert torch.isfinite(torch.tensor(result.train_loss))
