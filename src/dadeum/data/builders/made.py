"""`dadeum data make NAME`: Korean training data of our own, measured and looked at by the doctor before it is kept.

The same name, rows and seed give the same bytes. What the doctor would stop a run for is not written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dadeum.core.errors import DataError
from dadeum.core.findings import Finding
from dadeum.core.messages import Message, current_language
from dadeum.core.progress import Progress, silent
from dadeum.core.run import write_json, write_jsonl
from dadeum.core.words import finding_title
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_quality import quality
from dadeum.data.builders.made_rows import ROWS, AnyRow, made_rows
from dadeum.data.builders.made_topics import MadeRow, topics
from dadeum.data.builders.mail_bank import bank
from dadeum.data.builders.mail_quality import MIN_ROWS, mail_quality
from dadeum.data.builders.mail_rows import MailRow
from dadeum.data.nearest import nearest

if TYPE_CHECKING:
    from dadeum.data.doctor import Diagnosis

_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Made:
    """A file that was made."""

    out: Path
    quality_file: Path
    asked: int | None
    quality: dict[str, Any]
    findings: list[Finding]
    """Of the doctor; none of them blocks."""

    def sentences(self) -> Iterator[Message]:
        """What there is to say of it, in order."""
        figures = self.quality
        yield Message("data.made.written", {"path": self.out, "rows": figures["rows"]})
        if self.asked is not None and figures["rows"] < self.asked:
            yield Message("data.made.fewer", {"asked": self.asked, "rows": figures["rows"]})
        yield from _of_mail(figures) if "labels" in figures else _of_conversations(figures)
        verdict = Message(f"data.made.verdict.{figures['verdict']}")
        yield Message("data.made.doctor", {"verdict": verdict, "findings": len(self.findings)})
        for finding in self.findings:
            yield Message("data.made.finding", {"code": finding.code, "title": _title(finding)})
        yield Message("data.made.quality_file", {"path": self.quality_file})


def _of_conversations(figures: dict[str, Any]) -> Iterator[Message]:
    categories = _counted(figures["categories"])
    yield Message("data.made.categories", {"categories": categories, "balance": figures["balance"]})
    yield Message("data.made.variety", figures)
    level, share = next(iter(figures["speech_levels"].items()))
    yield Message("data.made.speech", {"level": Message(f"data.made.level.{level}"), "share": share})


def _of_mail(figures: dict[str, Any]) -> Iterator[Message]:
    uneven = max(
        abs(counts.get("ALLOW", 0) - counts.get("BLOCK", 0))
        for field in ("origins", "styles")
        for counts in figures[field].values()
    )
    values = {"origins": len(figures["origins"]), "styles": len(figures["styles"]), "uneven": uneven}
    yield Message("data.made.mail.labels", {"labels": _counted(figures["labels"]), **values})
    yield Message("data.made.mail.variety", figures)
    if figures["surface_auc"] is None:
        yield Message("data.made.mail.few", {"least": MIN_ROWS})
    else:
        yield Message("data.made.mail.told", figures)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def listed() -> Iterator[Message]:
    """What can be made."""
    written = conversations()
    yield Message("data.made.list.korean_sft", {"rows": sum(map(len, written.values())), "categories": len(written)})
    yield Message("data.made.list.no_warning", {"rows": ROWS["no-warning"], "topics": len(topics())})
    yield Message("data.made.list.correction", {"rows": ROWS["correction"]})
    origins = len({topic.origin for topic in bank().topics})
    yield Message("data.made.list.mail", {"rows": ROWS["mail"], "origins": origins, "styles": len(bank().styles)})


def make(name: str, out: Path, rows: int | None = None, seed: int = 42, progress: Progress = silent) -> Made:
    """Write `out` and `<out>.quality.json`; raises DataError where nothing good would come of it."""
    if name not in ROWS:
        raise DataError("data.made.unknown", name=name, known=", ".join(ROWS), near=nearest(name, ROWS))
    if out.suffix != _SUFFIX:
        raise DataError("data.made.suffix", path=out)
    asked = rows or ROWS[name]
    made = made_rows(name, rows, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        path = Path(folder) / out.name
        write_jsonl(path, (row.as_json() for row in made))
        diagnosis = _diagnosed(path, seed, progress)
        if diagnosis.verdict == "unusable":
            worst = next(finding for finding in diagnosis.findings if finding.severity == "block")
            raise DataError("data.made.blocked", path=out, code=worst.code, title=_title(worst))
        path.replace(out)
    figures = {"name": name, "seed": seed, **_measured(made), "verdict": diagnosis.verdict}
    figures["findings"] = [
        {"code": finding.code, "name": finding.name, "severity": finding.severity, "count": finding.count}
        for finding in diagnosis.findings
    ]
    file = out.with_suffix(".quality.json")
    write_json(file, figures)
    return Made(out, file, asked, figures, diagnosis.findings)


def _measured(rows: Sequence[AnyRow]) -> dict[str, Any]:
    mails = [row for row in rows if isinstance(row, MailRow)]
    return mail_quality(mails) if mails else quality([row for row in rows if isinstance(row, MadeRow)])


def _diagnosed(path: Path, seed: int, progress: Progress) -> Diagnosis:
    # Imported here: the doctor brings all of its checks along, which `--list` does not need.
    from dadeum.data.corpus import Given
    from dadeum.data.doctor import check_files

    return check_files([Given(path, split="train")], seed=seed, progress=progress)


def _title(finding: Finding) -> str:
    return finding_title(finding).get(current_language())
