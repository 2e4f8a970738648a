"""The command line: parse, call the step, print. `dadeum --help` imports neither torch nor transformers.

Exit codes: 0 done, 1 a gate of the recipe failed, 2 a mistake the user can correct, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dadeum import __version__
from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.messages import current_language, text
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump, load_recipe, shipped_recipes
from dadeum.core.run import Run, read_json, write_text
from dadeum.terminal import bars, calm_libraries, out, say, show_error, show_findings, show_plan

app = typer.Typer(no_args_is_help=True, add_completion=False, help=text("cli.help.app"), pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help=text("cli.help.data"))
recipes_app = typer.Typer(no_args_is_help=True, help=text("cli.help.recipes"))
models_app = typer.Typer(no_args_is_help=True, help=text("cli.help.models"))
app.add_typer(data_app, name="data")
app.add_typer(recipes_app, name="recipes")
app.add_typer(models_app, name="models")

RecipeName = Annotated[str, typer.Argument(help=text("cli.help.recipe"))]
Target = Annotated[str, typer.Argument(help=text("cli.help.target"))]
Profile = Annotated[str | None, typer.Option(help=text("cli.help.profile"))]
DataFile = Annotated[Path | None, typer.Option("--data", help=text("cli.help.data_file"))]
Override = Annotated[list[str] | None, typer.Option("--set", help=text("cli.help.set"))]
Folder = Annotated[Path | None, typer.Option("--out", help=text("cli.help.out"))]


@app.callback(invoke_without_command=True)
def _options(
    lang: Annotated[str | None, typer.Option(help="ko | en")] = None,
    version: Annotated[bool, typer.Option("--version", help=text("cli.help.version"))] = False,
) -> None:
    if lang:
        os.environ["DADEUM_LANG"] = lang
    if version:
        out.print(f"dadeum {__version__}")
        raise typer.Exit


@app.command("run", help=text("cli.help.run"))
def run_command(
    recipe: Annotated[str | None, typer.Argument(help=text("cli.help.recipe"))] = None,
    profile: Profile = None,
    data: DataFile = None,
    set_: Override = None,
    folder: Folder = None,
    resume: Annotated[Path | None, typer.Option(help=text("cli.help.resume"))] = None,
) -> None:
    from dadeum import pipeline

    if (recipe is None) == (resume is None):
        raise RecipeError("cli.recipe_or_resume")
    if resume is not None:
        resolved, run = _reopen(resume, set_)
        say("cli.resuming", folder=run.folder)
        with bars() as progress:
            pipeline.run(resolved, run, progress)
    else:
        resolved = load_recipe(str(recipe), profile, tuple(set_ or ()), data)
        _preflight(resolved)
        with _new_run(resolved, folder) as run, bars() as progress:
            say("cli.running", name=resolved.name, folder=run.folder)
            pipeline.run(resolved, run, progress)
    _conclude(run)


@app.command(help=text("cli.help.plan"))
def plan(recipe: RecipeName, profile: Profile = None, data: DataFile = None, set_: Override = None) -> None:
    _preflight(load_recipe(recipe, profile, tuple(set_ or ()), data))


@data_app.command("build", help=text("cli.help.data_build"))
def data_build(
    target: Target, profile: Profile = None, data: DataFile = None, set_: Override = None, folder: Folder = None
) -> None:
    from dadeum import pipeline

    with _target(target, profile, data, set_, folder) as (recipe, run), bars() as progress:
        pipeline.build(recipe, run, progress)
    _show_data(run)
    say("cli.folder", folder=run.folder)


@data_app.command("check", help=text("cli.help.data_check"))
def data_check(
    target: Target, profile: Profile = None, data: DataFile = None, set_: Override = None, folder: Folder = None
) -> None:
    from dadeum import pipeline
    from dadeum.core.findings import read_findings

    with _target(target, profile, data, set_, folder) as (recipe, run), bars() as progress:
        try:
            pipeline.build_and_check(recipe, run, progress)
        finally:
            show_findings(read_findings(run.findings_path))
    say("cli.folder", folder=run.folder)


@app.command(help=text("cli.help.train"))
def train(run_folder: Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))]) -> None:
    from dadeum import pipeline

    recipe, run = _reopen(run_folder, None)
    with bars() as progress:
        pipeline.train(recipe, run, progress)
    say("cli.trained", folder=run.adapter_folder(recipe))


@app.command(help=text("cli.help.evaluate"))
def evaluate(run_folder: Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))]) -> None:
    from dadeum import pipeline

    recipe, run = _reopen(run_folder, None)
    with bars() as progress:
        pipeline.evaluate(recipe, run, progress)
    pipeline.report(recipe, run)
    _conclude(run)


@app.command(help=text("cli.help.compare"))
def compare(
    run_a: Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))],
    run_b: Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))],
) -> None:
    from dadeum.evaluation.compare import compare as compare_runs
    from dadeum.evaluation.compare import describe

    for line in describe(compare_runs(Run.open(run_a), Run.open(run_b)), current_language()):
        out.print(line, markup=False, soft_wrap=True)


@app.command(help=text("cli.help.export"))
def export(
    run_folder: Annotated[Path, typer.Argument(help=text("cli.help.run_folder"))],
    format: Annotated[str | None, typer.Option(help="adapter | merged")] = None,
) -> None:
    from dadeum.serving.export import export as ship

    if format not in (None, "adapter", "merged"):
        raise RecipeError("cli.export_format", format=format)
    recipe, run = _reopen(run_folder, None)
    exported = ship(recipe, run, format)
    say("cli.exported", folder=exported.folder, size=exported.size_mb, difference=exported.largest_logit_difference)


@recipes_app.command("list", help=text("cli.help.recipes_list"))
def recipes_list() -> None:
    for name, path in shipped_recipes().items():
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        out.print(f"{name:<20} {first}", markup=False, soft_wrap=True)


@recipes_app.command("copy", help=text("cli.help.recipes_copy"))
def recipes_copy(name: RecipeName, to: Annotated[Path, typer.Argument()] = Path()) -> None:
    from dadeum.core.recipe_file import find_recipe

    source = find_recipe(name)
    target = to / source.name if to.is_dir() or not to.suffix else to
    if target.exists():
        raise RecipeError("cli.file_exists", path=target)
    target.parent.mkdir(parents=True, exist_ok=True)
    recipe = load_recipe(source)
    for item in recipe.data.sources:
        relative = Path(item.path).relative_to(source.parent)
        (target.parent / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target.parent / relative)
    shutil.copyfile(source, target)
    say("cli.copied", path=target)


@models_app.command("list", help=text("cli.help.models_list"))
def models_list() -> None:
    from dadeum.models.load import ALIASES

    for alias, packaged in ALIASES.items():
        out.print(f"{alias:<16} {packaged.hub_id}  ({packaged.requirement}, {packaged.language})", markup=False)
    say("cli.any_hub_id")


# -- shared by the commands ----------------------------------------------------------------------
def _preflight(recipe: Recipe) -> None:
    """Show the plan; raises every problem at once when there is one."""
    from dadeum.planning import plan as make_plan

    show_plan(recipe, make_plan(recipe))


@contextmanager
def _new_run(recipe: Recipe, folder: Path | None) -> Iterator[Run]:
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
def _target(
    target: str, profile: str | None, data: Path | None, set_: list[str] | None, folder: Path | None
) -> Iterator[tuple[Recipe, Run]]:
    """A run folder to go on with, or a recipe for a new one."""
    if (Path(target) / "manifest.json").is_file():
        yield _reopen(Path(target), set_)
        return
    recipe = load_recipe(target, profile, tuple(set_ or ()), data)
    with _new_run(recipe, folder) as run:
        yield recipe, run


def _reopen(folder: Path, set_: list[str] | None) -> tuple[Recipe, Run]:
    run = Run.open(folder)
    recipe = load_recipe(run.recipe_path, overrides=tuple(set_ or ()))
    if set_:
        write_text(run.recipe_path, dump(recipe))
    return recipe, run


def _show_data(run: Run) -> None:
    data = run.manifest()["data"]
    used = ", ".join(f"{split} {count:,}" for split, count in data["used"].items())
    removed = ", ".join(f"{reason} {count:,}" for reason, count in data["removed"].items()) or "0"
    say("cli.data_built", rows_in=f"{data['rows_in']:,}", used=used, removed=removed)


def _conclude(run: Run) -> None:
    """Before, after, baseline; the verdict; where the report is. Exit code 1 when a gate failed."""
    from dadeum.evaluation.report import summary_lines, verdict_line

    language = current_language()
    out.print()
    for line in summary_lines(run, language):
        out.print(line, markup=False, soft_wrap=True)
    out.print(verdict_line(run, language), markup=False, soft_wrap=True, style="bold")
    say("cli.report", path=run.folder / "report.html")
    failed = [gate for gate in read_json(run.scores_path)["gates"] if not gate["passed"]]
    for gate in failed:
        value = "-" if gate["value"] is None else f"{gate['value']:.3f}"
        say("cli.gate_failed", metric=gate["metric"], condition=gate["condition"], value=value)
    if failed:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: users' mistakes become one sentence, our bugs keep their traceback."""
    heavy = {"run", "plan", "data", "train", "evaluate", "export"} & set(sys.argv[1:])
    if heavy and "--help" not in sys.argv:
        from dadeum.models.precision import prepare_cpu

        prepare_cpu()
        calm_libraries()
    try:
        app()
    except DadeumError as error:
        show_error(error)
        sys.exit(2)
    except (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        detail = error.strerror or type(error).__name__
        show_error(DadeumError("cli.os_error", path=error.filename or "-", detail=detail))
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        show_error(DadeumError("cli.disk_full", path=error.filename or "-"))
        sys.exit(2)
    except KeyboardInterrupt:
        say("cli.interrupted")
        sys.exit(130)
