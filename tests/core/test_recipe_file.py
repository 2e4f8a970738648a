from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.errors import Problems, RecipeError
from dadeum.core.model import Lora, NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump, load_recipe, shipped_recipes
from dadeum.core.recipe_layers import merge

GOOD = """\
name: mail
task:
  type: decide
  instruction: 스팸이면 BLOCK
  labels: [BLOCK, ALLOW]
  input_fields: [subject]
model:
  base: smollm2-135m
  adapter: {type: lora, r: 8}
data:
  sources:
    - {path: block.csv, label: BLOCK}
    - {path: allow.jsonl, name: notices, label: ALLOW}
stages:
  - {name: sft, method: sft, epochs: 3, learning_rate: 2e-4}
profiles:
  cpu:
    render: {max_length_tokens: 256}
    stages:
      sft: {epochs: 1}
  full:
    model: {adapter: {type: none}}
  empty:
"""


def written(folder: Path, content: str, encoding: str = "utf-8") -> Path:
    path = folder / "mail.yaml"
    path.write_bytes(content.encode(encoding))
    return path


def mistakes(folder: Path, content: str, **options: Any) -> list[str]:
    """English sentences of everything that is wrong with a recipe."""
    with pytest.raises((RecipeError, Problems)) as caught:
        load_recipe(written(folder, content), **options)
    found = caught.value.problems if isinstance(caught.value, Problems) else [caught.value]
    return [problem.in_language("en") for problem in found]


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


# -- reading ------------------------------------------------------------------------------------
def test_a_good_recipe_loads_with_absolute_source_paths(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, GOOD))
    assert recipe.stages[0].learning_rate == 2e-4
    assert [source.path for source in recipe.data.sources] == [
        str(tmp_path / "block.csv"),
        str(tmp_path / "allow.jsonl"),
    ]


def test_a_base_that_is_a_folder_beside_the_recipe_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models/mine").mkdir(parents=True)
    (tmp_path / "models/mine/config.json").write_text("{}", encoding="utf-8")
    path = written(tmp_path, GOOD)
    assert load_recipe(path, overrides=("model.base=models/mine",)).model.base == str(tmp_path / "models/mine")
    assert load_recipe(path, overrides=("model.base=models/other",)).model.base == "models/other"
    monkeypatch.chdir(tmp_path / "models")
    assert load_recipe(path, overrides=("model.base=./mine",)).model.base == str(tmp_path / "models/mine")
    assert load_recipe(path, overrides=("model.base=mine",)).model.base == "mine"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path, encoding: str) -> None:
    assert load_recipe(written(tmp_path, GOOD, encoding)).task.instruction == "스팸이면 BLOCK"


def test_a_recipe_in_cp949_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(written(tmp_path, GOOD, "cp949"))


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    [sentence] = mistakes(tmp_path, edited("  labels: [BLOCK, ALLOW]", "  labels: [BLOCK, ALLOW"))
    assert "mail.yaml line 6" in sentence


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "only a sentence\n"])
def test_a_file_that_is_no_mapping_is_no_recipe(tmp_path: Path, content: str) -> None:
    assert "not a recipe" in mistakes(tmp_path, content)[0]


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    [sentence] = mistakes(tmp_path, GOOD.replace("stages:\n  - {", "seed: 1\nseed: 2\nstages:\n  - {"))
    assert sentence == (
        "mail.yaml line 15: the key 'seed' stands twice (first at mail.yaml line 14). Remove one of them."
    )


def test_an_unknown_recipe_name_lists_what_is_shipped() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("spam-agnet")
    assert caught.value.values["known"] == ", ".join(shipped_recipes())


# -- mistakes -----------------------------------------------------------------------------------
def test_an_unknown_key_gets_the_nearest_name_and_its_line(tmp_path: Path) -> None:
    [sentence] = mistakes(tmp_path, edited("r: 8", "r: 8, dropot: 0.1"))
    assert sentence.startswith("mail.yaml line 9: unknown key 'model.adapter.dropot'. Did you mean 'dropout'?")


def test_keys_of_another_type_are_not_offered(tmp_path: Path) -> None:
    [sentence] = mistakes(tmp_path, edited("type: lora, r: 8", "type: none, r: 8"))
    assert sentence == "mail.yaml line 9: unknown key 'model.adapter.r'. Valid keys: type"


