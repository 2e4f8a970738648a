"""Rows that say the same again: of one label, or with a like question and a like answer. Weight nobody asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, short
from dadeum.data.similar.repeats import Repeat, like_earlier, repeats

CODE = "DA301"
NAME = "duplicates"

SIMILARITY = 0.9
"""Jaccard similarity of character 3-grams without a recipe: the default of data.near_duplicate_similarity."""

MIN_SHARE = 0.01
"""Share of repeated rows from which this is a warning; public sets that nobody complains about have up to 0.6 %."""


def check(context: Context) -> list[Finding]:
    similarity = context.recipe.data.near_duplicate_similarity if context.recipe else SIMILARITY
    found = sorted([*_labelled(context, similarity), *_free(context, similarity)], key=lambda repeat: repeat.row)
    hits, num_exact = [], 0
    for repeat in found:
        example, other = (context.placed[row][1] for row in (repeat.row, repeat.kept))
        num_exact += example.text == other.text and example.completion == other.completion
        what = {"like": other.id, "like_text": short(other.text), "similarity": round(repeat.similarity, 3)}
        hits.append(Hit(repeat.row, found=what))
    values = {
        "exact": num_exact, "near": len(hits) - num_exact, "similarity": similarity,
        "share": len(hits) / max(context.num_rows, 1),
    }  # fmt: skip
    severity: Severity = "warn" if len(hits) >= MIN_SHARE * context.num_rows else "info"
    return context.finding(CODE, NAME, severity, hits, values)


def _labelled(context: Context, similarity: float) -> Iterator[Repeat]:
    """Among the rows of each label by itself: like texts with different labels are conflicting_labels' business."""
    by_label: dict[str, list[int]] = defaultdict(list)
    for row, (_, example) in enumerate(context.placed):
        if example.label:
            by_label[example.label].append(row)
    for rows in by_label.values():
        texts = [context.placed[row][1].text for row in rows]
        for copy, (kept, value) in like_earlier(texts, similarity, context.memory).items():
            yield Repeat(rows[copy], rows[kept], value)


def _free(context: Context, similarity: float) -> list[Repeat]:
    rows = np.flatnonzero(~context.pairs.labelled).tolist()
    examples = [context.placed[row][1] for row in rows]
    found = repeats(examples, context.pairs.take(rows), similarity, context.memory)
    return [Repeat(rows[repeat.row], rows[repeat.kept], repeat.similarity) for repeat in found]
