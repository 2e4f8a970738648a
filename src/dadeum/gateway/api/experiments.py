"""GET /v1/experiments: who gets what. POST /v1/admin/aliases and …/rollback: a champion more, or the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Protocol, runtime_checkable

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from dadeum.core.errors import DadeumError, Problems
from dadeum.core.messages import text
from dadeum.gateway.api.admission import caller_of, unknown_model
from dadeum.gateway.api.faults import Fault
from dadeum.gateway.catalogue import CHAMPION, ServedModel
from dadeum.gateway.experiments import BUCKETS, Experiment
from dadeum.gateway.registry import Move, Registry
from dadeum.gateway.state import gateway_of

router = APIRouter(tags=["experiments"])
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_REASON = text("gateway.variants.example.promote", "ko")
_BACK = text("gateway.variants.example.rollback", "ko")


class VariantShown(BaseModel):
    name: str
    version: str | None = Field(description="What answers now; null where it is not loaded.")
    share: float = Field(description="Of the users.")


class ExperimentShown(BaseModel):
    name: str
    model: str
    metric: str
    variants: list[VariantShown]
    shadow: list[str]


class Experiments(BaseModel):
    """What is compared, where the aliases lead, and who moved them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "data": [],
                    "aliases": {"counsel": {"champion": "counsel@0123456789ab"}},
                    "missing": [],
                    "history": [],
                }
            ]
        }
    )
    object: str = "list"
    data: list[ExperimentShown]
    aliases: dict[str, dict[str, str]]
    missing: list[str] = Field(description="Aliases whose version is not loaded.")
    history: list[Move]


class Promotion(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "counsel@0123456789ab", "reason": _REASON}]}
    )
    version: Annotated[str, Field(min_length=1, max_length=200)]
    """`name@hash`, or whatever leads to one version."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    alias: Annotated[str, Field(pattern=_NAME)] = CHAMPION
    name: Annotated[str, Field(pattern=_NAME)] | None = None
    """Whose alias; None: the model's own name."""
    force: bool = False
    """Overrule gates that failed; it is written down."""


class Rollback(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "counsel", "reason": _BACK}]})
    name: Annotated[str, Field(pattern=_NAME)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    alias: Annotated[str, Field(pattern=_NAME)] = CHAMPION


@runtime_checkable
class Movable(Protocol):
    """Traffic with aliases that can be moved: `gateway/variants.py`, which stands above the routes."""

    registry: Registry
    experiment: Experiment | None
    missing: list[str]

    def find(self, asked: str) -> ServedModel | None: ...

    def shares(self) -> dict[str, int]: ...


def _traffic(request: Request) -> Movable:
    caller_of(request, "admin")
    traffic = gateway_of(request).traffic
    if not isinstance(traffic, Movable):
        raise Fault(501, "gateway.variants.no_registry", code="no_registry")
    return traffic


async def _moved(work: Callable[..., Move], *given: Any) -> Move:
    try:
        return await asyncio.to_thread(work, *given)
    except Problems as error:
        said = " ".join(str(one.values.get("metric", "")) for one in error.problems)
        raise Fault(409, "gateway.variants.gates_failed", "version", code="gates_failed", gates=said.strip()) from error
    except DadeumError as error:
        told: dict[str, Any] = error.values | ({"folder": "-"} if "folder" in error.values else {})
        raise Fault(409, error.key, "version", **told) from error


@router.get("/v1/experiments", name="list_experiments", response_model=Experiments)
async def list_experiments(request: Request) -> Experiments:
    """Scope `admin`: it tells which users are experimented with, in what shares."""
    traffic = _traffic(request)
    content = await asyncio.to_thread(traffic.registry.content)
    shown = []
    if (experiment := traffic.experiment) is not None:
        sizes = traffic.shares()
        variants = [
            VariantShown(name=name, version=model.version if model else None, share=sizes.get(name, 0) / BUCKETS)
            for name in experiment.variants
            for model in [traffic.find(experiment.target(name))]
        ]
        shown.append(
            ExperimentShown(
                name=experiment.name, model=experiment.model, metric=experiment.metric, variants=variants,
                shadow=list(experiment.shadow),
            )
        )  # fmt: skip
    return Experiments(data=shown, aliases=content.aliases, missing=traffic.missing, history=list(content.history))


@router.post("/v1/admin/aliases", name="promote", response_model=Move)
async def promote(body: Promotion, request: Request) -> Move:
    """409 where the gates of the version's recipe failed or were never judged."""
    traffic = _traffic(request)
    model = traffic.find(body.version)
    if model is None:
        raise unknown_model(gateway_of(request), body.version)
    return await _moved(traffic.registry.promote, model, body.reason, body.alias, body.name, body.force)


@router.post("/v1/admin/aliases/rollback", name="rollback", response_model=Move)
async def rollback(body: Rollback, request: Request) -> Move:
    """To the version that the alias had before."""
    return await _moved(_traffic(request).registry.rollback, body.name, body.reason, body.alias)
