"""`dadeum monitor`: how a service did, from its request log; exit code 1 while an alarm rings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadeum.core.errors import RunError
from dadeum.core.messages import current_language, text
from dadeum.core.pages import printable
from dadeum.core.run import write_json
from dadeum.targets import writable
from dadeum.terminal import out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.gateway.store.log import SqlStore
    from dadeum.monitoring.summary import Health

app = typer.Typer()
_SPAN = re.compile(r"(\d{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


@app.command(help=text("cli.monitor.help"))
def monitor(
    database: Annotated[str | None, typer.Option(help=text("cli.monitor.help_database"))] = None,
    run: Annotated[list[Path] | None, typer.Option(help=text("cli.monitor.help_run"))] = None,
    since: Annotated[str, typer.Option(help=text("cli.monitor.help_since"))] = "7d",
    folder: Annotated[Path | None, typer.Option("--out", help=text("cli.monitor.help_out"))] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help=text("cli.monitor.help_json"))] = None,
    export_preferences: Annotated[Path | None, typer.Option(help=text("cli.monitor.help_export"))] = None,
) -> None:
    from dadeum.gateway.settings import Settings
    from dadeum.gateway.store.log import SqlStore

    until = datetime.now(UTC)
    start = begin(since, until)
    target = writable(folder or Path("runs") / "monitor" / f"{datetime.now():%Y%m%d-%H%M%S}")
    with closing(SqlStore.reading(database or Settings().database)) as store:
        alarmed = _watch(store, start, until, run or (), target, json_file)
        if export_preferences is not None:
            _export(store, export_preferences, start, until)
    if alarmed:
        raise typer.Exit(1)


def _watch(
    store: SqlStore, since: datetime, until: datetime, runs: Sequence[Path], target: Path, json_file: Path | None
) -> bool:
    """True while an alarm rings."""
    from dadeum.monitoring.page import write_health
    from dadeum.monitoring.reference import reference_of
    from dadeum.monitoring.summary import health

    if runs:
        prepare_models()
    found = health(store, since, until, _zone(), [reference_of(folder) for folder in runs])
    if json_file is not None:
        write_json(json_file, found.model_dump(mode="json"))
    if not found.total.num:
        say("cli.monitor.nothing", since=f"{since.astimezone(_zone()):%Y-%m-%d %H:%M}")
        return False
    show(found)
    say("cli.monitor.written", path=write_health(found, target))
    return bool(found.alarms)


def show(found: Health) -> None:
    from dadeum.monitoring import words

    language = current_language()
    for line in [*words.sentences(found), *words.cautions(found)]:
        out.print(printable(line.get(language)), markup=False, soft_wrap=True)
    for same in found.alarms:
        told = words.alarm(same, found, words.zone_of(found))
        out.print(printable(told.get(language)), markup=False, soft_wrap=True, style="bold red")
    out.print(words.conclusion(found).get(language), markup=False, soft_wrap=True, style="bold")


def _export(store: SqlStore, target: Path, since: datetime, until: datetime) -> None:
    from dadeum.gateway.preferences import export

    for line in export(store, target, since, until).words():
        out.print(printable(str(line)), markup=False, soft_wrap=True)


def begin(since: str, until: datetime) -> datetime:
    """`36h`, `7d`, `2w` before now, or a date; RunError for anything else."""
    if match := _SPAN.fullmatch(since.strip().lower()):
        hours = int(match[1]) * _HOURS[match[2]]
        if hours:
            return until - timedelta(hours=hours)
    else:
        try:
            day = datetime.fromisoformat(since.strip())
        except ValueError as error:
            raise RunError("cli.monitor.bad_since", since=since) from error
        moment = (day if day.tzinfo else day.replace(tzinfo=_zone())).astimezone(UTC)
        if moment < until:
            return moment
    raise RunError("cli.monitor.bad_since", since=since)


def _zone() -> timezone:
    """Of this machine, with the distance to UTC that it has now."""
    return timezone(datetime.now().astimezone().utcoffset() or timedelta())
