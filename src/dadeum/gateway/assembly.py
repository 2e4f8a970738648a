"""assembled(runs, settings): every part of a gateway made once and put together; `dadeum serve` and tests use it."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dadeum.core.errors import RunError
from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.gateway.catalogue import Catalogue, ServedModel, catalogue_of, slug
from dadeum.gateway.experiments import read_experiment
from dadeum.gateway.figures import PrometheusFigures
from dadeum.gateway.keys import KEYS_FILE, keys_for, refuse_open
from dadeum.gateway.registry import PLACE, Registry
from dadeum.gateway.settings import Settings
from dadeum.gateway.state import Gateway
from dadeum.gateway.variants import VariantTraffic, refuse_nowhere

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dadeum.gateway.engine.local import LocalEngine
    from dadeum.gateway.engine.remote import RemoteEngine

_RANDOM_BYTES = 6
_SHOWN = 100


@dataclass(frozen=True)
class Places:
    """Files beside the models."""

    keys: Path = KEYS_FILE
    registry: Path = PLACE
    experiment: Path | None = None
    models_root: Path | None = None
    """Folder that `POST /v1/admin/models` may load runs from; None: nothing is loaded while it runs."""


def catalogue_for(runs: Sequence[Path], bases: Sequence[str], settings: Settings) -> Catalogue:
    """Runs with their bases, and untuned models by name; what a start can refuse is refused here."""
    found = catalogue_of(runs)
    for base in bases:
        name = slug(Path(base).name if Path(base).exists() else base)
        if found.find(name) is None:
            found.add(ServedModel(name, name, _bare(base), None, None, None))
    return found


def _bare(base: str) -> Recipe:
    """An untuned model as a conversation with it, in the form that it knows."""
    from dadeum.models.load import load_tokenizer

    model = Model(base=base, adapter=NoAdapter(type="none"))
    form = "chat" if load_tokenizer(model).chat_template else "instruction"
    return Recipe.model_validate(
        {
            "name": "base", "task": {"type": "chat"}, "model": model.model_dump(), "render": {"format": form},
            "data": {"sources": [{"path": "-"}]}, "stages": [{"name": "none", "method": "sft"}],
        }
    )  # fmt: skip


def engine_for(catalogue: Catalogue, settings: Settings) -> LocalEngine | RemoteEngine:
    """The models in this process, or those at `settings.upstream`."""
    if settings.upstream:
        from dadeum.gateway.engine.remote import RemoteEngine

        return RemoteEngine(catalogue, settings.upstream, settings.upstream_key_env, settings.limits)
    from dadeum.gateway.engine.local import LocalEngine

    return LocalEngine(catalogue, settings.limits)


def refuse_start(settings: Settings, places: Places = Places()) -> None:
    """What any models are refused for, before one is read and without making a file.

    RunError for an open host, damaged keys, a log that cannot be written, an address that is none or a folder that is
    not there; RecipeError or Problems for mistakes in the experiment.
    """
    from dadeum.gateway.store.log import SqlStore

    refuse_open(settings, places.keys)
    if places.experiment is not None:
        read_experiment(places.experiment)
    Registry(places.registry).content()
    if places.models_root is not None and not places.models_root.is_dir():
        raise RunError("gateway.no_models_root", path=places.models_root)
    if settings.upstream is not None:
        _refuse_address(settings.upstream)
    SqlStore.refuse(settings)


def _refuse_address(upstream: str) -> None:
    try:
        parts = urlsplit(upstream)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise RunError("gateway.upstream.no_address", url=upstream[:_SHOWN])


async def assembled(catalogue: Catalogue, settings: Settings, places: Places = Places()) -> Gateway:
    """Loads the models, then opens the log. RunError as `refuse_start`, ModelError where a model cannot be served."""
    from dadeum.gateway.store.log import SqlStore

    refuse_start(settings, places)
    experiment = read_experiment(places.experiment) if places.experiment else None
    registry = Registry(places.registry)
    registry.apply(catalogue)
    if experiment is not None:
        refuse_nowhere(experiment, catalogue)
    engine = engine_for(catalogue, settings)
    await engine.start()
    try:
        traffic = VariantTraffic(catalogue, registry, experiment)
        store = SqlStore(settings)
    except BaseException:
        await engine.drain(0)
        raise
    return Gateway(
        settings=settings, engine=engine, store=store, keys=keys_for(settings, places.keys), traffic=traffic,
        figures=PrometheusFigures(engine), new_id=new_id, hash_user=store.hash_user,
    )  # fmt: skip


def app_for(gateway: Gateway, places: Places = Places()) -> FastAPI:
    from dadeum.gateway.api.admin import admin_router
    from dadeum.gateway.api.app import create_app

    return create_app(gateway, [admin_router(places.models_root)])


def new_id() -> str:
    """Later requests sort later; nobody can guess another's."""
    return f"req_{time.time_ns():016x}{secrets.token_hex(_RANDOM_BYTES)}"


def address_of(door: socket.socket) -> str:
    """Where it listens: the port that was free, where 0 was asked for."""
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
