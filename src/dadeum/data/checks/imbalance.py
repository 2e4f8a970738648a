"""The commonest label has not too many rows for each row of the rarest one."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA202"
NAME = "imbalance"


def check(context: Context) -> list[Finding]:
    limit = context.settings.max_imbalance
    train = [(row, example.label) for row, (split, example) in enumerate(context.placed) if split == "train"]
    counts = Counter(label for _, label in train if label).most_common()
    if len(counts) < 2:
        return []  # single_class's business
    (most, num_most), (least, num_least) = counts[0], counts[-1]
    if num_most < limit * num_least:
        return []
    values = {
        "most": most, "num_most": num_most, "least": least, "num_least": num_least,
        "ratio": num_most / num_least, "limit": limit,
    }  # fmt: skip
    rare = (Hit(row, found={"label": least}) for row, label in train if label == least)
    return context.finding(CODE, NAME, "warn", rare, values, total=len(train))
