"""`dadeum keys …`: who may ask the gateway. A key is shown once; its file holds hashes only."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dadeum.core.messages import text
from dadeum.terminal import out, say

app = typer.Typer()
keys_app = typer.Typer(no_args_is_help=True, help=text("cli.keys.help.keys"))
app.add_typer(keys_app, name="keys")
# As gateway/keys.py has it, which this module imports only when a command runs: `--help` stays instant.
File = Annotated[Path, typer.Option("--file", help=text("cli.keys.help.file"))]
_FILE = Path("runs/serve/keys.json")


@keys_app.command("create", help=text("cli.keys.help.create"))
def create(
    name: Annotated[str, typer.Option(help=text("cli.keys.help.name"))],
    scope: Annotated[str, typer.Option(help=text("cli.keys.help.scope"))] = "infer",
    days: Annotated[int | None, typer.Option(help=text("cli.keys.help.days"))] = None,
    file: File = _FILE,
) -> None:
    from dadeum.gateway.keys import KeyRing

    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    secret, key = KeyRing(file).create(name, scopes, days)
    say("cli.keys.created", name=key.name, scopes=", ".join(key.scopes), end=_end(key.expires), path=file)
    out.print(secret, markup=False, soft_wrap=True)
    say("cli.keys.once", prefix=key.prefix)


@keys_app.command("list", help=text("cli.keys.help.list"))
def list_keys(file: File = _FILE) -> None:
    from dadeum.gateway.keys import KeyRing

    keys = KeyRing(file).read()
    if not keys:
        say("cli.keys.none", path=file)
    for key in keys:
        state = text(f"cli.keys.state.{key.state(datetime.now(UTC))}")
        say(
            "cli.keys.line", prefix=key.prefix, state=state, name=key.name, scopes=",".join(key.scopes),
            created=f"{key.created:%Y-%m-%d}", end=_end(key.expires),
        )  # fmt: skip


@keys_app.command("revoke", help=text("cli.keys.help.revoke"))
def revoke(
    prefix: Annotated[str, typer.Argument(help=text("cli.keys.help.prefix"))],
    file: File = _FILE,
) -> None:
    from dadeum.gateway.keys import KeyRing

    key = KeyRing(file).revoke(prefix)
    say("cli.keys.revoked", prefix=key.prefix, name=key.name)


def _end(expires: datetime | None) -> str:
    return f"{expires:%Y-%m-%d %H:%M} UTC" if expires else text("cli.keys.no_end")