def test_a_missing_key_points_at_the_section(tmp_path: Path) -> None:
    assert mistakes(tmp_path, edited("  base: smollm2-135m\n", "")) == [
        "mail.yaml line 7: the required key 'model.base' is missing. Add it."
    ]


def test_a_missing_type_and_a_wrong_type_are_told_apart(tmp_path: Path) -> None:
    assert mistakes(tmp_path, edited("type: lora, ", "")) == [
        "mail.yaml line 9: the required key 'model.adapter.type' is missing. Add it."
    ]
    assert mistakes(tmp_path, edited("type: lora", "type: lorra")) == [
        "mail.yaml line 9: 'model.adapter.type' cannot be 'lorra'. Write one of: 'none', 'lora', 'qlora'."
    ]


def test_several_mistakes_are_reported_at_once_without_echoes(tmp_path: Path) -> None:
    content = edited("path: block.csv", "path: 3, labl: x").replace("labels: [BLOCK, ALLOW]", "labels: [BLOCK, BLOCK]")
    task, path, label, epochs = mistakes(tmp_path, content.replace("epochs: 3", "epochs: .inf"))
    assert "labels must differ from each other" in task
    assert path.startswith("mail.yaml line 12: 'data.sources.0.path' cannot be 3")
    assert label.startswith("mail.yaml line 12: unknown key 'data.sources.0.labl'")
    assert epochs.startswith("mail.yaml line 15: 'stages.0.epochs' cannot be inf")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("labels: [BLOCK, ALLOW]", "labels: [true, ALLOW]", "put quotes around a number"),
        ("labels: [BLOCK, ALLOW]", "labels: BLOCK", "put even a single item in brackets"),
        ("epochs: 3", "epochs: 0", "It must be more than 0"),
        ("epochs: 3", "epochs: three", "It must be a number"),
        ("epochs: 3", "batch_size: 2.5", "It must be a whole number"),
        ("r: 8", "r: 0", "It must be at least 1"),
        ("r: 8", "dropout: 1.5", "It must be less than 1"),
        ("r: 8", "targets: atention", "Write one of: 'attention', 'all-linear'. Or: It must be a list"),
        ("name: mail", "name: my mail", "Only letters, digits"),
        ("name: mail", "name:", "'name' has no value"),
        ("labels: [BLOCK, ALLOW]", "labels: [BLOCK]", "It needs 2 or more items"),
        ("stages:\n  - {", "render: 3\nstages:\n  - {", "It must hold `key: value` lines"),
        ("data:\n", "data:\n  split: {validation: 0.5, test: 0.5}\n", "make their sum less than 1"),
        ("data:\n", "data:\n  split: {stratify: perhaps}\n", "It must be true or false"),
    ],
)
def test_wrong_values_say_what_may_stand_there(tmp_path: Path, old: str, new: str, expected: str) -> None:
    [sentence] = mistakes(tmp_path, GOOD.replace(old, new, 1))
    assert expected in sentence


def test_no_english_stands_inside_a_korean_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(written(tmp_path, edited("r: 8", "r: 0")))
    assert caught.value.in_language("ko") == (
        "mail.yaml 9번째 줄: 'model.adapter.r'의 값 0을(를) 쓸 수 없습니다. 1 이상이어야 합니다."
    )


