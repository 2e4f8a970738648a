"""`dadeum index …`: build, grow, shrink, list and check an index of documents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadeum.core.errors import RecipeError
from dadeum.core.messages import Message, text
from dadeum.core.pages import printable
from dadeum.targets import IndexName, IndexPlace, writable
from dadeum.terminal import bars, out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.indexing import Making

app = typer.Typer(no_args_is_help=True, help=text("cli.help.index"))
Paths = Annotated[list[Path], typer.Argument(help=text("cli.help.index_paths"))]


@app.command("build", help=text("cli.help.index_build"))
def build(
    place: IndexPlace,
    paths: Annotated[list[Path] | None, typer.Argument(help=text("cli.help.index_paths"))] = None,
    model: Annotated[str | None, typer.Option("--model", help=text("cli.help.index_model"))] = None,
    run: Annotated[Path | None, typer.Option("--run", help=text("cli.help.index_run"))] = None,
    size: Annotated[int | None, typer.Option("--size-tokens", min=0, help=text("cli.help.index_size"))] = None,
    overlap: Annotated[int | None, typer.Option("--overlap-tokens", min=0, help=text("cli.help.index_overlap"))] = None,
    recognise: Annotated[bool, typer.Option("--recognise", help=text("cli.help.index_recognise"))] = False,
    name: IndexName = "dadeum",
) -> None:
    if not paths and run is None:
        raise RecipeError("cli.ask.paths_or_run")
    if model is not None and run is not None:
        raise RecipeError("cli.ask.model_or_run")
    if not paths and (size is not None or overlap is not None or recognise):
        raise RecipeError("cli.ask.cut_already", run=run)
    from dadeum import indexing
    from dadeum.retrieval.places import is_database

    if not is_database(place):
        writable(Path(place))
    if run is None:
        making = indexing.making_of_model(model, size, overlap, recognise)
    else:
        making = _changed(indexing.making_of_run(run), size, overlap, recognise)
    _tell(making.notes)
    if making.model:
        prepare_models()
    with bars() as progress:
        change = indexing.build_index(place, making, paths or (), run, name, progress)
    _tell(change.notes)
    say("cli.ask.built", place=change.place, documents=change.documents, chunks=change.chunks)


def _changed(making: Making, size: int | None, overlap: int | None, recognise: bool) -> Making:
    """A run's own way of cutting, but for what was said."""
    cutting = making.cutting
    cutting = replace(
        cutting,
        size_tokens=cutting.size_tokens if size is None else size or None,
        overlap_tokens=cutting.overlap_tokens if overlap is None else overlap,
        recognise=cutting.recognise or recognise,
    )
    return replace(making, cutting=cutting)


@app.command("add", help=text("cli.help.index_add"))
def add(
    place: IndexPlace,
    paths: Paths,
    replace_: Annotated[bool, typer.Option("--replace", help=text("cli.help.index_replace"))] = False,
    beside: Annotated[bool, typer.Option("--beside", help=text("cli.help.index_beside"))] = False,
    model: Annotated[str | None, typer.Option("--model", help=text("cli.help.ask_model"))] = None,
    name: IndexName = "dadeum",
) -> None:
    from dadeum import indexing
    from dadeum.retrieval.places import open_index

    with closing(open_index(place, None, name, verify=False)) as index:
        if index.facts().model is not None:
            prepare_models()
        indexing.attach_model(index, model)
        with bars() as progress:
            change = indexing.add_documents(index, paths, replace_, beside, progress)
        index.save()
        total = len(index)
    _tell(change.notes)
    for document in change.replaced:
        say("cli.ask.replaced", document=printable(document))
    if change.same:
        say("cli.ask.same", num=len(change.same), first=printable(change.same[0]))
    say("cli.ask.added", documents=change.documents, chunks=change.chunks, total=total)


@app.command("remove", help=text("cli.help.index_remove"))
def remove(
    place: IndexPlace,
    documents: Annotated[list[str], typer.Argument(help=text("cli.help.index_documents"))],
    name: IndexName = "dadeum",
) -> None:
    from dadeum.retrieval.places import open_index

    with closing(open_index(place, None, name, verify=False)) as index:
        num = index.remove(documents)
        index.save()
        say("cli.ask.removed", num=num, total=len(index))


@app.command("list", help=text("cli.help.index_list"))
def list_documents(place: IndexPlace, name: IndexName = "dadeum") -> None:
    from dadeum.indexing import LETTERS, making_of
    from dadeum.retrieval.places import open_index

    with closing(open_index(place, None, name, verify=False)) as index:
        facts, documents, cutting = index.facts(), index.documents(), making_of(index).cutting
        size, num = _size(facts.num_bytes), len(documents)
        say("cli.ask.summary", place=index.place, documents=num, chunks=facts.num_chunks, size=size)
        if facts.model is None:
            say("cli.ask.words_only")
        else:
            say("cli.ask.model", model=facts.model, revision=facts.revision, dimensions=facts.dimensions)
            say("cli.ask.searched", way=text(f"cli.ask.way.{index.preferred}"))
    if cutting.size_tokens is None:
        say("cli.ask.whole")
    else:
        unit = text("cli.ask.letters" if cutting.tokens_of == LETTERS else "cli.ask.tokens")
        say("cli.ask.cut", size=cutting.size_tokens, unit=unit, overlap=cutting.overlap_tokens)
    for document, chunks in documents.items():
        say("cli.ask.document", num=chunks, document=printable(document))


@app.command("check", help=text("cli.help.index_check"))
def check(place: IndexPlace, name: IndexName = "dadeum") -> None:
    from dadeum.retrieval.places import open_index

    with closing(open_index(place, None, name)) as index:
        index.check()
        say("cli.ask.sound", place=index.place, documents=len(index.documents()), chunks=len(index))


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e3:,.0f} kB" if num_bytes < 1e6 else f"{num_bytes / 1e6:,.1f} MB"


def _tell(messages: Sequence[Message]) -> None:
    for message in messages:
        out.print(printable(str(message)), markup=False, soft_wrap=True)
