from __future__ import annotations

import pytest

from dadeum.core.errors import RecipeError
from dadeum.core.plugins import find, names


def test_the_file_name_is_the_name_in_the_recipe() -> None:
    assert "decide" in names("tasks")
    assert not {"__init__", "base"} & set(names("tasks"))
    assert find("tasks", "decide").__name__ == "dadeum.tasks.decide"


def test_an_unknown_name_lists_what_exists() -> None:
    with pytest.raises(RecipeError) as caught:
        find("tasks", "decied")
    assert "decide" in str(caught.value.values["known"])


@pytest.mark.parametrize("name", ["../core/run", "decide.py", "__init__", ""])
def test_only_listed_names_are_imported(name: str) -> None:
    with pytest.raises(RecipeError):
        find("tasks", name)