# -- profiles -----------------------------------------------------------------------------------
def test_a_profile_changes_only_what_it_names(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    plain, changed = load_recipe(path), load_recipe(path, profile="cpu")
    assert (changed.stages[0].epochs, changed.render.max_length_tokens) == (1, 256)
    assert changed.stages[0].learning_rate == plain.stages[0].learning_rate
    assert load_recipe(path, profile="empty") == plain


def test_a_section_that_becomes_none_starts_afresh(tmp_path: Path) -> None:
    assert isinstance(load_recipe(written(tmp_path, GOOD), profile="full").model.adapter, NoAdapter)


def test_a_profile_may_name_a_source_by_its_file(tmp_path: Path) -> None:
    content = GOOD + "  few:\n    data: {sources: {block: {sample: 10}, notices: {sample: 20}}}\n"
    recipe = load_recipe(written(tmp_path, content), profile="few")
    assert [source.sample for source in recipe.data.sources] == [10, 20]


def test_a_mistake_in_a_profile_is_shown_where_the_profile_made_it(tmp_path: Path) -> None:
    content = edited("sft: {epochs: 1}", "sft: {epochs: -1}")
    assert load_recipe(written(tmp_path, content)).stages[0].epochs == 3
    [sentence] = mistakes(tmp_path, content, profile="cpu")
    assert sentence.startswith("mail.yaml line 20: 'stages.0.epochs' cannot be -1")


def test_unknown_profiles_and_stages_list_what_exists(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD, profile="gpu") == ["mail.yaml: no profile 'gpu'. Known profiles: cpu, full, empty."]
    [sentence] = mistakes(tmp_path, edited("sft: {epochs: 1}", "dpo: {epochs: 1}"), profile="cpu")
    assert sentence == "mail.yaml line 17: the list has no item 'dpo'. It has: sft."


@pytest.mark.parametrize("profiles", ["profiles: 3", "profiles: [cpu]", "profiles: {cpu: 3}"])
def test_profiles_of_the_wrong_shape_are_refused(tmp_path: Path, profiles: str) -> None:
    content = GOOD.partition("profiles:")[0] + profiles + "\n"
    assert "`profiles` must look like" in mistakes(tmp_path, content, profile="cpu")[0]


def test_merge_replaces_plain_lists_and_keeps_untouched_keys() -> None:
    assert merge({"a": [1, 2], "b": {"c": 1, "d": 2}}, {"a": [3], "b": {"d": 4}, "e": 5}) == {
        "a": [3],
        "b": {"c": 1, "d": 4},
        "e": 5,
    }


# -- --data and --set ---------------------------------------------------------------------------
def test_set_reaches_list_items_by_name_and_by_index(tmp_path: Path) -> None:
    overrides = ("stages.sft.epochs=2", "stages.0.learning_rate=1e-3", "data.sources.notices.sample=5", "seed=7")
    recipe = load_recipe(written(tmp_path, GOOD), overrides=overrides)
    assert (recipe.stages[0].epochs, recipe.stages[0].learning_rate, recipe.seed) == (2, 1e-3, 7)
    assert recipe.data.sources[1].sample == 5


@pytest.mark.parametrize(("value", "expected"), [("2e-4", 2e-4), ("-1E3", -1000.0), ("3.e2", 300.0), ("e-4", "e-4")])
def test_exponents_without_a_point_are_numbers(tmp_path: Path, value: str, expected: object) -> None:
    path = written(tmp_path, GOOD)
    from_option = load_recipe(path, overrides=(f"stages.sft.trainer_args.adam_epsilon={value}",))
    path.write_text(edited("epochs: 3", f"trainer_args: {{adam_epsilon: {value}}}"))
    assert from_option.stages[0].trainer_args == {"adam_epsilon": expected}
    assert load_recipe(path).stages[0].trainer_args == {"adam_epsilon": expected}


def test_set_wins_over_the_profile_and_makes_absent_sections(tmp_path: Path) -> None:
    overrides = ("render.max_length_tokens=64", "data.split.test=0.3", "model.adapter={type: qlora, r: 4}")
    recipe = load_recipe(written(tmp_path, GOOD), profile="cpu", overrides=overrides)
    assert (recipe.render.max_length_tokens, recipe.data.split.test) == (64, 0.3)
    assert recipe.model.adapter == QLora(type="qlora", r=4)


def test_files_of_an_option_are_meant_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("recipe", "here"):
        (tmp_path / name).mkdir()
    path = written(tmp_path / "recipe", GOOD)
    (tmp_path / "here" / "mine.csv").write_text("a\n")
    monkeypatch.chdir(tmp_path / "here")
    found = load_recipe(path, overrides=("data.sources.notices.path=mine.csv",)).data.sources
    assert str(tmp_path / "here" / "mine.csv") in [source.path for source in found]
    # A file that is not here is the recipe's own.
    found = load_recipe(path, overrides=("data.sources.notices.path=yours.csv",)).data.sources
    assert str(tmp_path / "recipe" / "yours.csv") in [source.path for source in found]


def test_setting_the_adapter_type_to_none_drops_the_rank(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, GOOD), overrides=("model.adapter.type=none",))
    assert recipe.model.adapter == NoAdapter(type="none")
    assert isinstance(load_recipe(written(tmp_path, GOOD)).model.adapter, Lora)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "must look like 'a.b=value'"),
        ("=3", "must look like 'a.b=value'"),
        ("seed=[1", "must look like 'a.b=value'"),
        ("name.deeper=1", "nothing can be set under 'name'"),
        ("stages.dpo.epochs=1", "--set stages.dpo.epochs=1: the list has no item 'dpo'. It has: sft."),
        ("stages.9.epochs=1", "the list has no item '9'"),
        ("stages.sft.epoch=1", "--set stages.sft.epoch=1: unknown key 'stages.0.epoch'. Did you mean 'epochs'?"),
        ("stages.sft.epochs=x", "--set stages.sft.epochs=x: 'stages.0.epochs' cannot be 'x'"),
        ("modle.base=x", "--set modle.base=x: unknown key 'modle'. Did you mean 'model'?"),
        ("data=", "--set data=: 'data' has no value"),
    ],
)
def test_a_wrong_override_is_blamed_on_the_option(tmp_path: Path, override: str, expected: str) -> None:
    [sentence] = mistakes(tmp_path, GOOD, overrides=(override,))
    assert expected in sentence


