"""A text check whose kinds differ in weight: some are likely mistakes, some only worth knowing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed


def judge_kinds(
    context: Context, code: str, name: str, hits: Sequence[Hit], num_rows: int, minor: Collection[str]
) -> list[Finding]:
    """A warning about the hits that are not `minor`; when there are none, advice about those that are.

    Values: count and total (rows), share, places, kinds; `others` lists what a warning leaves out, if anything.
    """
    serious = [hit for hit in hits if _kind(hit) not in minor]
    severity: Severity = "warn" if serious else "info"
    told = serious or list(hits)
    values: dict[str, Any] = {
        "places": len(told),
        "share": len({hit.row for hit in told}) / max(num_rows, 1),
        "kinds": listed(Counter(map(_kind, told))) or "-",
    }
    if others := Counter(_kind(hit) for hit in hits if serious and _kind(hit) in minor):
        values["others"] = listed(others)
    return context.finding(code, name, severity, told, values, num_rows)


def _kind(hit: Hit) -> str:
    return str((hit.found or {}).get("found", ""))
