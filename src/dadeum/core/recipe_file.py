"""Read a recipe YAML, apply profile and overrides, and point at the line of every mistake.

Order: file < profile < `--data` < `--adapter` < `--set`. The fully resolved recipe is what a run saves.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dadeum.core.errors import Problems, RecipeError
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_errors import Location, problems
from dadeum.core.recipe_layers import PATHS, apply, from_here, item_names, with_profile
from dadeum.core.section import Section
from dadeum.core.stages import OnPairs
from dadeum.core.task import Answer

DATA = "data"
"""Name of the source that `--data` and a run given with `--adapter` take the place of."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `2e-4` as text and `off` as false; a person means the number and the word."""


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would read as a number."""


_EXPONENT = re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))
# yes, no, on and off stay words; where a field wants true or false, pydantic reads them as that.
_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != _BOOL] for first, pairs in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def shipped_recipes() -> dict[str, Path]:
    """Name → file of every recipe in the package."""
    folder = Path(str(resources.files("dadeum").joinpath("recipes")))
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def load_recipe(
    name_or_path: str | Path,
    profile: str | None = None,
    overrides: tuple[str, ...] = (),
    data: Path | None = None,
    adapter: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Recipe:
    """The resolved recipe; source paths become absolute.

    `overrides` are `a.b=value` with the value read as YAML; files in them are meant from the working folder. `adapter`
    is shown the raw recipe and says what else it must hold, as `{"a.b": value}`. Raises RecipeError, or Problems with
    one entry per mistake, each naming the line.
    """
    path = find_recipe(str(name_or_path))
    raw, lines = read_yaml(path)
    raw, lines = with_profile(raw, lines, profile, path)
    if data is not None:
        _give_data(raw, lines, data.resolve())
    if adapter is not None:
        for key, value in adapter(raw).items():
            apply(raw, lines, key, value, "--adapter")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise RecipeError("errors.bad_override", override=override)
        apply(raw, lines, key, from_here(key, _parsed(value, override)), f"--set {override}")
    return absolute_paths(validate(raw, path, lines), path.parent)


def _give_data(raw: dict[str, Any], lines: dict[Location, Message], file: Path) -> None:
    """The file in place of the source called `data`, which may have others beside it; else in place of all."""
    section = raw.get("data")
    sources = section.get("sources") if isinstance(section, dict) else None
    names = item_names(sources) if isinstance(sources, list) else []
    if DATA in names and len(names) > 1:
        apply(raw, lines, f"data.sources.{DATA}", {"path": str(file), "name": DATA}, "--data")
        return
    apply(raw, lines, "data.sources", [{"path": str(file)}], "--data")
    # Origins are names of the recipe's own data; another file has others.
    split = section.get("split") if isinstance(section, dict) else None
    for field in ("hold_out", "train_only"):
        if isinstance(split, dict) and split.get(field):
            apply(raw, lines, f"data.split.{field}", [], "--data")


def find_recipe(name_or_path: str) -> Path:
    """A shipped recipe's name, or the path of a YAML file."""
    shipped = shipped_recipes()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    near = difflib.get_close_matches(name_or_path, shipped, n=1)
    raise RecipeError("errors.no_recipe", name=name_or_path, known=", ".join(shipped), near=near[0] if near else "-")


# -- reading ------------------------------------------------------------------------------------
def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Location, Message]]:
    """The mapping in a YAML file, and where (a line, from 1) every key and list item stands."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError("errors.yaml_encoding", path=path) from error
    except OSError as error:
        raise RecipeError("errors.unreadable", path=path, detail=error.strerror or type(error).__name__) from error
    try:
        node = yaml.compose(content, Loader=_Loader)
        raw = yaml.load(content, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Message("errors.line", {"path": path.name, "line": mark.line + 1 if mark else 1})
        raise RecipeError("errors.bad_yaml", where=at, detail=error.problem or error.context) from error
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError("errors.bad_yaml", where=path.name, detail=" ".join(str(error).split())) from error
    if not isinstance(raw, dict):
        raise RecipeError("errors.not_a_mapping", path=path)
    lines: dict[Location, Message] = {}
    _collect_lines(node, (), lines, path)
    return raw, lines


def _collect_lines(node: yaml.Node | None, at: Location, lines: dict[Location, Message], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*at, key.value)
            here = Message("errors.line", {"path": path.name, "line": key.start_mark.line + 1})
            if place in lines:
                raise RecipeError("errors.duplicate_key", where=here, key=".".join(map(str, place)), first=lines[place])
            lines[place] = here
            _collect_lines(value, place, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = Message("errors.line", {"path": path.name, "line": value.start_mark.line + 1})
            _collect_lines(value, (*at, index), lines, path)


def _parsed(value: str, override: str) -> Any:
    try:
        return yaml.load(value, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError("errors.bad_override", override=override) from error


# -- result -------------------------------------------------------------------------------------
def validate(raw: dict[str, Any], path: Path, lines: dict[Location, Message]) -> Recipe:
    """The Recipe, or every mistake of the file at once."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        found = problems(error.errors(), raw, lines, Message("errors.file", {"path": path.name}))
        raise found[0] if len(found) == 1 else Problems(found) from None


def absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """Paths of files resolved against the recipe's folder, so that a saved recipe runs from anywhere."""

    def absolute(path: str) -> str:
        return str((folder / Path(path).expanduser()).resolve())

    def placed(section: Section) -> Any:
        found = {name: path for name in PATHS if (path := getattr(section, name, None))}
        return section.model_copy(update={name: absolute(path) for name, path in found.items()})

    data = recipe.data.model_copy(update={"sources": tuple(map(placed, recipe.data.sources))})
    if corpus := data.corpus:
        moved = corpus.model_copy(update={"sources": tuple(map(absolute, corpus.sources))})
        data = data.model_copy(update={"corpus": moved})
    task = recipe.task
    if isinstance(task, Answer) and task.retriever:
        task = task.model_copy(update={"retriever": absolute(task.retriever)})
    stages = tuple(
        stage.model_copy(update={"pairs": placed(stage.pairs)}) if isinstance(stage, OnPairs) else stage
        for stage in recipe.stages
    )
    evaluate = recipe.evaluate
    if evaluate.starts:
        evaluate = evaluate.model_copy(update={"starts": placed(evaluate.starts)})
    model = placed(recipe.model)
    model = model.model_copy(update={"base": _local(model.base, folder)})
    moved_all = {"data": data, "task": task, "model": model, "stages": stages, "evaluate": evaluate}
    return recipe.model_copy(update=moved_all)


def _local(base: str, folder: Path) -> str:
    """A base that is a folder beside the recipe or in the working folder, by its full path; any other name as it is."""
    if "/" not in base:
        return base
    places = (folder / Path(base).expanduser(), Path(base).expanduser())
    return next((str(place.resolve()) for place in places if (place / "config.json").is_file()), base)


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML; loading it again gives the same recipe."""
    content = recipe.model_dump(mode="json", by_alias=True)
    written: str = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return written
