"""A hub that keeps a model to itself: private, gated, or a token that is not accepted, in a sentence about HF_TOKEN.

transformers says that such a model does not exist; what the hub answered stands among the causes of its error.
"""

from __future__ import annotations

from collections.abc import Iterator

from dadeum.core.errors import ModelError


def refusal(base: str, error: BaseException) -> ModelError | None:
    """What to do about the token; None for any other error."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    for cause in _causes(error):
        if isinstance(cause, GatedRepoError):
            return ModelError("models.hub.gated", base=base)
        if isinstance(cause, HfHubHTTPError) and cause.response.status_code in (401, 403):
            # A hub that is asked without a token says 401 for what is private and for what is not there.
            return ModelError("models.hub.refused" if get_token() else "models.hub.private", base=base)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
