"""The commonest label has not too many rows for each row of the rarest one."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding
from dadeum.data.context import Context, shown

CODE = "DA202"
NAME = "imbalance"


def check(context: Context) -> list[Finding]:
    limit = context.recipe.checks.max_imbalance
    train = context.splits.get("train", [])
    counts = Counter(example.label for example in train).most_common()
    if len(counts) < 2:
        return []  # single_class's business
    (most, num_most), (least, num_least) = counts[0], counts[-1]
    if num_most < limit * num_least:
        return []
    values = {
        "most": most, "num_most": num_most, "least": least, "num_least": num_least,
        "ratio": num_most / num_least, "limit": limit,
    }  # fmt: skip
    rare = (("train", example, {"label": least}) for example in train if example.label == least)
    return [Finding(CODE, NAME, "warn", num_least, len(train), values, shown(rare))]
