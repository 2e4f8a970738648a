"""What is served: runs and their bases under names that clients send, each a version that never changes.

A version is the name and the hash of the weights, so the same name with other weights is another version: nothing that
was computed for one is ever used for the other. Aliases (`champion`, `challenger`) point at versions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from dadeum.core.errors import ModelError, RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, fingerprint
from dadeum.gateway.weights import check_weights

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGITS = 12
CHAMPION = "champion"
"""Alias that a name alone means, where there is one."""


@dataclass(frozen=True)
class ServedModel:
    """A base, or what a run trained on it."""

    name: str
    version: str
    """`name@hash`; a base has its name alone."""
    recipe: Recipe
    """Renders prompts and says what the task is; a base speaks by the recipe of the first run on it."""
    run: Path | None
    weights: Path | None
    """None: the untuned base."""
    parent: str | None
    """Name of the base; None of a base."""

    @property
    def task(self) -> str:
        return self.recipe.task.type if self.weights is not None else "chat"


@dataclass
class Catalogue:
    """Every served model by version, and the names that lead to them; safe to read while another thread adds."""

    models: dict[str, ServedModel] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """Name or `name@alias` → version."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(list(self.models.values()))

    def find(self, asked: str) -> ServedModel | None:
        """By name (its champion, or else what leads it), `name@alias` or `name@hash`."""
        champion = None if "@" in asked else self.aliases.get(f"{asked}@{CHAMPION}")
        return self.models.get(champion or self.aliases.get(asked, asked))

    def names(self) -> list[str]:
        return sorted({model.name for model in self})

    def add(self, model: ServedModel, leads: bool = True) -> None:
        """With `leads` the name means this version from now on; else only where it meant none."""
        with self._lock:
            self.models[model.version] = model
            if leads or model.name not in self.aliases:
                self.aliases[model.name] = model.version

    def remove(self, version: str) -> None:
        """The version and every alias that leads to it; its name means what is left of that name."""
        with self._lock:
            gone = self.models.pop(version, None)
            self.aliases = {name: found for name, found in self.aliases.items() if found != version}
            left = [one for one in self.models.values() if gone is not None and one.name == gone.name]
            if left:
                self.aliases.setdefault(left[0].name, left[0].version)

    def point(self, name: str, alias: str, version: str) -> None:
        """`name@alias` → version."""
        if version not in self.models:
            raise ModelError("gateway.unknown_version", version=version, known=", ".join(self.models))
        with self._lock:
            self.aliases[f"{name}@{alias}"] = version


def slug(name: str) -> str:
    """A name as clients send it: lower-case, no spaces, no separators of paths."""
    plain = unicodedata.normalize("NFC", name).lower().replace(" ", "-").replace("/", "--")
    if not NAME.fullmatch(plain):
        raise ModelError("gateway.bad_name", name=name)
    return plain


def base_name(base: str) -> str:
    """Of an alias or a hub id as it stands; of a folder its last part."""
    return slug(Path(base).name if Path(base).is_absolute() or Path(base).is_dir() else base)


def served(folder: Path) -> ServedModel:
    """What a run folder trained. RunError for one that is not trained or chooses among others' answers."""
    run = Run.open(folder)
    run.require_weights()
    recipe = run.recipe()
    if recipe.model.trust_remote_code:
        raise RunError("gateway.safety.trusts_code", folder=folder)
    weights = run.require(run.adapter_folder(recipe), "train").resolve()
    check_weights(weights)
    files = sorted(weights.rglob("*.safetensors"))
    digest = fingerprint([[str(file.relative_to(weights)), file_hash(file)] for file in files])[:_DIGITS]
    name = slug(recipe.export.name or recipe.name)
    return ServedModel(name, f"{name}@{digest}", recipe, run.folder.resolve(), weights, base_name(recipe.model.base))


def catalogue_of(folders: Sequence[Path], with_base: bool = True) -> Catalogue:
    """Runs and, unless told otherwise, their untuned bases. Of two versions of a name the first leads it.

    Raises ModelError for the same weights twice, and for a name that is also a base's.
    """
    found = Catalogue()
    for folder in folders:
        model = served(folder)
        if model.version in found.models or model.name == model.parent:
            raise ModelError("gateway.served_twice", version=model.version, folder=folder)
        if with_base and model.parent and model.parent not in found.aliases and model.recipe.task.type != "retrieve":
            found.add(ServedModel(model.parent, model.parent, model.recipe, model.run, None, None))
        found.add(model, leads=False)
    return found
