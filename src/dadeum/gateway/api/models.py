"""GET /v1/models: what is served, with the base that it was trained on and the versions that its names lead to."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from dadeum.core.run import Run
from dadeum.gateway.api import answers as said
from dadeum.gateway.api.admission import caller_of, unknown_model
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.state import gateway_of

router = APIRouter(tags=["models"])
_OWNER = "dadeum"


@router.get("/v1/models", name="list_models", response_model=said.Models)
async def list_models(request: Request) -> Response:
    """Every name that `model` may be, bases among them."""
    caller_of(request)
    catalogue = gateway_of(request).engine.catalogue
    found = [_shape(catalogue, name, model) for name in catalogue.names() if (model := catalogue.find(name))]
    return JSONResponse(said.plain(said.Models(data=found)))


@router.get("/v1/models/{model}", name="retrieve_model", response_model=said.Model)
async def retrieve_model(model: str, request: Request) -> Response:
    """By name, `name@alias` or `name@version`."""
    caller_of(request)
    gateway = gateway_of(request)
    found = gateway.engine.catalogue.find(model)
    if found is None:
        raise unknown_model(gateway, model)
    return JSONResponse(said.plain(_shape(gateway.engine.catalogue, model, found)))


def _shape(catalogue: Catalogue, name: str, model: ServedModel) -> said.Model:
    own = f"{model.name}@"
    aliases = {
        alias.removeprefix(own): version
        for alias, version in sorted(catalogue.aliases.items())
        if alias.startswith(own)
    }
    return said.Model(
        id=name, created=_created(model), owned_by=_OWNER, parent=model.parent, root=model.version, task=model.task,
        versions=sorted(one.version for one in catalogue if one.name == model.name), aliases=aliases,
    )  # fmt: skip


def _created(model: ServedModel) -> int:
    """When its run was made; 0 where that is not written anywhere."""
    if model.run is None or not (run := Run(model.run)).manifest_path.is_file():
        return 0
    return int(datetime.fromisoformat(str(run.manifest()["created"])).timestamp())
