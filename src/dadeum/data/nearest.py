"""The known name that a mistyped one probably meant, as a part of an error's sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dadeum.core.messages import Message


def nearest(value: str, known: Iterable[str], cutoff: float = 0.4) -> Message:
    """A sentence that names the known name most like `value`; empty when none is. Case is ignored."""
    by_case = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(value.casefold(), by_case, n=1, cutoff=cutoff)
    return Message("data.nearest", {"near": by_case[near[0]]}) if near else Message("data.no_nearest")
