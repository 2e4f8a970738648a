"""`dadeum data chunks|draft|make|expand`: data that is made from documents, by rules, or by a model that is asked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadeum.core.errors import DataError
from dadeum.core.messages import Message, text
from dadeum.targets import writable
from dadeum.terminal import bars, out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.data.builders.draft import Drafted
    from dadeum.data.builders.expand import Expanded
    from dadeum.data.builders.expand_examples import Examples
    from dadeum.data.passages.corpus import Passages

app = typer.Typer()

Documents = Annotated[list[Path], typer.Argument(help=text("data.builders.help.documents"))]
SizeTokens = Annotated[int, typer.Option(min=16, help=text("data.builders.help.size_tokens"))]
OverlapTokens = Annotated[int, typer.Option(min=0, help=text("data.builders.help.overlap_tokens"))]
BaseUrl = Annotated[str | None, typer.Option(help=text("data.builders.help.base_url"))]
ServedModel = Annotated[str | None, typer.Option("--model", help=text("data.builders.help.model"))]
KeyName = Annotated[str, typer.Option(help=text("data.builders.help.api_key_env"))]
LocalModel = Annotated[str | None, typer.Option(help=text("data.builders.help.local"))]
_COUNTS = "minilm-l6"
"""Whose tokens sizes are counted in: the model that recipes of the task `retrieve` are shipped with."""


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
    base_url: BaseUrl = None,
    model: ServedModel = None,
    api_key_env: KeyName = "OPENAI_API_KEY",
    local: LocalModel = None,
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


@app.command(help=text("data.expand.help.expand"))
def expand(
    out_file: Annotated[Path, typer.Option("--out", help=text("data.expand.help.out"))],
    rows: Annotated[int, typer.Option(min=1, help=text("data.expand.help.rows"))],
    files: Annotated[list[Path] | None, typer.Argument(help=text("data.expand.help.files"))] = None,
    base_url: BaseUrl = None,
    model: ServedModel = None,
    api_key_env: KeyName = "OPENAI_API_KEY",
    local: LocalModel = None,
    seed: Annotated[int, typer.Option(help=text("data.expand.help.seed"))] = 42,
    per_seed: Annotated[int, typer.Option(min=1, max=20, help=text("data.expand.help.per_seed"))] = 3,
) -> None:
    from dadeum.data.builders.authors import author_of
    from dadeum.data.builders.expand import TEMPERATURE, TOKENS_EACH, Expansion
    from dadeum.data.builders.expand_examples import examples_of
    from dadeum.data.builders.expand_quality import measured, sentences

    if out_file.suffix != ".jsonl":
        raise DataError("data.made.suffix", path=out_file)
    opened = author_of(base_url, model, api_key_env, local, seed, TEMPERATURE, TOKENS_EACH)
    prepare_models()
    writable(out_file.parent)
    examples = examples_of(files or [])
    expansion = Expansion(examples, out_file, rows, seed)
    _say_examples(examples, expansion.expanded)
    if not expansion.missing():
        say("data.expand.enough", path=out_file, rows=expansion.expanded.before)
        return
    with closing(opened()) as author, bars() as progress:
        where = "sends" if author.address else "stays"
        say(f"data.expand.{where}", address=author.address, name=author.name)
        expanded = expansion.run(author, per_seed, progress)
    told = [*sentences(expanded)]
    if made := measured(expanded, seed):
        told += [*made.sentences(), Message("data.expand.unreviewed", {})]
    for sentence in told:
        out.print(str(sentence), markup=False, soft_wrap=True)
    if expanded.missing:
        raise typer.Exit(1)


def _say_examples(examples: Examples, expanded: Expanded) -> None:
    """What is shown to the model, and what was left out of the files."""
    values = {"rows": expanded.rows, "before": expanded.before, "missing": expanded.missing}
    say("data.expand.examples", num=examples.num, categories=len(examples.styles), **values)
    if examples.few:
        say("data.expand.few", least=examples.least, categories=", ".join(examples.few))
    if examples.unread:
        say("data.expand.unread", num=examples.unread)
    if examples.personal:
        say("data.expand.personal", num=examples.personal)


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
