"""The transformer inside an embedding model, from its configuration alone: what `plan` counts without its weights."""

from __future__ import annotations

from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.model import Model
from dadeum.models.embed import EMBEDDERS, embedder_config


def encoder_config(model: Model) -> Any:
    """Its configuration; ModelError for an architecture that transformers does not know."""
    from transformers import CONFIG_MAPPING, AutoConfig

    published, _ = embedder_config(model.base, model.revision)
    kind = published.get("model_type", "-")
    if kind not in CONFIG_MAPPING:
        detail = f"model_type: {kind}"
        raise ModelError("models.embed.no_model", name=model.base, detail=detail, aliases=", ".join(EMBEDDERS))
    return AutoConfig.for_model(**published)


def empty_encoder(model: Model, dtype: Any = None) -> Any:
    """The architecture with random weights: to be made on the meta device."""
    from transformers import AutoModel

    settings = {} if dtype is None else {"dtype": dtype}
    return AutoModel.from_config(encoder_config(model), **settings)
