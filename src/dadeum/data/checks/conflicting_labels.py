"""The same input never has two labels: one of them is wrong, and neither can be learned."""

from __future__ import annotations

import numpy as np

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context
from dadeum.data.similar.pairs import first_rows, hashed

CODE = "DA302"
NAME = "conflicting_labels"


def check(context: Context) -> list[Finding]:
    rows = np.flatnonzero(context.pairs.labelled)
    labels = hashed([context.placed[row][1].label for row in rows])
    inputs = first_rows(context.pairs.inputs[rows])
    others = np.zeros(len(rows), dtype=bool)
    others[inputs[labels != labels[inputs]]] = True
    concerned = np.flatnonzero(others[inputs])
    # Rows with one input stand together, because a label alone shows no conflict.
    concerned = concerned[np.argsort(inputs[concerned], kind="stable")]
    hits = [Hit(row, found={"label": context.placed[row][1].label}) for row in rows[concerned].tolist()]
    return context.finding(CODE, NAME, "warn", hits, {"texts": int(others.sum())})
