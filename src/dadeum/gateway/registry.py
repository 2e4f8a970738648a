"""Which version a name means: aliases (`champion`, `challenger`) that move, with who moved them when and why.

One JSON file, replaced as a whole under a lock, so that a server, `dadeum promote` and a crash never leave a name
that leads nowhere. A version is promoted only when the gates of its recipe were judged and passed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from dadeum.core.errors import DadeumError, ModelError, Problems, RunError
from dadeum.core.measured import Part
from dadeum.core.messages import Message
from dadeum.core.run import Run, now, read_json, write_json
from dadeum.gateway.catalogue import CHAMPION, NAME, Catalogue, ServedModel

PLACE = Path("runs/serve/registry.json")
_GATE_FAILED = "gateway.variants.gate_failed"
Layout = list[tuple[int, str]]
"""(first bucket after the range, variant), in order: see `experiments.spread`."""


class Move(Part):
    """One alias that was moved."""

    time: str
    what: Literal["promote", "rollback"]
    name: str
    alias: str
    version: str
    before: str | None
    """Where it led until then."""
    reason: str
    forced: tuple[str, ...] = ()
    """What spoke against it and was overruled, in both languages."""


class Buckets(Part):
    """Which users have which variant, kept so that other weights move as few of them as possible."""

    salt: str
    ranges: Layout


class Content(Part):
    """The file."""

    aliases: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Name → alias → version."""
    history: tuple[Move, ...] = ()
    buckets: dict[str, Buckets] = Field(default_factory=dict)
    """By experiment."""


@dataclass(frozen=True)
class Registry:
    """`Registry(path)`; every method reads the file anew."""

    path: Path = PLACE

    def content(self) -> Content:
        """RunError for a file that somebody broke; our own writes are whole."""
        if not self.path.exists():
            return Content()
        try:
            return Content.model_validate(read_json(self.path))
        except ValidationError as error:
            raise RunError("gateway.variants.broken_registry", path=self.path) from error

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the file does."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def version(self, name: str, alias: str = CHAMPION) -> str | None:
        return self.content().aliases.get(name, {}).get(alias)

    def promote(
        self, model: ServedModel, reason: str, alias: str = CHAMPION, name: str | None = None, force: bool = False
    ) -> Move:
        """`name@alias` (the model's own name unless told otherwise) leads to this version from now on.

        Raises RunError, or Problems with one entry per gate, where the recipe's gates failed or were never judged;
        `force` overrules and writes down what it overruled. The version that an alias has already is not moved again.
        """
        name = _named(name or model.name)
        _named(alias)
        against = unfit(model)
        if against and not force:
            raise against[0] if len(against) == 1 else Problems(list(against))
        with self._alone() as content:
            before = content.aliases.get(name, {}).get(alias)
            if before == model.version:
                raise RunError("gateway.variants.there_already", name=name, alias=alias, version=before)
            forced = tuple(str(error) for error in against)
            move = Move(
                time=now(), what="promote", name=name, alias=alias, version=model.version, before=before,
                reason=reason, forced=forced,
            )  # fmt: skip
            self._write(content, move)
        return move

    def rollback(self, name: str, reason: str, alias: str = CHAMPION) -> Move:
        """Back to the version before; again goes one further back. RunError where there is none."""
        with self._alone() as content:
            stack = _stack(content.history, name, alias)
            if len(stack) < 2:
                raise RunError("gateway.variants.nothing_before", name=name, alias=alias)
            move = Move(
                time=now(), what="rollback", name=name, alias=alias, version=stack[-2], before=stack[-1], reason=reason
            )
            self._write(content, move)
        return move

    def keep(self, experiment: str, buckets: Buckets) -> None:
        with self._alone() as content:
            changed = {"buckets": content.buckets | {experiment: buckets}}
            write_json(self.path, content.model_copy(update=changed).model_dump(mode="json"))

    def apply(self, catalogue: Catalogue) -> list[str]:
        """Point the catalogue's aliases where the file says; those whose version is not loaded come back."""
        missing = []
        for name, aliases in self.content().aliases.items():
            for alias, version in aliases.items():
                if version in catalogue.models:
                    catalogue.point(name, alias, version)
                else:
                    missing.append(f"{name}@{alias} → {version}")
        return missing

    def _write(self, content: Content, move: Move) -> None:
        of_name = content.aliases.get(move.name, {}) | {move.alias: move.version}
        changed = {"aliases": content.aliases | {move.name: of_name}, "history": (*content.history, move)}
        write_json(self.path, content.model_copy(update=changed).model_dump(mode="json"))

    @contextmanager
    def _alone(self) -> Iterator[Content]:
        """One writer at a time; the lock falls with the process."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield self.content()
        finally:
            os.close(handle)


def _named(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ModelError("gateway.bad_name", name=name)
    return name


def _stack(history: Sequence[Move], name: str, alias: str) -> list[str]:
    """Versions of an alias, oldest first, without those that were taken back."""
    found: list[str] = []
    for move in history:
        if (move.name, move.alias) != (name, alias):
            continue
        if move.what == "promote":
            found.append(move.version)
        else:
            found.pop()
    return found


# -- gates ----------------------------------------------------------------------------------------
def overruled(errors: Sequence[DadeumError]) -> Message:
    """What `force` went over, in a line: the gates by name, or why there was nothing to judge by."""
    failed = [error.values for error in errors if error.key == _GATE_FAILED]
    if not failed:
        key = errors[0].key.rpartition(".")[2]
        return Message(f"gateway.variants.overruled.{key}", {"gates": errors[0].values.get("gates", "")})
    told = "; ".join("{metric} {condition} ({value})".format(**values) for values in failed)
    return Message("gateway.variants.overruled.gates", {"gates": told})


def has_gates(model: ServedModel) -> bool:
    """Whether its recipe demands anything at all: without gates, a promotion checks nothing but that it was judged."""
    return bool(model.recipe.evaluate.gates)


def unfit(model: ServedModel) -> list[DadeumError]:
    """What speaks against promoting this version, one error each; empty for one that may be promoted."""
    if model.run is None or model.weights is None:
        return [RunError("gateway.variants.base_unjudged", version=model.version)]
    run = Run(model.run)
    if not run.scores_path.exists():
        return [RunError("gateway.variants.unjudged", version=model.version, folder=run.folder)]
    if _is_stale(run.manifest().get("steps", {})):
        return [RunError("gateway.variants.judged_before", version=model.version, folder=run.folder)]
    gates: list[dict[str, Any]] = read_json(run.scores_path).get("gates", [])
    judged = {gate["metric"]: gate["condition"] for gate in gates}
    if missing := sorted(dict(model.recipe.evaluate.gates).items() - judged.items()):
        said = ", ".join(f"{metric} {condition}" for metric, condition in missing)
        return [RunError("gateway.variants.gates_unjudged", version=model.version, gates=said, folder=run.folder)]
    return [_failed(model, gate) for gate in gates if not gate["passed"]]


def _is_stale(steps: dict[str, dict[str, str]]) -> bool:
    """Trained, or tried to, after it was judged."""
    train, evaluate = steps.get("train", {}), steps.get("evaluate", {})
    if evaluate and evaluate.get("status") != "done":
        return True
    trained, judged = train.get("finished") or train.get("started"), evaluate.get("finished")
    return bool(trained and judged and trained > judged)


def _failed(model: ServedModel, gate: dict[str, Any]) -> RunError:
    value = "-" if gate["value"] is None else f"{gate['value']:.3f}"
    told = {"metric": gate["metric"], "condition": gate["condition"], "value": value}
    return RunError(_GATE_FAILED, version=model.version, **told)
