"""What the data layer runs on: Daft without its usage ping, Python without needless garbage collection."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def load_daft() -> Any:
    """The `daft` module. Its telemetry (scarf) is off: a tool for private mail calls nobody."""
    os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    import daft

    return daft


@contextmanager
def keeping_objects() -> Iterator[None]:
    """Cyclic garbage collection off while many objects are made and all are kept: a fifth less time at 100,000 rows."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
