"""`dadeum keys`: made, listed, revoked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dadeum.cli import app
from dadeum.cli_keys import _FILE
from dadeum.core.errors import RunError
from dadeum.gateway.keys import KEYS_FILE, KeyRing


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["keys", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_key_is_shown_once_and_works_until_it_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_LANG", "en")
    path = tmp_path / "keys.json"
    assert str(path) in invoke("list", "--file", path).replace("\n", "")
    made = invoke("create", "--name", "앱", "--scope", "infer, metrics", "--days", "30", "--file", path)
    secret = re.search(r"^dk_\S{43}$", made, re.MULTILINE)
    assert secret
    caller = KeyRing(path).caller(f"Bearer {secret.group()}")
    assert caller is not None and caller.scopes == {"infer", "metrics"}
    listed = invoke("list", "--file", path)
    assert secret.group() not in listed
    assert secret.group()[:11] in listed and "valid" in listed and "앱" in listed
    invoke("revoke", secret.group()[:11], "--file", path)
    assert KeyRing(path).caller(f"Bearer {secret.group()}") is None
    assert "revoked" in invoke("list", "--file", path)


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="infer, feedback, admin, metrics"):
        invoke("create", "--name", "앱", "--scope", "root", "--file", tmp_path / "keys.json")
    with pytest.raises(RunError, match="dk_nobody"):
        invoke("revoke", "dk_nobody", "--file", tmp_path / "keys.json")


def test_the_command_line_and_the_gateway_mean_the_same_file() -> None:
    assert _FILE == KEYS_FILE
