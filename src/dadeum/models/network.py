"""A hub that cannot be reached is asked once, not for every file five times with pauses in between.

Without a network transformers asks for each of a dozen files again and again, for a minute, before it looks at what it
has downloaded before, or says that there is nothing.
"""

from __future__ import annotations

import logging
import socket
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from dadeum.core.messages import text

log = logging.getLogger(__name__)

_CONNECT_S = 3.0
_missed: list[str] = []


def look_for_hub(base: str) -> None:
    """Of a name at a hub that nobody answers for, only files that are here already are used from now on."""
    from huggingface_hub import constants

    if constants.is_offline_mode() or Path(base).exists() or is_reached(constants.ENDPOINT):
        return
    constants.HF_HUB_OFFLINE = True
    _missed.append(constants.ENDPOINT)
    log.info(text("models.hub.only_here", endpoint=constants.ENDPOINT))


def unreached() -> str | None:
    """The hub that was looked for in vain; None where none was."""
    return _missed[-1] if _missed else None


@cache
def is_reached(endpoint: str) -> bool:
    """Whether somebody listens there; behind a proxy only the proxy knows, so that nothing is claimed."""
    parts = urlsplit(endpoint)
    if not parts.hostname or {parts.scheme, "all"} & set(getproxies()):
        return True
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_S).close()
    except OSError:
        return False
    return True
