"""Laying a profile and options onto a raw recipe: mappings merge, list items are called by name, lines follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum.core.errors import RecipeError
from dadeum.core.messages import Message
from dadeum.core.recipe_errors import Location

PATHS = ("path", "relevant", "retriever", "start", "prompts")
"""Keys whose values are files or folders."""


def with_profile(
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


def from_here(key: str, value: Any) -> Any:
    """Paths of an option as its writer means them: from the working folder, where there is such a file."""
    if isinstance(value, list) and key.endswith("corpus.sources"):
        return [from_here("path", each) for each in value]
    is_path = key.rpartition(".")[2] in PATHS and isinstance(value, str) and Path(value).expanduser().exists()
    return str(Path(value).expanduser().resolve()) if is_path else value


def apply(raw: dict[str, Any], lines: dict[Location, Message], key: str, value: Any, where: str) -> None:
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
