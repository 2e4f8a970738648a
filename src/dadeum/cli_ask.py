"""`dadeum ask`: questions to an index of documents, one or a file of them; chunks, or answers with their sources."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.text import Text

from dadeum.core.errors import DataError, RecipeError
from dadeum.core.messages import text
from dadeum.core.pages import printable
from dadeum.core.progress import Progress, silent
from dadeum.targets import IndexName, IndexPlace, writable
from dadeum.terminal import bars, err, out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.asking import Answerer, Result
    from dadeum.retrieval.searching import By

app = typer.Typer()


@app.command(help=text("cli.help.ask"))
def ask(
    place: IndexPlace,
    question: Annotated[str | None, typer.Argument(help=text("cli.help.ask_question"))] = None,
    answer: Annotated[Path | None, typer.Option("--answer", help=text("cli.help.ask_answer"))] = None,
    base: Annotated[bool, typer.Option("--base", help=text("cli.help.ask_base"))] = False,
    k: Annotated[int | None, typer.Option("-k", "--k", help=text("cli.help.ask_k"))] = None,
    by: Annotated[str | None, typer.Option("--by", help=text("cli.help.ask_by"))] = None,
    rerank: Annotated[str | None, typer.Option("--rerank", help=text("cli.help.ask_rerank"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=text("cli.help.ask_json"))] = False,
    questions: Annotated[str | None, typer.Option("--questions", help=text("cli.help.ask_questions"))] = None,
    to: Annotated[Path | None, typer.Option("--out", help=text("cli.help.ask_out"))] = None,
    model: Annotated[str | None, typer.Option("--model", help=text("cli.help.ask_model"))] = None,
    name: IndexName = "dadeum",
) -> None:
    way = _way(by)
    if base and answer is None:
        raise RecipeError("cli.ask.base_of_what")
    asked = _questions(question, questions)
    if to is not None:
        writable(to.absolute().parent)
    from dadeum.asking import ask_all, cautions
    from dadeum.indexing import opened
    from dadeum.retrieval.rerank import CrossEncoderReranker

    with opened(place, way, model, name) as index, _answerer(answer, base) as answerer:
        if index.encoder is not None or rerank:
            prepare_models()
        if answerer is not None and answer is not None:
            for message in cautions(index, answer, answerer.task, way, k):
                err.print(text("cli.ask.caution", message=message), markup=False, soft_wrap=True)
        with nullcontext(silent) if as_json else bars() as progress:
            reranker = CrossEncoderReranker(rerank) if rerank else None
            told: Progress = progress
            found = ask_all(index, asked, k=k, by=way, reranker=reranker, answerer=answerer, progress=told)
        kind = "rerank" if rerank else index.way(way)
    _give(found, to, as_json, kind)


def _way(by: str | None) -> By | None:
    from dadeum.retrieval.searching import By

    known: tuple[By, ...] = get_args(By)
    if by is None:
        return None
    if by not in known:
        raise RecipeError("cli.ask.bad_by", by=by, known=", ".join(known))
    return known[known.index(by)]


@contextmanager
def _answerer(folder: Path | None, base: bool) -> Iterator[Answerer | None]:
    if folder is None:
        yield None
        return
    prepare_models()
    from dadeum.asking import load_answerer

    with load_answerer(folder, base) as answerer:
        yield answerer


def _questions(question: str | None, path: str | None) -> list[str]:
    if question is not None and path is not None:
        raise RecipeError("cli.ask.two_questions")
    if question is not None:
        return [question]
    if path is None:
        raise RecipeError("cli.ask.no_question")
    content = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    is_json = Path(path).suffix.lower() in (".jsonl", ".ndjson")
    lines = [(number, line) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]
    found = [_question_of(path, number, line) if is_json else line.strip() for number, line in lines]
    if not found:
        raise DataError("cli.ask.no_questions", path=path)
    return found


def _question_of(path: str, number: int, line: str) -> str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError("cli.ask.bad_questions", path=path, line=number) from error
    found = row.get("question") if isinstance(row, dict) else None
    if not isinstance(found, str) or not found.strip():
        raise DataError("cli.ask.bad_questions", path=path, line=number)
    return found


# -- what is shown --------------------------------------------------------------------------------
def _give(found: Sequence[Result], to: Path | None, as_json: bool, kind: str) -> None:
    from dadeum.core.run import write_jsonl

    if to is not None:
        write_jsonl(to, map(_row, found))
        refused, doubtful = sum(one.refused for one in found), sum(bool(one.warnings) for one in found)
        say("cli.ask.written", num=len(found), path=to, refused=refused, doubtful=doubtful)
    elif as_json:
        for result in found:
            print(json.dumps(_row(result), ensure_ascii=False))
    else:
        for result in found:
            _show(result, kind, with_question=len(found) > 1)


def _row(result: Result) -> dict[str, Any]:
    """One line of JSON; a match is written as the sentence that it is."""
    hits = [
        vars(hit) | {"match": hit.text[place.start : place.end] if place else None}
        for hit, place in zip(result.hits, result.matches, strict=True)
    ]
    told = [{"key": message.key, "text": str(message)} for message in result.warnings]
    answer = {"answer": result.answer, "refused": result.refused} if result.answer is not None else {}
    cited = {"citations": [vars(one) for one in result.citations]} if result.answer is not None else {}
    return {"question": result.question, **answer, **cited, "hits": hits, "warnings": told}


def _show(result: Result, kind: str, with_question: bool) -> None:
    if with_question:
        out.print()
        _line(text("cli.ask.question", question=result.question))
    if result.answer is None:
        for number, (hit, place) in enumerate(zip(result.hits, result.matches, strict=True), start=1):
            pages, score = _pages(hit.first_page, hit.last_page), text(f"cli.ask.score.{kind}")
            head = {"number": number, "document": hit.document, "pages": pages, "kind": score, "score": hit.score}
            _line(text("cli.ask.hit", **head), "bold")
            out.print(_marked(hit.text, place), soft_wrap=True)
    else:
        _show_answer(result)
    for message in result.warnings:
        _line(text("cli.ask.caution", message=message), "yellow")


def _show_answer(result: Result) -> None:
    _line(text("cli.ask.answer", answer=result.answer), "bold")
    if result.refused:
        say("cli.ask.refused")
    for one in result.citations:
        pages = _pages(one.first_page, one.last_page)
        quote = " ".join(one.quote.split())
        _line(text("cli.ask.cited", number=one.number, document=one.document, pages=pages, quote=quote))
    for number, hit in enumerate(result.hits, start=1):
        pages = _pages(hit.first_page, hit.last_page)
        _line(text("cli.ask.shown", number=number, document=hit.document, pages=pages), "dim")


def _pages(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _marked(chunk: str, place: tuple[int, int] | None) -> Text:
    """The chunk, its nearest sentence between marks that also a pipe keeps."""
    start, end = place or (0, 0)
    shown = Text(printable(chunk[:start]))
    if end:
        shown.append(f"«{printable(chunk[start:end])}»", "bold")
    shown.append(printable(chunk[end:]))
    return shown


def _line(sentence: str, style: str = "") -> None:
    out.print(Text(printable(sentence), style), soft_wrap=True)