def test_data_replaces_the_sources(tmp_path: Path) -> None:
    mails = tmp_path / "mine.csv"
    recipe = load_recipe(written(tmp_path, GOOD), data=mails, overrides=("data.sources.mine.label=BLOCK",))
    assert [(source.path, source.label) for source in recipe.data.sources] == [(str(mails), "BLOCK")]


def test_data_works_on_a_recipe_that_leaves_the_section_empty(tmp_path: Path) -> None:
    content = GOOD.replace(GOOD[GOOD.index("data:") : GOOD.index("stages:")], "data:\n")
    assert len(load_recipe(written(tmp_path, content), data=tmp_path / "mine.csv").data.sources) == 1


# -- saving -------------------------------------------------------------------------------------
def test_a_saved_recipe_loads_as_the_same_recipe_from_anywhere(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, GOOD), profile="cpu")
    elsewhere = tmp_path / "runs" / "recipe.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(dump(recipe), encoding="utf-8")
    assert load_recipe(elsewhere) == recipe


words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12)
tricky_words = words | st.sampled_from(
    ["1e5", "2E-4", "yes", "null", "~", "0x1F", "1_000", "2024-01-01", "- a", "1.e3"]
)
arguments = st.dictionaries(
    words, st.floats(allow_nan=False) | st.booleans() | st.integers() | tricky_words, max_size=4
)


@given(instruction=tricky_words, labels=st.lists(tricky_words, min_size=2, max_size=4, unique=True), extra=arguments)
def test_dump_then_load_is_the_identity(instruction: str, labels: list[str], extra: dict[str, Any]) -> None:
    raw = yaml.safe_load(GOOD)
    del raw["profiles"]
    raw["task"] |= {"instruction": instruction, "labels": labels}
    raw["data"]["sources"] = [{"path": "/data/block.csv", "label_values": dict.fromkeys(labels, "BLOCK")}]
    raw["stages"][0]["trainer_args"] = extra
    recipe = Recipe.model_validate(raw)
    assert read_back(dump(recipe)) == recipe


def read_back(content: str) -> Recipe:
    with TemporaryDirectory() as folder:
        return load_recipe(written(Path(folder), content))


def test_on_and_off_are_words_where_a_word_is_wanted(tmp_path: Path) -> None:
    """YAML 1.1 makes booleans of them; `compile: off` would be refused, or a label NO would become false."""
    path = written(tmp_path, GOOD)
    overrides = ("stages.sft.compile=off", "stages.sft.share_prefix=off", "stages.sft.gradient_checkpointing=yes")
    stage = load_recipe(path, overrides=overrides).stages[0]
    assert (stage.compile, stage.share_prefix, stage.gradient_checkpointing) == ("off", False, True)
