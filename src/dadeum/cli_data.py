"""`dadeum data …`: check, build, restore (recipe, run folder or bare files), chunks and draft (documents), make."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadeum.core.errors import DataError
from dadeum.core.messages import text
from dadeum.core.pages import printable
from dadeum.core.run import Run
from dadeum.targets import (
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
    from dadeum.data.builders.draft import Drafted
    from dadeum.data.convert import Converted
    from dadeum.data.passages.corpus import Passages

app = typer.Typer(no_args_is_help=True, help=text("cli.help.data"))

_GLANCE_CHARACTERS, _TEXT_CHARACTERS = 500, 60
Task = Annotated[str | None, typer.Option(help=text("cli.help.task"))]
Files = Annotated[list[str] | None, typer.Option(help=text("cli.help.split_file"))]
Documents = Annotated[list[Path], typer.Argument(help=text("data.builders.help.documents"))]
SizeTokens = Annotated[int, typer.Option(min=16, help=text("data.builders.help.size_tokens"))]
OverlapTokens = Annotated[int, typer.Option(min=0, help=text("data.builders.help.overlap_tokens"))]
_COUNTS = "minilm-l6"
"""Whose tokens sizes are counted in: the model that recipes of the task `retrieve` are shipped with."""


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
    folder: Folder = None,
) -> None:
    if not are_files([*targets, *(validation or ()), *(test or ())]):
        _check_recipe(targets[0], profile, data, set_, folder)
        return
    _refuse_recipe_options(profile, data, set_)
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
    target: str, profile: str | None, data: Path | None, set_: list[str] | None, folder: Path | None
) -> None:
    from dadeum import pipeline
    from dadeum.core.findings import read_findings

    prepare_models()
    with recipe_or_run(target, profile, data, set_, folder) as (recipe, run), bars() as progress:
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
    folder: Folder = None,
) -> None:
    if are_files([*targets, *(validation or ()), *(test or ())]):
        _refuse_recipe_options(profile, data, set_)
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
    with recipe_or_run(targets[0], profile, data, set_, folder) as (recipe, run), bars() as progress:
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


@app.command(help=text("data.builders.help.chunks"))
def chunks(
    documents: Documents,
    out_file: Annotated[Path, typer.Option("--out", help=text("data.builders.help.chunks_out"))],
    size_tokens: SizeTokens = 256,
    overlap_tokens: OverlapTokens = 32,
    model: Annotated[str, typer.Option("--model", "--tokenizer", help=text("data.builders.help.counts"))] = _COUNTS,
    recognise: Annotated[bool, typer.Option("--recognise", help=text("data.builders.help.recognise"))] = False,
) -> None:
    from dadeum.data.builders.chunk_files import write_chunk_rows

    prepare_models()
    writable(out_file.parent)
    passages = _cut(documents, model, size_tokens, overlap_tokens, recognise)
    write_chunk_rows(out_file, passages.chunks)
    say("data.builders.chunks_written", **vars(passages.facts), path=out_file)


@app.command(help=text("data.builders.help.draft"))
def draft(
    documents: Documents,
    out_file: Annotated[Path, typer.Option("--out", help=text("data.builders.help.draft_out"))],
    per_chunk: Annotated[int, typer.Option(min=1, max=20, help=text("data.builders.help.per_chunk"))] = 2,
    limit: Annotated[int | None, typer.Option(min=1, help=text("data.builders.help.limit"))] = None,
    base_url: Annotated[str | None, typer.Option(help=text("data.builders.help.base_url"))] = None,
    model: Annotated[str | None, typer.Option(help=text("data.builders.help.model"))] = None,
    api_key_env: Annotated[str, typer.Option(help=text("data.builders.help.api_key_env"))] = "OPENAI_API_KEY",
    local: Annotated[str | None, typer.Option(help=text("data.builders.help.local"))] = None,
    seed: Annotated[int, typer.Option(help=text("data.builders.help.seed"))] = 42,
    size_tokens: SizeTokens = 256,
    overlap_tokens: OverlapTokens = 32,
    tokenizer: Annotated[str, typer.Option(help=text("data.builders.help.counts"))] = _COUNTS,
) -> None:
    from dadeum.data.builders.authors import author_of
    from dadeum.data.builders.chunk_files import write_chunk_rows
    from dadeum.data.builders.draft import chosen
    from dadeum.data.builders.draft import draft as write_drafts

    prepare_models()
    writable(out_file.parent)
    opened = author_of(base_url, model, api_key_env, local, seed)
    passages = _cut(documents, tokenizer, size_tokens, overlap_tokens)
    if any(document.suffix.lower() != ".jsonl" for document in documents):
        # Drafts name chunks by their ids: without the chunks, nobody could look them up.
        kept = out_file.with_name(f"{out_file.stem}.chunks.jsonl")
        write_chunk_rows(kept, passages.chunks)
        say("data.builders.chunks_written", **vars(passages.facts), path=kept)
    left, drafted = chosen(passages.chunks, out_file, limit, seed)
    say("data.builders.left", num=len(left), done=drafted.done_before, short=drafted.short, more=drafted.beyond_limit)
    if not left:
        return
    with closing(opened()) as author, bars() as progress:
        where = "sends" if author.address else "stays"
        say(f"data.builders.{where}", num=len(left), address=author.address, name=author.name)
        _show_drafted(write_drafts(left, drafted, author, per_chunk, progress))


@app.command(help=text("data.made.help.make"))
def make(
    name: Annotated[str | None, typer.Argument(help=text("data.made.help.name"))] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help=text("data.made.help.out"))] = None,
    rows: Annotated[int | None, typer.Option(min=1, help=text("data.made.help.rows"))] = None,
    seed: Annotated[int, typer.Option(help=text("data.made.help.seed"))] = 42,
    only_list: Annotated[bool, typer.Option("--list", help=text("data.made.help.list"))] = False,
) -> None:
    from dadeum.data.builders import made

    if only_list or name is None:
        sentences = made.listed()
    elif out_file is None:
        raise DataError("data.made.no_out", name=name)
    else:
        writable(out_file.parent)
        with bars() as progress:
            sentences = made.make(name, out_file, rows, seed, progress).sentences()
    for sentence in sentences:
        out.print(str(sentence), markup=False, soft_wrap=True)


def _cut(documents: list[Path], model: str, size_tokens: int, overlap_tokens: int, recognise: bool = False) -> Passages:
    """The chunks of documents, after all that there is to say of them."""
    from dadeum.data.builders.chunk_files import cut

    with bars() as progress:
        passages = cut(documents, model, size_tokens, overlap_tokens, recognise, progress)
    for note in passages.notes:
        out.print(str(note), markup=False, soft_wrap=True)
    return passages


def _show_drafted(drafted: Drafted) -> None:
    say("data.builders.drafted", chunks=drafted.chunks, accepted=drafted.accepted, path=drafted.out)
    if drafted.rejected:
        reasons = [
            f"{text(f'data.builders.reason.{reason}')} {num:,}" for reason, num in drafted.rejected.most_common()
        ]
        say(
            "data.builders.rejected",
            num=drafted.rejected.total(),
            reasons=", ".join(reasons),
            path=drafted.rejected_file,
        )
    if drafted.failed:
        say("data.builders.failed", num=drafted.failed, detail=drafted.detail)


def _refuse_recipe_options(profile: str | None, data: Path | None, set_: list[str] | None) -> None:
    named = [name for name, value in (("--profile", profile), ("--data", data), ("--set", set_)) if value]
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
