"""The folder of a search: its study, one run folder per trial, the two tested runs, best.yaml and tune.html.

recipe.yaml  search.json  study.db  ground/<n>/ (data, built once)  trials/<n>/
own/  repeats/<trial>-<seed>/  default/  best/  reproduced/  comparison/  best.yaml  tune.json  tune.html
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import RunError
from dadeum.core.run import read_json, write_json


@dataclass(frozen=True)
class SearchFolder:
    path: Path

    @property
    def recipe_path(self) -> Path:
        """The recipe as it was resolved when the search began, `tune` with what the command line changed."""
        return self.path / "recipe.yaml"

    @property
    def state_path(self) -> Path:
        """Who began the search, of what recipe, where its trials are, and the seconds it has taken so far."""
        return self.path / "search.json"

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.state_path)
        return found

    def remember(self, **more: Any) -> None:
        write_json(self.state_path, self.state() | more)

    @contextmanager
    def held(self) -> Iterator[None]:
        """By one command at a time; RunError while another one works here. A kill lets go by itself."""
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(handle) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError("tune.held", folder=self.path) from error
            yield

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
