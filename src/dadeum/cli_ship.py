"""`dadeum export`, `push` and `models …`: what leaves this machine, and which base models come to it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dadeum.core.errors import RecipeError
from dadeum.core.messages import text
from dadeum.targets import RunFolder, reopen
from dadeum.terminal import out, prepare_models, say

app = typer.Typer()
models_app = typer.Typer(no_args_is_help=True, help=text("cli.help.models"))
_FORMATS = ("adapter", "merged", "gguf", "ollama")
Format = Annotated[str | None, typer.Option(help=" | ".join(_FORMATS))]


@app.command(help=text("cli.help.export"))
def export(run_folder: RunFolder, format: Format = None) -> None:
    _check_format(format)
    recipe, run = reopen(run_folder, None)
    run.require_weights()
    prepare_models()
    from dadeum.serving.export import export as ship

    exported = ship(recipe, run, format)
    told = "export.retrieve.vectors" if recipe.task.type == "retrieve" else "cli.exported"
    say(told, folder=exported.folder, size=exported.size_mb, difference=exported.largest_logit_difference)
    if exported.format == "ollama":
        say("cli.ollama_next", folder=exported.folder, name=recipe.export.name or recipe.name)


@app.command(help=text("cli.help.push"))
def push(
    run_folder: RunFolder,
    repo: Annotated[str | None, typer.Option(help=text("cli.help.repo"))] = None,
    public: Annotated[bool, typer.Option("--public", help=text("cli.help.public"))] = False,
    format: Format = None,
    force: Annotated[bool, typer.Option("--force", help=text("cli.help.force"))] = False,
) -> None:
    _check_format(format)
    recipe, run = reopen(run_folder, None)
    run.require_weights()
    from dadeum.serving.export import current_export
    from dadeum.serving.push import push as send

    if current_export(recipe, run, format or recipe.export.format) is None:
        prepare_models()

    _quiet_client()
    pushed = send(recipe, run, repo, public, format, force)
    key = "cli.pushed_private" if pushed.private else "cli.pushed_public"
    say(key, url=pushed.url, size=pushed.size_mb, commit=pushed.commit[:12])


@models_app.command("list", help=text("cli.help.models_list"))
def models_list() -> None:
    from dadeum.models.load import ALIASES
    from dadeum.serving.pull import local_models

    for alias, packaged in ALIASES.items():
        out.print(f"{alias:<16} {packaged.hub_id}  ({packaged.requirement}, {packaged.language})", markup=False)
    say("cli.any_hub_id")
    for found in local_models():
        commit = (found.commit or "-")[:12]
        say("cli.local_model", name=found.name, size=found.size_mb, commit=commit, folder=found.folder)


@models_app.command("pull", help=text("cli.help.models_pull"))
def models_pull(
    name: Annotated[str, typer.Argument(help=text("cli.help.pull_name"))],
    revision: Annotated[str | None, typer.Option(help=text("cli.help.revision"))] = None,
) -> None:
    from dadeum.models.load import ALIASES

    if name in ALIASES:
        prepare_models()
    from dadeum.serving.pull import pull

    _quiet_client()
    pulled = pull(name, revision)
    licence = pulled.licence or text("cli.unknown_licence")
    say("cli.pulled", name=pulled.name, size=pulled.size_mb, licence=licence, commit=pulled.commit or "-")
    say("cli.pulled_where", folder=pulled.folder)


def _check_format(format: str | None) -> None:
    if format is not None and format not in _FORMATS:
        raise RecipeError("cli.export_format", format=format, known=", ".join(_FORMATS))


def _quiet_client() -> None:
    """Bars belong on a terminal; in a log they are thousands of lines."""
    if not sys.stderr.isatty():
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
