"""`dadeum compare`, `votes` and `ensemble`: runs or live variants beside each other, by people too, or made one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dadeum.core.errors import RunError
from dadeum.core.messages import current_language, text
from dadeum.core.pages import printable
from dadeum.core.run import Run, write_json, write_jsonl
from dadeum.targets import writable
from dadeum.terminal import bars, out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.evaluation.comparison.several import Comparison
    from dadeum.evaluation.comparison.table import Grid
    from dadeum.gateway.experiments import Experiment
    from dadeum.gateway.store.entries import Store

app = typer.Typer()
votes_app = typer.Typer(no_args_is_help=True, help=text("compare.votes.help"))
app.add_typer(votes_app, name="votes")
RunFolders = Annotated[list[Path], typer.Argument(help=text("compare.help_runs"))]
SomeRuns = Annotated[list[Path] | None, typer.Argument(help=text("compare.help_runs"))]
Database = Annotated[str, typer.Option("--database", help=text("monitoring.live.help.database"))]
ExperimentFile = Annotated[Path | None, typer.Option("--experiment", help=text("monitoring.live.help.experiment"))]
_DATABASE = "sqlite:///runs/serve/requests.db"
_STYLES = {"chosen": "bold", "worse": "dim", "baseline": "dim"}


@app.command(help=text("cli.help.compare"))
def compare(
    runs: SomeRuns = None,
    folder: Annotated[Path | None, typer.Option("--out", help=text("compare.help_out"))] = None,
    metric: Annotated[str | None, typer.Option(help=text("compare.help_metric"))] = None,
    live: Annotated[bool, typer.Option("--live", help=text("monitoring.live.help.live"))] = False,
    database: Database = _DATABASE,
    experiment: ExperimentFile = None,
    as_json: Annotated[Path | None, typer.Option("--json", help=text("monitoring.live.help.json"))] = None,
) -> None:
    if live == bool(runs):
        raise RunError("monitoring.live.runs_or_live")
    if live:
        _compare_live(database, experiment, as_json)
        return
    _compare_runs(runs or [], folder, metric)


def _compare_runs(runs: list[Path], folder: Path | None, metric: str | None) -> None:
    from dadeum.evaluation.comparison.page import write_comparison
    from dadeum.evaluation.comparison.several import compare_runs

    opened = [Run.open(path) for path in runs]
    found = compare_runs(opened, metric)
    target = writable(folder or Path("runs") / f"comparison-{datetime.now():%Y%m%d-%H%M%S}")
    show(found)
    if len(opened) == 2:
        _show_pair(*opened)
    write_comparison(found, target)
    say("compare.written", folder=target)


def _compare_live(database: str, experiment: Path | None, as_json: Path | None) -> None:
    """What people did, in sentences; the verdict last."""
    from dadeum.monitoring.live import compare_live
    from dadeum.monitoring.live_words import sentences, verdicts

    with _logged(database) as store:
        found = compare_live(store, _experiment(experiment))
    for line in sentences(found, current_language()):
        out.print(printable(line), markup=False, soft_wrap=True)
    for line in verdicts(found, current_language()):
        out.print(printable(line), markup=False, soft_wrap=True, style="bold")
    if as_json is not None:
        write_json(as_json, found.model_dump(mode="json"))
        say("monitoring.live.written", path=as_json)


def _experiment(path: Path | None) -> Experiment:
    from dadeum.gateway.experiments import read_experiment

    if path is None:
        raise RunError("monitoring.live.no_experiment")
    return read_experiment(path)


@contextmanager
def _logged(database: str) -> Iterator[Store]:
    """The log of requests, only read; a gateway may go on writing it."""
    from dadeum.gateway.store.log import SqlStore

    with closing(SqlStore.reading(database)) as store:
        yield store


def show(found: Comparison) -> None:
    """The table, and the conclusion below it."""
    from dadeum.evaluation.comparison import words
    from dadeum.evaluation.comparison.table import overview

    language = current_language()
    out.print(_drawn(overview(found), language))
    for line in [*words.sentences(found), *words.cautions(found), words.rule()]:
        out.print(line.get(language), markup=False, soft_wrap=True)
    out.print(words.conclusion(found).get(language), markup=False, soft_wrap=True, style="bold")


def _drawn(grid: Grid, language: str) -> Table:
    """Names of runs stay whole; everything else may take two lines."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in grid.columns:
        table.add_column(column.get(language))
    for row in grid.rows:
        name = printable(row.name.get(language)).replace("[", r"\[")
        cells = [printable(cell.get(language)).replace("[", r"\[") for cell in row.cells]
        table.add_row(name, *cells, style=_STYLES.get(row.kind))
    return table


def _show_pair(first: Run, second: Run) -> None:
    """Of two runs every figure in a sentence: what the second does better, and which rows it fixed."""
    from dadeum.evaluation.compare import compare as compare_two
    from dadeum.evaluation.compare import describe

    out.print()
    # The last line is a conclusion of its own, by a test that few rows deceive: the table has one.
    for line in describe(compare_two(first, second), current_language())[:-1]:
        out.print(line, markup=False, soft_wrap=True)


