"""What others may rely on: one version, the commands that the documents name, exports that exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from typer.main import get_command

import dadeum
from dadeum.cli import app

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_is_one() -> None:
    assert version("dadeum") == dadeum.__version__
    assert f"## [{dadeum.__version__}]" in CHANGELOG or "## [Unreleased]" in CHANGELOG


def test_the_console_script_is_the_command_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"dadeum": "dadeum.cli:main"}


def test_everything_that_is_exported_exists() -> None:
    assert {"run", "plan", "build_data", "check_data", "train", "evaluate", "compare", "export"} <= set(dadeum.__all__)
    assert [name for name in dadeum.__all__ if not hasattr(dadeum, name)] == []


def test_both_readmes_name_every_command_and_no_other() -> None:
    commands = set(command_paths(get_command(app)))
    for readme in ("README.md", "README.en.md"):
        assert commands_in((ROOT / readme).read_text(encoding="utf-8")) == commands, readme


def test_every_command_explains_itself() -> None:
    assert [name for name, command in walk(get_command(app)) if not command.help] == []


def walk(command: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`data build` and its like, groups included."""
    for name, inner in getattr(command, "commands", {}).items():
        yield f"{prefix}{name}", inner
        yield from walk(inner, f"{prefix}{name} ")


def command_paths(command: Any) -> Iterator[str]:
    return (name for name, inner in walk(command) if not hasattr(inner, "commands"))


def commands_in(document: str) -> set[str]:
    """Commands in the table: `dadeum data build` / `data check` are two."""
    cells = [line.split("|")[1] for line in document.splitlines() if line.startswith("| `dadeum ")]
    found: set[str] = set()
    for cell in cells:
        group = ""
        for written in re.findall("`([^`]+)`", cell):
            words = [word for word in written.removeprefix("dadeum ").split() if re.fullmatch("[a-z]+", word)]
            if written.startswith("dadeum ") and len(words) > 1:
                group = words[0]
            elif group and words[0] != group:
                words = [group, *words]
            found.add(" ".join(words[:2]))
    return found
