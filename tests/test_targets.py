from __future__ import annotations

import os
from pathlib import Path

import pytest

from dadeum.targets import given, writable


def test_a_label_stands_behind_the_last_sign_that_follows_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mail.csv", "a=b.csv"):
        Path(name).touch()
    wanted = {
        "mail.csv": ("mail.csv", None), "mail.csv=스팸": ("mail.csv", "스팸"), "mail.csv=a=b": ("mail.csv", "a=b"),
        "a=b.csv": ("a=b.csv", None), "a=b.csv=광고": ("a=b.csv", "광고"), "gone.csv=a": ("gone.csv", "a"),
    }  # fmt: skip
    for target, (path, label) in wanted.items():
        [file] = given([target])
        assert (file.path, file.label) == (Path(path), label)


def test_a_folder_that_cannot_be_written_is_known_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writable(tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    (tmp_path / "taken").touch()
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(NotADirectoryError, match="taken"):
            writable(folder)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError):
        writable(tmp_path / "new")
    assert not (tmp_path / "new").exists()