@votes_app.command("make", help=text("compare.votes.help_make"))
def votes_make(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help=text("compare.votes.help_run"))],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help=text("compare.votes.help_run"))],
    file: Annotated[Path, typer.Option("--out", help=text("compare.votes.help_csv"))] = Path("votes.csv"),
    rows: Annotated[int, typer.Option(min=1, help=text("compare.votes.help_rows"))] = 50,
    seed: Annotated[int, typer.Option(help=text("compare.votes.help_seed"))] = 42,
) -> None:
    from dadeum.evaluation.comparison.votes import draw_vote
    from dadeum.evaluation.comparison.votes_files import MOST_IN_A_CELL, too_long, write_vote

    vote = draw_vote(Run.open(first), Run.open(second), rows, seed)
    page, key = write_vote(vote, file)
    say("compare.votes.made", num=len(vote.rows), same=vote.key.num_same, rest=vote.key.num_not_drawn)
    if num := too_long(vote.rows):
        say("compare.votes.too_long", num=num, most=MOST_IN_A_CELL, page=page)
    say("compare.votes.where", page=page, csv=file, secret=key)


@votes_app.command("read", help=text("compare.votes.help_read"))
def votes_read(
    files: Annotated[list[Path], typer.Argument(help=text("compare.votes.help_files"))],
    key: Annotated[Path | None, typer.Option(help=text("compare.votes.help_key"))] = None,
    result: Annotated[Path | None, typer.Option("--out", help=text("compare.votes.help_result"))] = None,
    preferences: Annotated[Path | None, typer.Option(help=text("compare.votes.help_preferences"))] = None,
) -> None:
    from dadeum.evaluation.comparison import votes_result
    from dadeum.evaluation.comparison.votes_files import find_key, read_key
    from dadeum.evaluation.comparison.votes_words import sentences

    known = read_key(key or find_key(files[0]))
    found, given = votes_result.judge_votes(known, files)
    for line in sentences(found):
        out.print(printable(line), markup=False, soft_wrap=True)
    target = result or files[0].with_name(f"{known.vote}.result.json")
    write_json(target, found.model_dump(mode="json"))
    say("compare.votes.written", path=target)
    if preferences is not None:
        pairs = votes_result.preferences(known, given)
        write_jsonl(preferences, pairs)
        say("compare.votes.preferences", num=len(pairs), path=preferences)
        if without := sum(not row.prompt for row in known.rows):
            say("compare.votes.no_pairs", num=without)


@votes_app.command("live", help=text("monitoring.live.votes.help"))
def votes_live(
    versions: Annotated[tuple[str, str], typer.Argument(help=text("monitoring.live.votes.help_versions"))],
    experiment: ExperimentFile = None,
    database: Database = _DATABASE,
    file: Annotated[Path, typer.Option("--out", help=text("compare.votes.help_csv"))] = Path("votes.csv"),
    rows: Annotated[int, typer.Option(min=1, help=text("compare.votes.help_rows"))] = 50,
    seed: Annotated[int, typer.Option(help=text("compare.votes.help_seed"))] = 42,
) -> None:
    from dadeum.evaluation.comparison.votes_files import write_vote
    from dadeum.monitoring.live_votes import draw_live_vote

    with _logged(database) as store:
        vote = draw_live_vote(store, _experiment(experiment), *versions, rows, seed)
    page, key = write_vote(vote, file)
    say("compare.votes.made", num=len(vote.rows), same=vote.key.num_same, rest=vote.key.num_not_drawn)
    say("compare.votes.where", page=page, csv=file, secret=key)


@votes_app.command("rank", help=text("monitoring.pairwise.help.rank"))
def votes_rank(
    files: Annotated[list[Path], typer.Argument(help=text("compare.votes.help_files"))],
    result: Annotated[Path | None, typer.Option("--out", help=text("compare.votes.help_result"))] = None,
) -> None:
    from dadeum.monitoring.pairwise import rank
    from dadeum.monitoring.pairwise_files import read_ballots, sentences

    found = rank(read_ballots(files))
    for line in sentences(found, current_language()):
        out.print(printable(line), markup=False, soft_wrap=True)
    if result is not None:
        write_json(result, found.model_dump(mode="json"))
        say("compare.votes.written", path=result)


@app.command(help=text("ensemble.help.command"))
def ensemble(
    runs: RunFolders,
    how: Annotated[str, typer.Option(help="linear | ties | dare_ties | mbr")],
    weights: Annotated[str | None, typer.Option(help=text("ensemble.help.weights"))] = None,
    density: Annotated[float | None, typer.Option(help=text("ensemble.help.density"))] = None,
    folder: Annotated[Path | None, typer.Option("--folder", "--out", help=text("ensemble.help.folder"))] = None,
) -> None:
    from dadeum.ensembling import ensemble as make

    members = [Run.open(path) for path in runs]
    prepare_models()
    with bars() as progress:
        made, found = make(members, how, _shares(weights), density, folder, progress)
    show(found)
    from dadeum.evaluation.comparison.words import gain

    out.print(gain(found).get(current_language()), markup=False, soft_wrap=True, style="bold")
    if taken := made.manifest()["ensemble"].get("taken"):
        say("ensemble.taken", taken=", ".join(f"{name} {num}" for name, num in taken.items()))
    say("ensemble.made", folder=made.folder)
    say("cli.report", path=made.folder / "report.html")


def _shares(weights: str | None) -> list[float] | None:
    if weights is None:
        return None
    try:
        return [float(part) for part in weights.split(",")]
    except ValueError as error:
        raise RunError("ensemble.unreadable_weights", weights=weights) from error
