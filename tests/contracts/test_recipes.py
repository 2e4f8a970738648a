"""Every shipped recipe is valid in every profile, is short, and brings the data that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dadeum.core.recipe_file import dump, load_recipe, read_yaml, shipped_recipes

RECIPES = shipped_recipes()
# Each recipe alone, and with each of its profiles.
VARIANTS = [
    (name, profile) for name, path in RECIPES.items() for profile in (None, *read_yaml(path)[0].get("profiles", {}))
]


def test_there_is_something_to_start_from() -> None:
    assert "spam-agent" in RECIPES


@pytest.mark.parametrize(("name", "profile"), VARIANTS)
def test_a_shipped_recipe_is_valid_and_saves_as_itself(name: str, profile: str | None, tmp_path: Path) -> None:
    recipe = load_recipe(name, profile=profile)
    assert recipe.name == name
    saved = tmp_path / "recipe.yaml"
    saved.write_text(dump(recipe), encoding="utf-8")
    assert load_recipe(saved) == recipe


@pytest.mark.parametrize(("name", "profile"), VARIANTS)
def test_the_data_of_a_shipped_recipe_is_shipped(name: str, profile: str | None) -> None:
    for source in load_recipe(name, profile=profile).data.sources:
        if source.make is None:  # others are made, not shipped
            path = Path(source.path or "")
            assert path.is_file()
            assert path.is_relative_to(RECIPES[name].parent)


@pytest.mark.parametrize("name", RECIPES)
def test_a_shipped_recipe_can_be_read_at_a_glance(name: str) -> None:
    assert len(RECIPES[name].read_text(encoding="utf-8").splitlines()) <= 82
