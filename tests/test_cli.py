from __future__ import annotations

import sys

import pytest

from dadeum import cli
from dadeum.core.messages import text


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(130)])
@pytest.mark.parametrize(
    ("command", "key"), [("data", "cli.stopped"), ("push", "cli.stopped"), ("run", "cli.interrupted")]
)
def test_who_interrupts_is_told_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: BaseException, command: str, key: str
) -> None:
    def interrupted() -> None:
        raise how

    monkeypatch.setattr(cli, "app", interrupted)
    monkeypatch.setattr(cli, "prepare_models", lambda: None)
    monkeypatch.setattr(sys, "argv", ["dadeum", command])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 130
    assert text(key) in capsys.readouterr().out


def test_other_exits_stay_what_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def failed() -> None:
        raise SystemExit(1)

    monkeypatch.setattr(cli, "app", failed)
    monkeypatch.setattr(sys, "argv", ["dadeum", "data"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert (stopped.value.code, capsys.readouterr().out) == (1, "")
