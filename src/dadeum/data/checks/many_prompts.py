"""One answer is not given to many different inputs: canned answers teach a model to stop reading.

"네." after many questions is fine: only answers of a sentence's length count.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, short
from dadeum.data.similar.pairs import first_rows
from dadeum.tasks.answer import kind

CODE = "DA304"
NAME = "many_prompts"

TASKS = ("chat", "summarize", "answer", "prefer")
"""Many queries may find one document."""
MIN_CHARACTERS = 15
"""Answers from here on say something; half of the 30 characters of an average Korean chat sentence."""
MIN_INPUTS = 5
"""Different inputs from which an answer is canned; fewer may well be paraphrases of one question."""
WARN_SHARE = 0.2
INFO_SHARE = 0.03
"""Shares of rows with a canned answer; in a public set of 11,823 chat lines it is 1 %."""
MAX_ONE_SHARE = 0.05
"""Share of rows with one and the same canned answer from which this is a warning by itself."""


def check(context: Context) -> list[Finding]:
    pairs = context.pairs
    rows = pairs.free[pairs.lengths[pairs.free] >= MIN_CHARACTERS]
    # A refusal of task `answer` is taught on purpose, in one form, wherever the chunks hold no answer.
    rows = rows[np.array([kind(context.placed[row][1]) == "answerable" for row in rows.tolist()], dtype=bool)]
    if context.task not in TASKS or not len(rows):
        return []
    first = first_rows(pairs.answers[rows])
    _, inputs = np.unique(pairs.inputs[rows], return_inverse=True)
    distinct = np.unique(np.stack([first, inputs]), axis=1)
    num_inputs = np.bincount(distinct[0], minlength=len(rows))[first]
    canned = num_inputs >= MIN_INPUTS
    times = np.bincount(first[canned], minlength=len(rows))
    total = len(pairs.free)
    share, one_share = canned.sum() / total, times.max() / total
    if share < INFO_SHARE and (one_share < MAX_ONE_SHARE or not canned.any()):
        return []
    commonest = int(rows[times.argmax()])
    values = {
        "share": float(share), "answers": int((times > 0).sum()), "least": MIN_INPUTS,
        "commonest": short(context.placed[commonest][1].completion[-1]["content"]), "times": int(times.max()),
    }  # fmt: skip
    order = np.argsort(-times[first[canned]], kind="stable")
    hits = [
        Hit(row, found={"inputs": many})
        for row, many in zip(rows[canned][order].tolist(), num_inputs[canned][order].tolist(), strict=True)
    ]
    severity: Severity = "warn" if share >= WARN_SHARE or one_share >= MAX_ONE_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, values, total)
