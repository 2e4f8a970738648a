"""What a command works on: a recipe for a new run, a run folder to go on with, or files without a recipe."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadeum.continuing import load_continuing
from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump, load_recipe, shipped_recipes
from dadeum.core.run import Run, write_text
from dadeum.terminal import show_plan

if TYPE_CHECKING:
    from dadeum.data.corpus import Given
    from dadeum.planning import Plan

RecipeName = Annotated[str, typer.Argument(help=text("cli.help.recipe"))]
Targets = Annotated[list[str], typer.Argument(help=text("cli.help.target"))]
Profile = Annotated[str | None, typer.Option(help=text("cli.help.profile"))]
DataFile = Annotated[Path | None, typer.Option("--data", help=text("cli.help.data_file"))]
Adapter = Annotated[Path | None, typer.Option("--adapter", help=text("cli.help.adapter"))]
Override = Annotated[list[str] | None, typer.Option("--set", help=text("cli.help.set"))]
Folder = Annotated[Path | None, typer.Option("--out", help=text("cli.help.out"))]
RunFolder = Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))]
IndexPlace = Annotated[str, typer.Option("--index", help=text("cli.help.index_place"))]
IndexName = Annotated[str, typer.Option("--name", help=text("cli.help.index_name"))]


def are_files(targets: Sequence[str]) -> bool:
    """Whether these are data files; one recipe (a name or YAML) or one run folder is not."""
    if len(targets) > 1:
        return True
    path = Path(targets[0])
    if (path / "manifest.json").is_file() or path.suffix.lower() in (".yaml", ".yml"):
        return False
    return bool(path.suffix) or (path.exists() and path.name not in shipped_recipes())


def given(targets: Sequence[str], split: str | None = None) -> list[Given]:
    """`mail.csv` or `mail.csv=BLOCK` as files with a label; a file whose name has an equals sign is that file."""
    from dadeum.data.corpus import Given

    files = []
    for target in targets:
        path, label = (target, None) if Path(target).exists() else _parted(target)
        files.append(Given(Path(path), label, split))
    return files


def _parted(target: str) -> tuple[str, str | None]:
    """`a=b.csv=BLOCK` → ("a=b.csv", "BLOCK"): at the last sign before which there is a file, else at the last one."""
    places = [place for place in range(len(target) - 1, 0, -1) if target[place] == "="]
    if not places:
        return target, None
    place = next((place for place in places if Path(target[:place]).exists()), places[0])
    return target[:place], target[place + 1 :]


def writable(folder: Path) -> Path:
    """The folder, which need not exist yet; raises OSError now and not after minutes of work."""
    found = next(path for path in (folder, *folder.parents) if path.exists())
    if not found.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(found))
    if not os.access(found, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(found))
    return folder


@contextmanager
def new_run(recipe: Recipe, folder: Path | None) -> Iterator[Run]:
    """A new run folder; it disappears again when the data turns out to be unusable: nothing half-written."""
    run = Run.create(recipe, folder)
    try:
        yield run
    except DadeumError:
        if run.manifest()["steps"].get("data.build", {}).get("status") != "done":
            shutil.rmtree(run.folder)
            for parent in (run.folder.parent, run.folder.parent.parent) if folder is None else ():
                if not any(parent.iterdir()):
                    parent.rmdir()
        raise


@contextmanager
def recipe_or_run(
    target: str,
    profile: str | None,
    data: Path | None,
    set_: list[str] | None,
    folder: Path | None,
    adapter: Path | None = None,
) -> Iterator[tuple[Recipe, Run]]:
    """A run folder to go on with, or a recipe for a new one."""
    if (Path(target) / "manifest.json").is_file():
        if adapter is not None:
            raise RecipeError("models.started.with_resume", path=adapter)
        yield reopen(Path(target), set_)
        return
    recipe = load_continuing(target, profile, tuple(set_ or ()), data, adapter)
    with new_run(recipe, folder) as run:
        yield recipe, run


def preflight(recipe: Recipe) -> Plan:
    """Show the plan; raises every problem at once when there is one."""
    from dadeum.planning import plan

    found = plan(recipe)
    show_plan(recipe, found)
    return found


def reopen(folder: Path, set_: list[str] | None) -> tuple[Recipe, Run]:
    run = Run.open(folder)
    recipe = load_recipe(run.recipe_path, overrides=tuple(set_ or ()))
    if set_:
        write_text(run.recipe_path, dump(recipe))
    return recipe, run
