"""Find a task, check or training method by its file name: the file tree is the registry.

`find("tasks", "decide")` imports `dadeum.tasks.decide`; adding a file is all it takes to add a kind.
"""

from __future__ import annotations

from importlib import import_module, resources
from types import ModuleType

from dadeum.core.errors import RecipeError

_NOT_PLUGINS = {"__init__", "base"}


def names(package: str) -> list[str]:
    """File names (without `.py`) that may be named in a recipe, sorted."""
    files = resources.files("dadeum").joinpath(package.replace(".", "/")).iterdir()
    stems = {file.name.removesuffix(".py") for file in files if file.name.endswith(".py")}
    return sorted(stem for stem in stems - _NOT_PLUGINS if not stem.startswith("_"))


def find(package: str, name: str) -> ModuleType:
    """The module `dadeum.<package>.<name>`; raises RecipeError listing what exists."""
    if name not in names(package):
        raise RecipeError("errors.unknown_plugin", kind=package, name=name, known=", ".join(names(package)))
    return import_module(f"dadeum.{package}.{name}")
