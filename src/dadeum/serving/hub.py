"""The hub as push and pull see it: which address, which token, and what went wrong in a sentence.

HF_ENDPOINT and HF_TOKEN are read when they are needed, so that a private hub works without more settings. The token
is given to the client and to nobody else: every sentence made from an answer of the hub passes `without_token`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dadeum.core.errors import DadeumError, ExportError, ModelError, first_line
from dadeum.models.network import unreached

_DETAIL_CHARACTERS = 200
_BY_STATUS = {401: "push.hub.token_refused", 403: "push.hub.forbidden", 429: "push.hub.too_many"}


def endpoint() -> str:
    """HF_ENDPOINT, or the public hub."""
    from huggingface_hub import constants

    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or str(constants.ENDPOINT)


def token() -> str | None:
    """HF_TOKEN, or what `hf auth login` has left; None where there is neither."""
    from huggingface_hub import get_token

    found: str | None = get_token()
    return found


def client() -> Any:
    """The real client for this endpoint and token."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint(), token=token() or False, library_name="dadeum")


def without_token(sentence: object) -> str:
    """One line for people; should the token stand in it, stars stand there instead."""
    line = " ".join(str(sentence).split())
    secret = token()
    return (line.replace(secret, "***") if secret else line)[:_DETAIL_CHARACTERS]


@contextmanager
def explained(what: str, error: type[ExportError] | type[ModelError] = ExportError) -> Iterator[None]:
    """Whatever the hub or the way to it answers inside the block becomes one sentence about `what` (a repo id)."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    # The client's own base of every error of the way there (DNS, refused, timed out); its package changes by version.
    transport: type[BaseException] = HfHubHTTPError.__mro__[1]
    try:
        yield
    except DadeumError:
        raise
    except HfHubHTTPError as problem:
        # Without its context: a traceback of the client would show headers.
        raise _answered(problem, what, error) from None
    except LocalEntryNotFoundError as problem:
        raise error("push.hub.unreachable", endpoint=endpoint(), detail=without_token(problem)) from None
    except OfflineModeIsEnabled as problem:
        if missed := unreached():  # nobody asked for being offline: the model was looked for in vain
            raise error("push.hub.unreachable", endpoint=missed, detail=first_line(problem)) from None
        raise error("push.hub.offline", repo=what) from None
    except HFValidationError as problem:
        raise error("push.hub.bad_name", repo=what, detail=without_token(problem)) from None
    except transport as problem:
        raise error("push.hub.unreachable", endpoint=endpoint(), detail=without_token(problem)) from None


def _answered(problem: Any, what: str, error: type[ExportError] | type[ModelError]) -> DadeumError:
    """A sentence for an HTTP status; the client reports a missing repository as its own class."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    status = problem.response.status_code
    if isinstance(problem, GatedRepoError):
        return error("push.hub.gated", repo=what, endpoint=endpoint())
    if isinstance(problem, RevisionNotFoundError):
        return error("push.hub.no_revision", repo=what)
    if isinstance(problem, RepositoryNotFoundError) and token() is not None:
        return error("push.hub.no_repo", repo=what, endpoint=endpoint())
    if status in _BY_STATUS:
        return error(_BY_STATUS[status], repo=what, endpoint=endpoint())
    detail = without_token(getattr(problem, "server_message", None) or problem)
    return error("push.hub.answered", repo=what, status=status, detail=detail)
