"""`dadeum serve RUN…`: one API for tuned models; `--verify` lets it become ready only if it answers as evaluated."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadeum.core.errors import DadeumError, RunError
from dadeum.core.messages import Message, text
from dadeum.terminal import out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.gateway.assembly import Places
    from dadeum.gateway.catalogue import Catalogue
    from dadeum.gateway.listening import Listener
    from dadeum.gateway.replay import Replay
    from dadeum.gateway.settings import Settings
    from dadeum.gateway.state import Gateway

app = typer.Typer()
_LOOK_S = 0.05


@app.command(help=text("cli.serve.help.serve"))
def serve(
    runs: Annotated[list[Path] | None, typer.Argument(help=text("cli.serve.help.runs"))] = None,
    base: Annotated[list[str] | None, typer.Option("--base", help=text("cli.serve.help.base"))] = None,
    host: Annotated[str | None, typer.Option(help=text("cli.serve.help.host"))] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help=text("cli.serve.help.port"))] = None,
    verify: Annotated[bool, typer.Option("--verify", help=text("cli.serve.help.verify"))] = False,
    upstream: Annotated[str | None, typer.Option(help=text("cli.serve.help.upstream"))] = None,
    experiment: Annotated[Path | None, typer.Option(help=text("cli.serve.help.experiment"))] = None,
    database: Annotated[str | None, typer.Option(help=text("cli.serve.help.database"))] = None,
    keys: Annotated[Path | None, typer.Option(help=text("cli.serve.help.keys"))] = None,
    no_key: Annotated[bool, typer.Option("--no-key", help=text("cli.serve.help.no_key"))] = False,
    keep_content: Annotated[bool, typer.Option("--keep-content", help=text("cli.serve.help.keep_content"))] = False,
    keep_days: Annotated[int | None, typer.Option(min=1, help=text("cli.serve.help.keep_days"))] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help=text("cli.serve.help.settings"))] = None,
    models_root: Annotated[Path | None, typer.Option(help=text("cli.serve.help.models_root"))] = None,
) -> None:
    if not runs and not base:
        raise RunError("cli.serve.nothing")
    from dadeum.gateway.assembly import Places
    from dadeum.gateway.keys import KEYS_FILE
    from dadeum.gateway.registry import PLACE
    from dadeum.gateway.settings import Settings
    from dadeum.gateway.written import read_section

    given = {
        "host": host, "port": port, "upstream": upstream, "database": database, "keep_days": keep_days,
        "keep_content": keep_content or None, "require_key": False if no_key else None,
    }  # fmt: skip
    told = {name: value for name, value in given.items() if value is not None}
    settings = read_section(settings_file, Settings, told) if settings_file else Settings.model_validate(told)
    places = Places(keys or KEYS_FILE, PLACE, experiment, models_root)
    if not _opened(runs or [], base or [], settings, places, verify):
        raise typer.Exit(1)
    say("cli.serve.stopped")


def _opened(runs: list[Path], bases: list[str], settings: Settings, places: Places, verify: bool) -> bool:
    """Until somebody stops it; what can be refused is refused before models are read, which may take a minute."""
    from dadeum.gateway.assembly import catalogue_for, refuse_start

    refuse_start(settings, places)
    with closing(_bound(settings)) as door:
        prepare_models()
        catalogue = catalogue_for(runs, bases, settings)
        replays = _replays(catalogue) if verify else {}
        for model in catalogue:
            say("cli.serve.model", version=model.version, task=model.task, parent=model.parent or "-")
        # Ctrl-C is how people end a service: neither a mistake nor half a result.
        with suppress(KeyboardInterrupt):
            return asyncio.run(_serve(catalogue, settings, places, door, replays))
    return True


def _replays(catalogue: Catalogue) -> dict[str, Replay]:
    """Test rows by version; RunError for a run that was not evaluated since it was trained."""
    from dadeum.gateway.replay import rows_of

    return {model.version: rows_of(model) for model in catalogue if model.weights is not None}


async def _serve(
    catalogue: Catalogue, settings: Settings, places: Places, door: socket.socket, replays: dict[str, Replay]
) -> bool:
    """False where the models answer otherwise than they were evaluated."""
    from dadeum.gateway.assembly import address_of, app_for, assembled
    from dadeum.gateway.listening import Listener, listening

    say("cli.serve.loading")
    gateway = await assembled(catalogue, settings, places)
    waiting: list[Message] = [Message("cli.serve.verifying")] if replays else []
    gateway.checks.append(lambda: waiting[0] if waiting else None)
    drain = partial(gateway.engine.drain, settings.limits.drain_seconds)
    server = Listener(listening(app_for(gateway, places), settings), drain)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(_LOOK_S)
        say("cli.serve.listening", address=address_of(door))
        _say_how_to_begin(settings, places)
        passed = await _unless_stopped(_verified(gateway, replays), server)
        if passed and not server.should_exit:
            waiting.clear()
            say("cli.serve.ready")
        server.should_exit |= not passed
        await serving
        return passed
    except DadeumError:  # its sentence alone, without what uvicorn says when its loop ends under it
        server.should_exit = True
        await serving
        raise
    finally:
        gateway.store.close()


def _bound(settings: Settings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        detail = error.strerror or str(error)
        raise RunError("cli.serve.not_started", host=settings.host, port=settings.port, detail=detail) from error


async def _unless_stopped(checking: Coroutine[Any, Any, bool], server: Listener) -> bool:
    """What a check finds; it is cancelled where Ctrl-C comes first, and has then failed at nothing."""
    task = asyncio.create_task(checking)
    while not task.done() and not server.should_exit:
        await asyncio.wait({task}, timeout=_LOOK_S)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return True


async def _verified(gateway: Gateway, replays: dict[str, Replay]) -> bool:
    from dadeum.gateway.verify import verify_served

    passed = True
    for version, replay in replays.items():
        found = await verify_served(gateway, gateway.engine.catalogue.models[version], replay)
        for message in found.messages():
            out.print(str(message), markup=False, soft_wrap=True)
        passed = passed and found.passed
    if not passed:
        say("cli.serve.not_verified")
    return passed


def _say_how_to_begin(settings: Settings, places: Places) -> None:
    from dadeum.gateway.keys import KeyRing

    if settings.require_key and not KeyRing(places.keys).valid():
        say("cli.serve.first_key", path=places.keys)
