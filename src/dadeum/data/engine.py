"""What the data layer runs on: Daft without its usage ping, Python without needless garbage collection."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

MIN_TEXTS_PER_PARTITION = 10_000
"""On a cluster: fewer would cost more in sending than in work."""


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


def map_texts(texts: Sequence[str], work: Callable[[Sequence[str]], list[str | None]]) -> list[str | None]:
    """`work` applied to batches of `texts` by Daft's runner; one result per text, in their order.

    `work` is a module-level function: on Ray (`DAFT_RUNNER=ray`) it runs in the cluster's workers.
    """
    if not texts:
        return []
    daft = load_daft()
    frame = daft.from_arrow(pa.table({"text": pa.array(texts, type=pa.large_string())}))
    if daft.get_or_infer_runner_type() == "ray":
        frame = frame.into_partitions(max(2, min(64, len(texts) // MIN_TEXTS_PER_PARTITION)))

    @daft.func.batch(return_dtype=daft.DataType.string())
    def apply(batch: Any) -> Any:
        return daft.Series.from_pylist(work(batch.to_pylist()), dtype=daft.DataType.string())

    results = frame.select(apply(daft.col("text")).alias("result")).to_arrow()["result"]
    return list(results.to_pylist())
