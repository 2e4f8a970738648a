"""experiment.yaml: which versions share a name's traffic, by what weights, and what will decide between them.

Users fall into 10,000 buckets by a salted hash. Buckets belong to variants; other weights hand over only as many as
must change hands, so everybody else keeps the variant that they have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, field_validator, model_validator

from dadeum.core.section import Section
from dadeum.gateway.registry import Layout
from dadeum.gateway.written import read_section

BUCKETS = 10_000
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Metric = Literal["feedback", "label", "latency"]
Share = Annotated[float, Field(gt=0, lt=1)]


class Variant(Section):
    weight: Annotated[float, Field(gt=0)]
    """In relation to the other variants; 90 and 10 are the same as 9 and 1."""
    model: str | None = None
    """`name`, `name@alias` or `name@version`; None: the alias of the experiment's model with the variant's name."""


class Guardrails(Section):
    """What must not get worse, whatever the metric says; None leaves one out."""

    latency_p95: Annotated[float, Field(gt=1)] | None = 1.5
    """95 of 100 answers must come within this many times the control's own 95 % time."""
    error_rate: Share | None = 0.01
    """Most that the share of failed answers (status 500 and above) may rise."""
    cut_off: Share | None = 0.02
    """Most that the share of answers without an end may rise (with a schema: broken JSON)."""
    calibration: Share | None = 0.05
    """Most that the Brier score may rise, over decisions whose right label came back."""


class Experiment(Section):
    name: Name
    model: Name
    """Name that clients send; versions asked for by `name@…` take no part."""
    variants: Annotated[dict[Name, Variant], Field(min_length=2, max_length=8)]
    """The first is the control. `champion: 90` is short for `champion: {weight: 90}`."""
    shadow: tuple[str, ...] = ()
    """Versions that answer too, unseen."""
    salt: str | None = None
    """Another salt deals all users anew; None: the name."""
    metric: Metric = "feedback"
    """feedback: share of thumbs up. label: decisions that the label which came back calls right. latency: seconds."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """A challenger that is worse by no more than this is promoted too (non-inferiority); None: it must be better."""
    worthwhile: Annotated[float, Field(gt=0)] | None = None
    """Smallest gain that is worth a change; where it has become impossible the control stays. None: collect on."""
    guardrails: Guardrails = Guardrails()
    min_users: Annotated[int, Field(ge=20)] = 100
    """Users with a value that every variant must have before there is a verdict."""
    planned_users: Annotated[int, Field(ge=100)] = 2000
    """Users of all variants together at which intervals shall be narrowest."""
    alpha: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    since: AwareDatetime | None = None
    """Requests before it do not count: set it when weights or versions have changed."""

    @field_validator("variants", mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: {"weight": one} if isinstance(one, int | float) else one for name, one in given.items()}

    @model_validator(mode="after")
    def _of_shares(self) -> Experiment:
        if self.metric != "latency" and self.margin is not None and self.margin >= 1:
            raise ValueError("margin of a share must be below 1")
        return self

    @property
    def weights(self) -> dict[str, float]:
        return {name: variant.weight for name, variant in self.variants.items()}

    @property
    def control(self) -> str:
        return next(iter(self.variants))

    def target(self, variant: str) -> str:
        """What the variant leads to, as one asks a catalogue."""
        return self.variants[variant].model or f"{self.model}@{variant}"


def read_experiment(path: Path) -> Experiment:
    """RecipeError for a mistake, Problems for several; each says the line, what stands there and what may."""
    return read_section(path, Experiment)


# -- buckets --------------------------------------------------------------------------------------
def bucket(salt: str, unit: str) -> int:
    """0 to 9,999: the same for a user forever, and unrelated to the one of another salt."""
    digest = hashlib.blake2b(unit.encode(), digest_size=8, key=hashlib.blake2b(salt.encode()).digest()).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def sizes(weights: Mapping[str, float]) -> dict[str, int]:
    """Whole buckets per variant that add up to all of them (largest remainders)."""
    total = sum(weights.values())
    exact = {name: BUCKETS * weight / total for name, weight in weights.items()}
    found = {name: int(share) for name, share in exact.items()}
    most = sorted(exact, key=lambda name: found[name] - exact[name])
    for name in most[: BUCKETS - sum(found.values())]:
        found[name] += 1
    return found


def spread(weights: Mapping[str, float], before: Layout | None = None) -> Layout:
    """Ranges of buckets. From `before` on, a variant gives only what it has too many of, and from its end."""
    wanted = sizes(weights)
    if not before:
        before = [(BUCKETS, next(iter(weights)))]
    owners: list[str | None] = []
    for end, name in before:
        owners += [name] * (end - len(owners))
    held = {name: owners.count(name) for name in {*wanted, *filter(None, owners)}}
    for place in range(BUCKETS - 1, -1, -1):
        owner = owners[place]
        if owner is not None and held[owner] > wanted.get(owner, 0):
            held[owner] -= 1
            owners[place] = None
    free = iter([place for place, owner in enumerate(owners) if owner is None])
    for name, size in wanted.items():
        for _ in range(size - held[name]):
            owners[next(free)] = name
    found: Layout = []
    for place, owner in enumerate(owners, 1):
        if found and found[-1][1] == owner:
            found[-1] = (place, str(owner))
        else:
            found.append((place, str(owner)))
    return found


def variant_at(layout: Layout, place: int) -> str:
    return next(name for end, name in layout if place < end)
