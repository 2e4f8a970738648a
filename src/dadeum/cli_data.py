"""`dadeum data check|build|restore`: data that is there (recipe, run folder or bare files); `cli_make` makes new."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadeum.core.errors import DataError
from dadeum.core.messages import text
from dadeum.core.pages import printable
from dadeum.core.run import Run
from dadeum.targets import (
    Adapter,
    DataFile,
    Folder,
    Override,
    Profile,
    RunFolder,
    Targets,
    are_files,
    given,
    recipe_or_run,
    writable,
)
from dadeum.terminal import bars, out, prepare_models, say, show_diagnosis, show_findings

if TYPE_CHECKING:
    from dadeum.data.convert import Converted

app = typer.Typer(no_args_is_help=True, help=text("cli.help.data"))

_GLANCE_CHARACTERS, _TEXT_CHARACTERS = 500, 60
Task = Annotated[str | None, typer.Option(help=text("cli.help.task"))]
Files = Annotated[list[str] | None, typer.Option(help=text("cli.help.split_file"))]


@app.command(help=text("cli.help.data_check"))
def check(
    targets: Targets,
    task: Task = None,
    tokenizer: Annotated[list[str] | None, typer.Option(help=text("cli.help.tokenizer"))] = None,
    max_length: Annotated[int, typer.Option(min=8, help=text("cli.help.max_length"))] = 2048,
    full: Annotated[bool, typer.Option("--full", help=text("cli.help.full"))] = False,
    validation: Files = None,
    test: Files = None,
    profile: Profile = None,
    data: DataFile = None,
    set_: Override = None,
    adapter: Adapter = None,
    folder: Folder = None,
) -> None:
    if not are_files([*targets, *(validation or ()), *(test or ())]):
        _check_recipe(targets[0], profile, data, set_, folder, adapter)
        return
    _refuse_recipe_options(profile, data, set_, adapter)
    from dadeum.data.doctor import check_files, write_diagnosis

    if tokenizer:
        prepare_models()
    files = [*given(targets), *given(validation or (), "validation"), *given(test or (), "test")]
    target = writable(folder or Path("runs") / "check" / files[0].path.stem)
    with bars() as progress:
        diagnosis = check_files(files, task, tuple(tokenizer or ()), max_length, full, progress=progress)
    page = write_diagnosis(diagnosis, target)
    show_diagnosis(diagnosis, page)
    if diagnosis.verdict == "unusable":
        raise typer.Exit(2)


def _check_recipe(
    target: str,
    profile: str | None,
    data: Path | None,
    set_: list[str] | None,
    folder: Path | None,
    adapter: Path | None,
) -> None:
    from dadeum import pipeline
    from dadeum.core.findings import read_findings

    prepare_models()
    with recipe_or_run(target, profile, data, set_, folder, adapter) as (recipe, run), bars() as progress:
        try:
            pipeline.build_and_check(recipe, run, progress)
        finally:
            if run.findings_path.exists():
                show_findings(read_findings(run.findings_path))
    say("cli.page", path=run.folder / "findings.html")
    say("cli.folder", folder=run.folder)


@app.command(help=text("cli.help.data_build"))
def build(
    targets: Targets,
    task: Task = None,
    clean: Annotated[str, typer.Option(help=text("cli.help.clean"))] = "",
    validation: Files = None,
    test: Files = None,
    profile: Profile = None,
    data: DataFile = None,
    set_: Override = None,
    adapter: Adapter = None,
    folder: Folder = None,
) -> None:
    if are_files([*targets, *(validation or ()), *(test or ())]):
        _refuse_recipe_options(profile, data, set_, adapter)
        from dadeum.data.convert import convert_files
        from dadeum.data.repairs.step_list import parse_steps

        files = [*given(targets), *given(validation or (), "validation"), *given(test or (), "test")]
        target = writable(folder or Path("runs") / "build" / files[0].path.stem)
        with bars() as progress:
            converted = convert_files(files, target, task, parse_steps(clean), progress=progress)
        _show_converted(converted)
        return
    from dadeum import pipeline

    prepare_models()
    with recipe_or_run(targets[0], profile, data, set_, folder, adapter) as (recipe, run), bars() as progress:
        pipeline.build(recipe, run, progress)
    _show_data(run)
    say("cli.folder", folder=run.folder)


@app.command(help=text("cli.help.data_restore"))
def restore(
    run_folder: RunFolder,
    out: Annotated[Path, typer.Option(help=text("cli.help.restore_out"))],
    reason: Annotated[list[str] | None, typer.Option(help=text("cli.help.reason"))] = None,
) -> None:
    from dadeum.data.restore import restore as write_originals

    say("cli.restored", num=f"{write_originals(run_folder, reason, out):,}", path=out)


def _refuse_recipe_options(
    profile: str | None, data: Path | None, set_: list[str] | None, adapter: Path | None
) -> None:
    options = (("--profile", profile), ("--data", data), ("--set", set_), ("--adapter", adapter))
    named = [name for name, value in options if value]
    if named:
        raise DataError("cli.recipe_option", option=", ".join(named))


def _show_converted(converted: Converted) -> None:
    """What was guessed, what every step did, one row before and after, and whether the counts add up."""
    for note in converted.notes:
        out.print(str(note), markup=False, soft_wrap=True)
    for step in converted.steps:
        say("cli.step", step=step.step, changed=f"{step.changed:,}", removed=f"{step.removed:,}")
    for shown in converted.shown:
        say("cli.before", name=shown.name, row=_glance(shown.before))
        after = text("cli.row_removed") if shown.after is None else _glance(shown.after)
        say("cli.after", row=after)
    used = ", ".join(f"{split} {count:,}" for split, count in converted.used.items())
    removed = ", ".join(f"{reason} {count:,}" for reason, count in converted.removed.items()) or "0"
    say("cli.data_built", rows_in=f"{converted.rows_in:,}", used=used, removed=removed)
    say("cli.converted", folder=converted.folder, changed=f"{converted.changed:,}")


def _glance(row: str) -> str:
    """A row on a line or two: long texts begun only, line ends as signs."""
    with suppress(json.JSONDecodeError):  # a line of CSV stays as it is
        row = json.dumps(_begun(json.loads(row)), ensure_ascii=False)
    row = printable(row.replace("\r\n", "\n").replace("\n", " ⏎ "))
    return row if len(row) <= _GLANCE_CHARACTERS else row[:_GLANCE_CHARACTERS] + "…"


def _begun(value: Any) -> Any:
    """The same JSON value with every long text cut."""
    if isinstance(value, dict):
        return {name: _begun(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_begun(item) for item in value]
    if isinstance(value, str) and len(value) > _TEXT_CHARACTERS:
        return value[:_TEXT_CHARACTERS] + "…"
    return value


def _show_data(run: Run) -> None:
    data = run.manifest()["data"]
    used = ", ".join(f"{split} {count:,}" for split, count in data["used"].items())
    removed = ", ".join(f"{reason} {count:,}" for reason, count in data["removed"].items()) or "0"
    say("cli.data_built", rows_in=f"{data['rows_in']:,}", used=used, removed=removed)
