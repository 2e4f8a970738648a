"""What expanding brought, in figures and in sentences: reasons, balance, variety, the doctor's word on the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.core.run import read_jsonl, write_json
from dadeum.data.builders.expand import LAST, LAST_OF_CATEGORY, MIN_ACCEPTED, Expanded
from dadeum.data.builders.made import Made
from dadeum.data.builders.made_quality import quality
from dadeum.data.builders.made_topics import MadeRow

if TYPE_CHECKING:
    from dadeum.data.doctor import Diagnosis

_DIGITS = 4


def sentences(expanded: Expanded) -> Iterator[Message]:
    """What there is to say of the call, in order."""
    looked = expanded.accepted + expanded.rejected.total()
    yield Message("data.expand.accepted", {"num": expanded.accepted, "total": looked, "path": expanded.out})
    if expanded.rejected:
        reasons = [
            Message("data.expand.counted", {"reason": Message(f"data.expand.reason.{reason}"), "num": num})
            for reason, num in expanded.rejected.most_common()
        ]
        values = {"num": expanded.rejected.total(), "reasons": ", ".join(map(str, reasons))}
        yield Message("data.expand.rejected", values | {"path": expanded.rejected_file})
    if expanded.failed:
        yield Message("data.expand.failed", {"num": expanded.failed, "detail": expanded.detail})
    if expanded.given_up:
        values = {"categories": ", ".join(expanded.given_up), "share": MIN_ACCEPTED, "last": LAST_OF_CATEGORY}
        yield Message("data.expand.given_up", values)
    if expanded.stopped == "low":
        yield Message("data.expand.low", {"share": MIN_ACCEPTED, "last": LAST})
    if expanded.missing:
        yield Message("data.expand.missing", {"num": expanded.missing, "rows": expanded.rows})


def measured(expanded: Expanded, seed: int, progress: Progress = silent) -> Made | None:
    """Figures of all that stands in the file, written beside it; None where nothing does."""
    written, rejected = read_jsonl(expanded.out), read_jsonl(expanded.rejected_file)
    if not written:
        return None
    rows = [MadeRow(row["category"], tuple(turn["content"] for turn in row["messages"])) for row in written]
    diagnosis = _diagnosed(expanded.out, seed, progress)
    figures: dict[str, Any] = {
        "name": "expand",
        "seed": seed,
        "reviewed": sum(row.get("review") != "draft" for row in written),
        "made_by": dict(Counter(row["made_by"] for row in written).most_common()),
        "prompt_versions": dict(Counter(row["prompt_version"] for row in written).most_common()),
        "rejected": dict(Counter(row["reason"] for row in rejected).most_common()),
        "accepted_share": round(len(written) / (len(written) + len(rejected)), _DIGITS),
        **quality(rows),
        "verdict": diagnosis.verdict,
    }
    # A category that nothing was accepted of is one, too.
    counts = {name: 0 for name, quota in expanded.quota.items() if quota} | figures["categories"]
    figures["categories"] = dict(sorted(counts.items()))
    figures["balance"] = round(min(counts.values()) / max(counts.values()), _DIGITS)
    figures["findings"] = [
        {"code": finding.code, "name": finding.name, "severity": finding.severity, "count": finding.count}
        for finding in diagnosis.findings
    ]
    file = expanded.out.with_suffix(".quality.json")
    write_json(file, figures)
    return Made(expanded.out, file, None, figures, diagnosis.findings)


def _diagnosed(path: Path, seed: int, progress: Progress) -> Diagnosis:
    # Imported here: the doctor brings all of its checks along.
    from dadeum.data.corpus import Given
    from dadeum.data.doctor import check_files

    return check_files([Given(path, split="train")], seed=seed, progress=progress)
