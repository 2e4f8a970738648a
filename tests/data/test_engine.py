from __future__ import annotations

from pathlib import Path

from dadeum.data.engine import load_daft


def test_daft_is_loaded_without_its_usage_ping() -> None:
    assert load_daft().__name__ == "daft"
    from daft.scarf_telemetry import opted_out

    assert opted_out()


def test_nothing_else_loads_daft() -> None:
    source = Path(__file__).parents[2] / "src" / "dadeum"
    loading = [path.name for path in source.rglob("*.py") if "import daft" in path.read_text(encoding="utf-8")]
    assert loading == ["engine.py"]
