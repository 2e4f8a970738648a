from __future__ import annotations

import gc
from pathlib import Path

import pytest

from dadeum.data.engine import keeping_objects, load_daft


def test_daft_is_loaded_without_its_usage_ping() -> None:
    assert load_daft().__name__ == "daft"
    from daft.scarf_telemetry import opted_out

    assert opted_out()


def test_garbage_collection_is_as_it_was_afterwards_even_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError), keeping_objects():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()
    gc.disable()
    try:
        with keeping_objects():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_else_loads_daft() -> None:
    source = Path(__file__).parents[2] / "src" / "dadeum"
    loading = [path.name for path in source.rglob("*.py") if "import daft" in path.read_text(encoding="utf-8")]
    assert loading == ["engine.py"]
