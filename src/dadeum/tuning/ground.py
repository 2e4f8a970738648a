"""The rows that all trials stand on: built and checked once, lent to every run of the search.

Trials may differ in what makes the rows (a template, a base with other tokens); then others are built, and refused
unless the same rows validate and test: figures of other rows could not be compared.
"""

from __future__ import annotations

import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from dadeum.core.errors import RunError
from dadeum.core.examples import SPLITS, read_examples
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, fingerprint
from dadeum.models.fresh import folder_in, is_fresh
from dadeum.pipeline import build_and_check, data_inputs
from dadeum.tuning.folder import SearchFolder

_STEPS = ("data.build", "data.check")


class Ground:
    """Everything is on disk: each process of a search opens one of its own."""

    def __init__(self, recipe: Recipe, folder: SearchFolder) -> None:
        self._recipe = recipe
        self._folder = folder
        self._index: dict[str, Run] = {}

    @classmethod
    def lay(cls, recipe: Recipe, folder: SearchFolder, progress: Progress = silent) -> Ground:
        """Build and check the recipe's own rows, or open them; DataError where they are unusable."""
        ground = cls(recipe, folder)
        there = (folder.ground(0) / "manifest.json").is_file()
        if not there:  # a kill may have left the beginning of one
            shutil.rmtree(folder.ground(0), ignore_errors=True)
        run = Run.open(folder.ground(0)) if there else Run.create(recipe, folder.ground(0))
        build_and_check(recipe, run, progress)
        return ground

    @property
    def is_laid(self) -> bool:
        """Whether the rows are there, and checked."""
        if not (self._folder.ground(0) / "manifest.json").is_file():
            return False
        steps = self.run.manifest()["steps"]
        return all(steps.get(name, {}).get("status") == "done" for name in _STEPS)

    @property
    def run(self) -> Run:
        """Of the recipe as it is."""
        return Run.open(self._folder.ground(0))

    @cached_property
    def rows(self) -> dict[str, int]:
        """How many there are, by split."""
        return {split: len(read_examples(self.run.split_path(split))) for split in SPLITS}

    @property
    def digest(self) -> str:
        """Of all rows that train, validate and test: the same on every machine of a search."""
        return fingerprint([self._ids(self.run, split) for split in SPLITS])

    def give(self, recipe: Recipe, folder: Path) -> Run:
        """A run folder for `recipe` with its rows in place, or the one that is there."""
        if (folder / "manifest.json").is_file():
            return Run.open(folder)
        source = self._of(recipe)
        # Made aside and moved: a kill leaves a run with its rows, or none.
        aside = folder.with_name(f".{folder.name}-new")
        shutil.rmtree(aside, ignore_errors=True)
        self._fill(Run.create(recipe, aside), source, recipe)
        aside.rename(folder)
        return Run.open(folder)

    def _fill(self, run: Run, source: Run, recipe: Recipe) -> None:
        """Rows, findings, and the marks of the steps that made them."""
        _link(source.folder / "data", run.folder / "data")
        if is_fresh(recipe.model):
            _link(folder_in(source), folder_in(run))
        if source.findings_path.is_file():
            shutil.copyfile(source.findings_path, run.findings_path)
        known = source.manifest()
        own = run.manifest()
        # What the steps of the ground wrote beside their mark (counts, choices) is asked for by reports.
        taken = {key: value for key, value in known.items() if key not in own}
        steps = {name: known["steps"][name] for name in _STEPS if name in known["steps"]}
        run.write_manifest(own | taken | {"steps": steps})

    # -- grounds ------------------------------------------------------------------------------------
    def _of(self, recipe: Recipe) -> Run:
        digest = fingerprint(_without_seed(recipe))
        if digest not in self._index:
            self._index[digest] = (
                self.run if digest == fingerprint(_without_seed(self._recipe)) else self._other(recipe)
            )
        return self._index[digest]

    def _other(self, recipe: Recipe) -> Run:
        folder = self._folder.ground(fingerprint(_without_seed(recipe))[:12])
        if not folder.is_dir():
            # Built aside and moved: another worker may be at the same, and a kill leaves nothing half.
            aside = folder.with_name(f".{folder.name}-{os.getpid()}")
            shutil.rmtree(aside, ignore_errors=True)
            build_and_check(recipe, Run.create(recipe, aside))
            try:
                aside.rename(folder)
            except OSError:
                shutil.rmtree(aside)
        run = Run.open(folder)
        for split in ("validation", "test"):
            ours, theirs = self._ids(self.run, split), self._ids(run, split)
            if ours != theirs:
                raise RunError("tune.other_rows", split=split, ours=len(ours), theirs=len(theirs))
        return run

    @staticmethod
    def _ids(run: Run, split: str) -> list[str]:
        return sorted(example.id for example in read_examples(run.split_path(split)))


def _without_seed(recipe: Recipe) -> list[Any]:
    """What makes the rows; the seed of a training does not, where the rows have one of their own."""
    fixed = recipe.model_copy(update={"seed": 0, "data": recipe.data.model_copy(update={"seed": recipe.data_seed})})
    return data_inputs(fixed)


def _link(source: Path, target: Path) -> None:
    """The folder by name, so that a thousand trials hold one copy; a real copy where links are not to be had."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Relative: the folder of a search may be moved as a whole.
        way = os.path.relpath(source.resolve(), target.parent.resolve())
        target.symlink_to(way, target_is_directory=True)
    except OSError:
        shutil.copytree(source, target)
