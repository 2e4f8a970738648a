"""Read a recipe YAML, apply profile and overrides, and point at the line of every mistake.

Order: file < profile < `--data` < `--set`. The fully resolved recipe is what a run saves.
"""

from __future__ import annotations

import difflib
import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dadeum.core.errors import Problems, RecipeError
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_errors import Location, problems
from dadeum.core.section import Section
from dadeum.core.stages import OnPairs
from dadeum.core.task import Answer

_PATHS = ("path", "relevant", "retriever", "start", "prompts")
"""Keys whose values are files or folders."""


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
) -> Recipe:
    """The resolved recipe; source paths become absolute.

    `overrides` are `a.b=value` with the value read as YAML; files in them are meant from the working folder. Raises
    RecipeError, or Problems with one entry per mistake, each naming the line.
    """
    path = find_recipe(str(name_or_path))
    raw, lines = read_yaml(path)
    raw, lines = _with_profile(raw, lines, profile, path)
    if data is not None:
        _apply(raw, lines, "data.sources", [{"path": str(data.resolve())}], "--data")
        # Origins to hold out are names of the recipe's own data; another file has others.
        _apply(raw, lines, "data.split.hold_out", [], "--data")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise RecipeError("errors.bad_override", override=override)
        _apply(raw, lines, key, _from_here(key, _parsed(value, override)), f"--set {override}")
    return absolute_paths(validate(raw, path, lines), path.parent)


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


# -- profile and overrides ----------------------------------------------------------------------
def _with_profile(
    raw: dict[str, Any], lines: dict[Location, Message], profile: str | None, path: Path
) -> tuple[dict[str, Any], dict[Location, Message]]:
    """`raw` without its `profiles` section, the chosen one laid onto it; its lines win where it wrote."""
    profiles = raw.pop("profiles", None) or {}
    if not isinstance(profiles, dict) or not all(isinstance(chosen, dict | None) for chosen in profiles.values()):
        raise RecipeError("errors.bad_profiles", where=lines[("profiles",)])
    if profile is None:
        return raw, lines
    if profile not in profiles:
        raise RecipeError("errors.unknown_profile", profile=profile, path=path.name, known=", ".join(profiles) or "-")
    prefix = ("profiles", profile)
    changed = {_indexed(at[2:], raw): line for at, line in lines.items() if at[:2] == prefix and len(at) > 2}
    return merge(raw, profiles[profile] or {}, lines[prefix]), lines | changed


def _indexed(at: Location, raw: Any) -> Location:
    """A path in which list items are called by name, with their index instead."""
    found: list[str | int] = []
    for part in at:
        step = item_names(raw).index(part) if isinstance(raw, list) and part in item_names(raw) else part
        found.append(step)
        if isinstance(raw, dict):
            raw = raw.get(step)
        else:
            raw = raw[step] if isinstance(raw, list) and isinstance(step, int) and step < len(raw) else None
    return tuple(found)


def merge(base: Any, over: Any, where: object = "-") -> Any:
    """`over` laid onto `base`: mappings merge, lists of named items merge by name, the rest is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        # A tagged section that becomes `none` starts afresh: `r` of lora means nothing to it.
        if over.get("type") == "none" != base.get("type"):
            return dict(over)
        return {key: merge(base.get(key), over[key], where) if key in over else base[key] for key in base | over}
    if isinstance(base, list) and isinstance(over, dict):
        known = item_names(base)
        for name in over:
            if name not in known:
                named = ", ".join(str(item) for item in known if item is not None)
                raise RecipeError("errors.unknown_item", where=where, name=name, known=named or "-")
        pairs = zip(known, base, strict=True)
        return [merge(item, over[name], where) if name in over else item for name, item in pairs]
    return over


def item_names(items: list[Any]) -> list[str | None]:
    """What profiles and `--set` call the items of a list: their `name`, or a source's file stem."""
    found: list[str | None] = []
    for item in items:
        fields = item if isinstance(item, dict) else {}
        name = (
            fields.get("name") or fields.get("make") or (Path(str(fields["path"])).stem if "path" in fields else None)
        )
        found.append(None if name is None else str(name))
    return found


def _from_here(key: str, value: Any) -> Any:
    """Paths of an option as its writer means them: from the working folder, where there is such a file."""
    if isinstance(value, list) and key.endswith("corpus.sources"):
        return [_from_here("path", each) for each in value]
    is_path = key.rpartition(".")[2] in _PATHS and isinstance(value, str) and Path(value).expanduser().exists()
    return str(Path(value).expanduser().resolve()) if is_path else value


def _apply(raw: dict[str, Any], lines: dict[Location, Message], key: str, value: Any, where: str) -> None:
    """Set the place `a.b` of the raw recipe; list items are called by index or by name."""
    here = Message("errors.option", {"option": where})
    target: Any = raw
    place: Location = ()
    *parents, last = key.split(".")
    for part in parents:
        target, place = _child(target, part, place, where)
        lines.setdefault(place, here)
    if not isinstance(target, list):
        if parents and last == "type" and value == "none":
            target.clear()
        target[last] = value
        place = (*place, last)
    else:
        index = _index(target, last, where)
        target[index] = value
        place = (*place, index)
    for stale in [at for at in lines if at[: len(place)] == place]:
        del lines[stale]
    lines[place] = here


def _child(target: Any, part: str, place: Location, where: str) -> tuple[Any, Location]:
    """The mapping or list under `part`, made when it is absent."""
    step: Any = _index(target, part, where) if isinstance(target, list) else part
    child = target[step] if isinstance(target, list) else target.get(step)
    if child is None:
        child = target[step] = {}
    if not isinstance(child, dict | list):
        raise RecipeError("errors.bad_place", option=where, part=part)
    return child, (*place, step)


def _index(items: list[Any], part: str, where: str) -> int:
    known = item_names(items)
    if part in known:
        return known.index(part)
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    named = ", ".join(name or str(index) for index, name in enumerate(known))
    raise RecipeError("errors.unknown_item", where=where, name=part, known=named or "-")


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
        found = {name: path for name in _PATHS if (path := getattr(section, name, None))}
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
    moved_all = {"data": data, "task": task, "model": placed(recipe.model), "stages": stages, "evaluate": evaluate}
    return recipe.model_copy(update=moved_all)


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML; loading it again gives the same recipe."""
    content = recipe.model_dump(mode="json", by_alias=True)
    written: str = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return written
