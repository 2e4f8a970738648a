"""`dadeum promote` and `rollback`: which version a name leads to, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dadeum.core.messages import text
from dadeum.gateway.catalogue import CHAMPION
from dadeum.gateway.registry import PLACE, Registry
from dadeum.terminal import say

app = typer.Typer()
Alias = Annotated[str, typer.Option("--alias", help=text("gateway.variants.help.alias"))]
Place = Annotated[Path, typer.Option("--registry", help=text("gateway.variants.help.registry"))]
Reason = Annotated[str, typer.Option("--reason", help=text("gateway.variants.help.reason"))]


@app.command(help=text("gateway.variants.help.promote"))
def promote(
    run: Annotated[Path, typer.Argument(help=text("gateway.variants.help.run"))],
    alias: Alias = CHAMPION,
    reason: Reason = "",
    name: Annotated[str | None, typer.Option("--name", help=text("gateway.variants.help.name"))] = None,
    force: Annotated[bool, typer.Option("--force", help=text("gateway.variants.help.force"))] = False,
    registry: Place = PLACE,
) -> None:
    from dadeum.gateway.catalogue import served
    from dadeum.gateway.registry import has_gates, overruled, unfit

    model = served(run)
    against = unfit(model)
    move = Registry(registry).promote(model, reason, alias, name, force)
    if not has_gates(model):
        say("gateway.variants.no_gates")
    if move.forced:
        say("gateway.variants.forced", said=overruled(against))
    say("gateway.variants.promoted", name=move.name, alias=alias, version=move.version, before=move.before or "-")


@app.command(help=text("gateway.variants.help.rollback"))
def rollback(
    name: Annotated[str, typer.Argument(help=text("gateway.variants.help.of"))],
    alias: Alias = CHAMPION,
    reason: Reason = "",
    registry: Place = PLACE,
) -> None:
    move = Registry(registry).rollback(name, reason, alias)
    say("gateway.variants.promoted", name=name, alias=alias, version=move.version, before=move.before or "-")
