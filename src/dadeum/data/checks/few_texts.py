"""There are not far fewer texts than rows: a public spam set has 5,000 rows and 150 texts."""

from __future__ import annotations

import numpy as np

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context
from dadeum.data.similar.pairs import first_rows
from dadeum.data.similar.shingles import Ints

CODE = "DA203"
NAME = "few_texts"

MIN_ROWS = 50
"""Fewer rows than this are too few for the share to mean anything."""
MAX_INPUT_SHARE = 0.2
"""Distinct inputs per row up to which they are few: each one stands there five times on average."""
MAX_ANSWER_SHARE = 0.05
"""Distinct free answers per row up to which they are few: answers repeat by nature more than questions."""
MIN_ANSWER_CHARACTERS = 15
"""Median length from which answers are free texts; "yes" and "no" are few by nature."""


def check(context: Context) -> list[Finding]:
    pairs, total = context.pairs, context.num_rows
    if total < MIN_ROWS:
        return []
    first_input = first_rows(pairs.inputs)
    free = pairs.free
    first_answer = free[first_rows(pairs.answers[free])]
    num_inputs, num_answers = len(np.unique(first_input)), len(np.unique(first_answer))
    few_inputs = num_inputs <= MAX_INPUT_SHARE * total
    few_answers = (
        len(free) >= MIN_ROWS
        and num_answers <= MAX_ANSWER_SHARE * len(free)
        and np.median(pairs.lengths[free]) >= MIN_ANSWER_CHARACTERS
        and context.task != "retrieve"
    )
    if not few_inputs and not few_answers:
        return []
    values = {
        "inputs": num_inputs, "answers": num_answers or len(context.labels),
        "times": total / max(num_inputs if few_inputs else num_answers, 1),
    }  # fmt: skip
    repeated = _repeated(first_input) if few_inputs else free[_repeated(first_rows(pairs.answers[free]))]
    return context.finding(CODE, NAME, "warn", (Hit(row) for row in repeated.tolist()), values)


def _repeated(first: Ints) -> Ints:
    """Positions whose text stood there before."""
    return np.flatnonzero(first != np.arange(len(first)))
