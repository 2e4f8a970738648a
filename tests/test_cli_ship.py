from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dadeum import cli_ship
from dadeum.cli import app
from dadeum.core.errors import RecipeError
from dadeum.core.run import Run
from dadeum.serving.export import Exported
from dadeum.serving.pull import Pulled
from dadeum.serving.push import Pushed
from tests.tiny import decide_recipe

runner = CliRunner()


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = tmp_path / "mails.csv"
    source.write_text("subject,label\n안녕,ALLOW\n", encoding="utf-8")
    recipe = decide_recipe("acme/tiny", data={"sources": [{"path": str(source)}]})
    monkeypatch.setenv("DADEUM_LANG", "en")
    monkeypatch.setattr(cli_ship, "prepare_models", lambda: None)
    return Run.create(recipe, tmp_path / "run").folder


def invoke(*arguments: object) -> str:
    result = runner.invoke(app, list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    # Rich folds long lines at the width of the terminal.
    return result.output.replace("\n", " ")


def test_every_shipping_command_is_on_the_command_line() -> None:
    listed = invoke("--help")
    assert all(name in listed for name in ("export", "push", "models"))
    assert all(name in invoke("models", "--help") for name in ("list", "pull"))


@pytest.mark.parametrize("command", ["export", "push"])
def test_an_unknown_format_is_named_before_anything_starts(command: str, run_folder: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        invoke(command, run_folder, "--format", "onnx")
    assert "adapter, merged, gguf, ollama" in str(caught.value)


def test_export_says_where_and_what_next(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Exported(run_folder / "export" / "ollama", "ollama", 12.5, 0.0001)
    monkeypatch.setattr("dadeum.serving.export.export", lambda recipe, run, format: made)
    said = invoke("export", run_folder, "--format", "ollama")
    assert "12.5 MB" in said and "ollama create tiny -f Modelfile" in said


def test_push_hands_over_what_was_asked(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def send(recipe: object, run: object, *wishes: object) -> Pushed:
        asked.extend(wishes)
        return Pushed("somi/x", "http://hub/somi/x", "abc" * 10, False, "merged", 3.0)

    monkeypatch.setattr("dadeum.serving.push.push", send)
    monkeypatch.setattr("dadeum.serving.export.current_export", lambda *_: run_folder)
    said = invoke("push", run_folder, "--repo", "somi/x", "--public", "--format", "merged", "--force")
    assert asked == ["somi/x", True, "merged", True]
    assert "http://hub/somi/x" in said and "public" in said
    asked.clear()
    invoke("push", run_folder)
    assert asked == [None, False, None, False]


def test_pull_tells_size_licence_and_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DADEUM_LANG", "en")
    got = Pulled("acme/tiny", tmp_path, 270.5, None, "c0ffee")
    monkeypatch.setattr("dadeum.serving.pull.pull", lambda name, revision: got)
    said = invoke("models", "pull", "acme/tiny")
    assert all(part in said for part in ("acme/tiny", "270.5 MB", "c0ffee", "unknown", str(tmp_path)))


def test_the_list_shows_aliases_and_local_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "dadeum.serving.pull.local_models", lambda: iter([Pulled("acme/x", tmp_path, 1.0, None, "abc")])
    )
    said = invoke("models", "list")
    assert "smollm2-135m" in said and "acme/x" in said
