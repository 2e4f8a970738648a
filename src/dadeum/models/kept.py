"""What trainings in one process have in common, made once: base weights, tokenizers, token rows, what was tried.

Only inside `keeping()`; outside, everything is read and made anew. A kept base is never handed out: callers get a copy
of its modules whose parameters are their own but whose numbers lie where the kept ones do, so that it costs no memory.
Room: one base, and the two tokenizers and few sets of rows that were used last.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

ROOM = {"base": 1, "tokenizer": 2, "rows": 6, "choices": 64}
"""Kind → how many of it stay. A second base would take the memory that a training finds in a process of its own."""


@dataclass
class _Store:
    depth: int = 0
    things: dict[str, OrderedDict[Any, tuple[Any, Any]]] = field(default_factory=dict)
    """Kind → key → (thing, its mark when it was made)."""


_store = _Store()


@contextmanager
def keeping() -> Iterator[None]:
    """Inside, what was read or made stays until the outermost `keeping` ends."""
    _store.depth += 1
    try:
        yield
    finally:
        _store.depth -= 1
        if not _store.depth:
            _store.things.clear()


def is_keeping() -> bool:
    return _store.depth > 0


def once(kind: str, key_of: Callable[[], Any], make: Callable[[], T], mark: Callable[[T], Any] = lambda _: None) -> T:
    """`make()`, or what it gave for this key before; inside `keeping()` the same object, so it must not be changed.

    `mark` is a cheap digest of what may be changed all the same: where it is another one, the thing is made anew.
    """
    if not is_keeping():
        return make()
    key = key_of()
    found: T | None = _look(kind, key, mark)
    if found is None:
        found = make()
        _keep(kind, key, found, mark(found))
    return found


def known(kind: str, key: Any) -> Any:
    """What was kept for this key; None where nothing is."""
    return _look(kind, key, lambda _: None) if is_keeping() else None


def shared_base(key_of: Callable[[], Any], read: Callable[[], Any]) -> Any:
    """A model as `read()` gives it; inside `keeping()` its frozen weights lie in memory once, however many are asked.

    Whatever belongs to modules and parameters (hooks, adapters, attention, dtype, gradients) is the caller's own. Who
    writes into the numbers themselves takes `own_weights` first. Not kept: 8 bits and offloaded layers, whose weights
    change as they are used, and what draws random numbers while it is read, which would change those drawn later.
    """
    import torch

    if not is_keeping() or torch.is_inference_mode_enabled():  # weights made there could not be trained with
        return read()
    key = key_of()
    found = _look("base", key, _written)
    if found is None:
        _store.things.pop("base", None)  # before another one is read
        drawn = _random_state()
        found = read()
        if not _can_be_shared(found) or drawn != _random_state():
            return found
        _keep("base", key, found, _written(found))
    return _sharing_copy(found)


def own_weights(model: Any) -> None:
    """Numbers of its own for every layer under an adapter, before the adapter is added to them in place."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not is_keeping():
        return
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            for parameter in layer.get_base_layer().parameters(recurse=False):
                parameter.data = parameter.data.clone()


def files_of(folder: str) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of a local folder's files, so that another model under the same name is read anew."""
    place = Path(folder)
    if not place.is_dir():
        return ()
    stats = [(file.name, file.stat()) for file in sorted(place.iterdir()) if file.is_file()]
    return tuple((name, found.st_size, found.st_mtime_ns) for name, found in stats)


def _look(kind: str, key: Any, mark: Callable[[Any], Any]) -> Any:
    things = _store.things.get(kind, OrderedDict())
    if key not in things:
        return None
    thing, was = things[key]
    if mark(thing) != was:
        log.info("A kept %s was changed by its user; made anew", kind)
        del things[key]
        return None
    things.move_to_end(key)
    return thing


def _keep(kind: str, key: Any, thing: Any, mark: Any) -> None:
    things = _store.things.setdefault(kind, OrderedDict())
    things[key] = (thing, mark)
    while len(things) > ROOM[kind]:
        things.popitem(last=False)


def _written(model: Any) -> list[int]:
    """How often each weight was written to; copies count for the kept ones, but for writes through `.data`."""
    return [parameter._version for parameter in model.parameters()]


def _random_state() -> tuple[bytes, ...]:
    import torch

    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]
    return tuple(state.numpy().tobytes() for state in states)


def _can_be_shared(model: Any) -> bool:
    return not any(one.is_meta or not (_is_plain(one) or _has_4_bits(one)) for one in model.parameters())


def _is_plain(parameter: Any) -> bool:
    import torch

    return type(parameter) is torch.nn.Parameter


def _has_4_bits(parameter: Any) -> bool:
    return type(parameter).__name__ == "Params4bit"  # of bitsandbytes, which is not always there


def _sharing_copy(model: Any) -> Any:
    import torch

    memo: dict[int, Any] = {}
    for one in model.parameters():  # tied weights come once here, and stay tied
        if _is_plain(one):
            memo[id(one)] = own = torch.nn.Parameter(one.detach(), requires_grad=one.requires_grad)
            vars(own).update(vars(one))
        else:
            memo[id(one)] = own = copy.copy(one)
            # A CPU repacks 4 bits when it first infers, and writes so into the state: that is not shared.
            own.quant_state = copy.deepcopy(one.quant_state, memo)
            own.module = None  # that of the kept one; needed only while a weight is quantised
    return copy.deepcopy(model, memo)
