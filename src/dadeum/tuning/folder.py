"""The folder of a search: its study, one run folder per trial, the two tested runs, best.yaml and tune.html.

recipe.yaml  search.json  study.db  ground/<n>/ (data, built once)  trials/<n>/
own/  repeats/<trial>-<seed>/  default/  best/  reproduced/  comparison/  best.yaml  tune.json  tune.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SearchFolder:
    path: Path

    @property
    def recipe_path(self) -> Path:
        """The recipe as it was resolved when the search began, `tune` with what the command line changed."""
        return self.path / "recipe.yaml"

    @property
    def state_path(self) -> Path:
        """Who began the search, and the seconds it has taken so far."""
        return self.path / "search.json"

    @property
    def storage_url(self) -> str:
        """The study where no other storage is named."""
        return f"sqlite:///{self.path.resolve() / 'study.db'}"

    @property
    def record_path(self) -> Path:
        return self.path / "tune.json"

    @property
    def page_path(self) -> Path:
        return self.path / "tune.html"

    @property
    def best_path(self) -> Path:
        return self.path / "best.yaml"

    @property
    def default_run(self) -> Path:
        """The recipe as it was, trained and tested."""
        return self.path / "default"

    @property
    def best_run(self) -> Path:
        """The winner, trained again and tested."""
        return self.path / "best"

    def ground(self, index: int | str) -> Path:
        """Built and checked data that trials share."""
        return self.path / "ground" / str(index)

    def trial(self, number: int) -> Path:
        return self.path / "trials" / str(number)

    def repeat(self, number: int, seed: int) -> Path:
        return self.path / "repeats" / f"{number}-{seed}"
