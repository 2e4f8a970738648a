"""Models that come and go while the gateway runs: by the name of a folder under one root, and by version.

A name is one part of a path: it cannot lead out of the root, links are not followed, and files are looked into first.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from dadeum.core.errors import DadeumError, ModelError
from dadeum.core.run import Run
from dadeum.gateway.api.admission import caller_of
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.catalogue import NAME, Catalogue
from dadeum.gateway.state import gateway_of
from dadeum.gateway.weights import refuse_links

_SHOWN = 80


class LoadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"run": "spam-agent"}]})
    run: Annotated[
        str, Field(max_length=200, description="A run folder's name under the folder that `dadeum serve` was given.")
    ]


class LoadedModel(BaseModel):
    """A version that is served from now on, or was until now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "spam-agent", "version": "spam-agent@0123456789ab", "object": "model"}]}
    )
    id: str
    version: str
    object: str = "model"


def admin_router(models_root: Path | None) -> APIRouter:
    """For `create_app(gateway, more=[admin_router(root)])`; without a root nothing can be loaded (403)."""
    router = APIRouter()
    root = models_root.resolve() if models_root is not None else None

    @router.post("/v1/admin/models", response_model=LoadedModel, summary="Load a model")
    async def load_model(request: Request, body: LoadRequest) -> LoadedModel:
        """Serves a run more, while others are being answered."""
        caller_of(request, "admin")
        gateway = gateway_of(request)
        most = gateway.settings.limits.adapters
        if sum(model.weights is not None for model in gateway.engine.catalogue) >= most:
            raise Fault(409, "gateway.safety.too_many_models", code="too_many_models", most=most)
        folder = run_folder(root, body.run)
        try:
            await asyncio.to_thread(_check_run, folder, gateway.engine.catalogue)
            model = await gateway.engine.load(str(folder))
        except DadeumError as error:
            values: dict[str, Any] = dict(error.values)
            raise Fault(400, error.key, "run", code="not_loaded", **values) from error
        return LoadedModel(id=model.name, version=model.version)

    @router.delete("/v1/admin/models/{version}", response_model=LoadedModel, summary="Unload a model")
    async def unload_model(request: Request, version: str) -> LoadedModel:
        """Running answers of it are finished first."""
        caller_of(request, "admin")
        engine = gateway_of(request).engine
        model = engine.catalogue.models.get(version)
        if model is None:
            raise Fault(404, "gateway.safety.no_version", "version", code="model_not_found", version=version[:_SHOWN])
        if model.weights is None:
            raise Fault(409, "gateway.safety.base_stays", "version", code="base_stays", version=version[:_SHOWN])
        await engine.unload(version)
        return LoadedModel(id=model.name, version=model.version)

    return router


def run_folder(root: Path | None, name: str) -> Path:
    """The folder of this name right under the root; Fault for any other. `root` is resolved."""
    if root is None:
        raise Fault(403, "gateway.safety.no_root", code="loading_off")
    if not NAME.fullmatch(name) or ".." in name:
        raise Fault(400, "gateway.safety.bad_run", "run", code="bad_name")
    folder = root / name
    if folder.is_symlink() or not folder.is_dir() or folder.resolve().parent != root:
        raise Fault(404, "gateway.safety.no_run", "run", code="run_not_found", name=name)
    return folder


def _check_run(folder: Path, catalogue: Catalogue) -> None:
    """Links are refused, and a base that is not there yet: it would be fetched from a hub that the run names."""
    refuse_links(folder)
    base = Run.open(folder).recipe().model.base
    if _place(base) not in {_place(model.recipe.model.base) for model in catalogue}:
        raise ModelError("gateway.safety.other_base", base=base)


def _place(base: str) -> str:
    """Of a folder its full path: two of one name are not one base."""
    return str(Path(base).resolve()) if Path(base).is_dir() else base
