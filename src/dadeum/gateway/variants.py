"""Who gets which version: the same user always the same one, and whoever asks for a version by name gets just that.

An exposure is counted only where the hash decided: `name@alias` and `name@version` are wishes, not assignments.
Without a user every request is dealt by itself, and the unit of a comparison is then the request.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from dadeum.core.errors import RecipeError
from dadeum.core.messages import text
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.experiments import Experiment, bucket, spread, variant_at
from dadeum.gateway.registry import Buckets, Layout, Registry
from dadeum.gateway.state import Assigned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Deal:
    """What is in force."""

    salt: str
    layout: Layout


def refuse_nowhere(experiment: Experiment, catalogue: Catalogue) -> None:
    """RecipeError for a variant or shadow that no served version stands for."""
    for target in (*map(experiment.target, experiment.variants), *experiment.shadow):
        if catalogue.find(target) is None:
            known = ", ".join([*catalogue.models, *(name for name in catalogue.aliases if "@" in name)])
            raise RecipeError("gateway.variants.leads_nowhere", experiment=experiment.name, target=target, known=known)


class VariantTraffic:
    """Traffic of `api/state.py`: aliases of the registry, and an experiment where there is one."""

    def __init__(self, catalogue: Catalogue, registry: Registry, experiment: Experiment | None = None) -> None:
        self.catalogue = catalogue
        self.registry = registry
        self.experiment = experiment
        self.missing: list[str] = []
        """Aliases whose version is not loaded: they keep leading where they led."""
        self._stamp: tuple[int, int] | None = None
        self._follow()
        self._deal = self._dealt(experiment) if experiment else None

    def assign(self, asked: str, user: str) -> Assigned | None:
        """The version that answers this user under this name; None for a model that is not served."""
        self._follow()
        found = self._of_experiment(user) if self.experiment and asked == self.experiment.model else None
        if found is not None:
            return found
        model = self.find(asked)
        return Assigned(model) if model else None

    def find(self, asked: str) -> ServedModel | None:
        return self.catalogue.find(asked)

    def shares(self) -> dict[str, int]:
        """Buckets per variant, as they are in force."""
        found: dict[str, int] = {}
        start = 0
        for end, name in self._deal.layout if self._deal else ():
            found[name] = found.get(name, 0) + end - start
            start = end
        return found

    def _of_experiment(self, user: str) -> Assigned | None:
        experiment, deal = self.experiment, self._deal
        assert experiment is not None and deal is not None
        variant = variant_at(deal.layout, bucket(deal.salt, user or secrets.token_hex(16)))
        model = self.catalogue.find(experiment.target(variant))
        if model is None:
            # Unloaded meanwhile. Answered by the champion and counted nowhere; the sample ratio will tell.
            log.warning(text("gateway.variants.gone", variant=variant, target=experiment.target(variant)))
            return None
        unseen = (self.catalogue.find(name) for name in experiment.shadow)
        shadows = {one.version: one for one in unseen if one and one.version != model.version}
        return Assigned(model, experiment.name, variant, tuple(shadows.values()))

    def _follow(self) -> None:
        """Aliases that somebody moved meanwhile (`dadeum promote`) lead to the new version from the next request on."""
        stamp = self.registry.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.missing = self.registry.apply(self.catalogue)
        for alias in self.missing:
            log.warning(text("gateway.variants.not_loaded", alias=alias))

    def _dealt(self, experiment: Experiment) -> _Deal:
        """The buckets as they were left, moved no further than the weights demand, and written down again."""
        refuse_nowhere(experiment, self.catalogue)
        salt = experiment.salt or experiment.name
        before = self.registry.content().buckets.get(experiment.name)
        kept = before.ranges if before and before.salt == salt else None
        found = Buckets(salt=salt, ranges=spread(experiment.weights, kept))
        if found != before:
            self.registry.keep(experiment.name, found)
        self._stamp = self.registry.stamp()
        return _Deal(salt, found.ranges)
