"""A tiny model that was taught to answer, for what is looked at while it goes on learning."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def varied(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.starts.conftest import VARIED, teach

    return teach(tiny_llama, tmp_path_factory.mktemp("watched"), VARIED)
