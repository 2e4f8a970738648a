"""Every check catches its hand-made bad file and is silent on its good one; what the doctor says of them as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from dadeum.core.findings import read_findings
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.plugins import names
from dadeum.data.corpus import Given
from dadeum.data.doctor import Diagnosis, check_files, write_diagnosis

FIXTURES = Path(__file__).parent / "doctor"
# These need what a bare file does not have; tests/data/test_check.py and tests/data/test_budget.py hold them.
NEED_MORE = {"unknown_label", "label_collision", "token_length", "token_budget"}
CHECKS = sorted(set(names("data.checks")) - NEED_MORE)


def fixture(kind: str, name: str) -> list[Given]:
    """`bad/<name>.jsonl` (or .json, .csv), or all files of the folder `bad/<name>/`."""
    folder = FIXTURES / kind / name
    files = sorted(folder.iterdir()) if folder.is_dir() else sorted((FIXTURES / kind).glob(f"{name}.*"))
    assert files, f"tests/data/doctor/{kind}/{name}.jsonl is missing"
    return [Given(path) for path in files]


def examine(kind: str, name: str) -> Diagnosis:
    return check_files(fixture(kind, name))


@pytest.mark.parametrize("name", CHECKS)
def test_the_bad_file_is_caught(name: str) -> None:
    diagnosis = examine("bad", name)
    found = {finding.name: finding for finding in diagnosis.findings}
    assert name in found
    finding = found[name]
    assert 0 < finding.count <= finding.total
    assert 1 <= len(finding.rows) <= 3
    for language in LANGUAGES:
        for part in ("title", "effect", "action"):
            values = {"count": finding.count, "total": finding.total} | finding.values
            assert text(f"checks.{name}.{part}", language, **values)


@pytest.mark.parametrize("name", CHECKS)
def test_the_good_file_is_left_alone(name: str) -> None:
    diagnosis = examine("good", name)
    assert name not in {finding.name for finding in diagnosis.findings}


def test_no_fixture_is_forgotten() -> None:
    for kind in ("bad", "good"):
        assert {path.stem for path in (FIXTURES / kind).iterdir()} == set(CHECKS)


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    diagnosis = examine("bad", "nfd")
    page = write_diagnosis(diagnosis, tmp_path / "out")
    stored = read_findings(tmp_path / "out" / "findings.jsonl")
    assert [finding.name for finding in stored] == [finding.name for finding in diagnosis.findings]
    rows = pq.read_table(tmp_path / "out" / "rows.parquet")
    assert rows.num_rows == sum(len(finding.hits) for finding in diagnosis.findings)
    assert "findings.jsonl" not in page.read_text(encoding="utf-8").split("<body", 1)[0]


def test_few_rows_are_called_few(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"instruction": "인사해 줘", "output": "안녕하세요."}\n', encoding="utf-8")
    diagnosis = check_files([Given(tmp_path / "one.jsonl")])
    assert "doctor.not_run.few_rows" in {message.key for message in diagnosis.not_run}
