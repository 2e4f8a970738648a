"""The command line: parse, call the step, print. `dadeum --help` imports neither torch nor transformers.

Exit codes: 0 done, 1 a gate of the recipe failed, 2 a mistake the user can correct, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from dadeum import (
    __version__,
    cli_ask,
    cli_compare,
    cli_data,
    cli_doctor,
    cli_index,
    cli_keys,
    cli_make,
    cli_monitor,
    cli_promote,
    cli_serve,
    cli_ship,
    cli_tune,
)
from dadeum.continuing import load_continuing
from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.messages import current_language, text
from dadeum.core.recipe_file import load_recipe, shipped_recipes
from dadeum.core.run import Run, read_json
from dadeum.targets import (
    Adapter,
    DataFile,
    Folder,
    Override,
    Profile,
    RecipeName,
    RunFolder,
    new_run,
    preflight,
    reopen,
)
from dadeum.terminal import Told, bars, out, prepare_models, say, show_error

INTERRUPTED = 130
_WITHOUT_A_RUN = {"data", "doctor", "export", "push", "models", "index", "ask", "serve", "monitor", "tune"}
"""Commands that begin anew when they were stopped: there is no run to resume."""
app = typer.Typer(no_args_is_help=True, add_completion=False, help=text("cli.help.app"), pretty_exceptions_enable=False)
recipes_app = typer.Typer(no_args_is_help=True, help=text("cli.help.recipes"))
cli_data.app.add_typer(cli_make.app)  # without a name: commands of `data`
app.add_typer(cli_data.app, name="data")
app.add_typer(recipes_app, name="recipes")
app.add_typer(cli_ship.models_app, name="models")
app.add_typer(cli_index.app, name="index")
app.add_typer(cli_compare.app)  # without a name: its commands are ours
app.add_typer(cli_ship.app)
app.add_typer(cli_promote.app)
app.add_typer(cli_tune.app)
app.add_typer(cli_serve.app)
app.add_typer(cli_ask.app)
app.add_typer(cli_keys.app)
app.add_typer(cli_monitor.app)
app.add_typer(cli_doctor.app)


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
    adapter: Adapter = None,
    resume: Annotated[Path | None, typer.Option(help=text("cli.help.resume"))] = None,
) -> None:
    from dadeum import pipeline

    if (recipe is None) == (resume is None):
        raise RecipeError("cli.recipe_or_resume")
    if resume is not None:
        if adapter is not None:
            raise RecipeError("models.started.with_resume", path=adapter)
        resolved, run = reopen(resume, set_)
        say("cli.resuming", folder=run.folder)
        with bars() as progress:
            pipeline.run(resolved, run, progress)
    else:
        resolved = load_continuing(str(recipe), profile, tuple(set_ or ()), data, adapter)
        preflight(resolved)
        with new_run(resolved, folder) as run, bars() as progress:
            say("cli.running", name=resolved.name, folder=run.folder)
            pipeline.run(resolved, run, progress)
    _conclude(run)


@app.command(help=text("cli.help.plan"))
def plan(
    recipe: RecipeName,
    profile: Profile = None,
    data: DataFile = None,
    set_: Override = None,
    adapter: Adapter = None,
) -> None:
    preflight(load_continuing(recipe, profile, tuple(set_ or ()), data, adapter))


@app.command(help=text("cli.help.train"))
def train(run_folder: RunFolder) -> None:
    from dadeum import pipeline

    recipe, run = reopen(run_folder, None)
    with bars() as progress:
        pipeline.train(recipe, run, progress)
    say("cli.trained", folder=run.adapter_folder(recipe))


@app.command(help=text("cli.help.evaluate"))
def evaluate(run_folder: RunFolder) -> None:
    from dadeum import pipeline

    recipe, run = reopen(run_folder, None)
    with bars() as progress:
        pipeline.evaluate(recipe, run, progress)
    pipeline.report(recipe, run)
    _conclude(run)


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
    for path in recipe.data.paths:
        copied = target.parent / path.relative_to(source.parent)
        copied.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, copied, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, copied)
    shutil.copyfile(source, target)
    say("cli.copied", path=target)


# -- shared by the commands ----------------------------------------------------------------------
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
    if {"run", "plan", "train", "evaluate", "tune"} & set(sys.argv[1:]) and "--help" not in sys.argv:
        prepare_models()
    try:
        app()
    except DadeumError as error:
        show_error(error)
        sys.exit(2)
    except (PermissionError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        detail = error.strerror or type(error).__name__
        show_error(DadeumError("cli.os_error", path=error.filename or "-", detail=detail))
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        show_error(DadeumError("cli.disk_full", path=error.filename or "-"))
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stop:
        # Typer turns Ctrl-C into an exit and says nothing.
        if isinstance(stop, SystemExit) and (stop.code != INTERRUPTED or isinstance(stop, Told)):
            raise
        say("cli.stopped" if _WITHOUT_A_RUN & set(sys.argv[1:2]) else "cli.interrupted")
        sys.exit(INTERRUPTED)
