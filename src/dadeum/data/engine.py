"""Daft, loaded on first use: silent, and without the usage ping it sends by default when it is imported."""

from __future__ import annotations

import os
from typing import Any


def load_daft() -> Any:
    """The `daft` module. Its telemetry (scarf) is off: a tool for private mail calls nobody."""
    os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    import daft

    return daft
