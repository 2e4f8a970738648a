"""What the reward model of the last `reward` stage says of an answer, scaled to mean 0 and deviation 1 on its pairs.

It is loaded once and stays: a second copy of the base model beside the one that learns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer, loss_on
from dadeum.training.work import Work

_loaded: dict[str, tuple[Any, Renderer, float, float]] = {}
"""The one that was asked last, by its folder and when it was written."""


def rate(work: Work, rows: list[Example], answers: list[str]) -> np.ndarray:
    """(rows,), higher is better. ModelError without a `reward` stage before this one."""
    import torch

    model, renderer, mean, deviation = _reward_model(work)
    ids = [
        renderer.prompt_ids(row.prompt) + renderer.answer_ids(answer) for row, answer in zip(rows, answers, strict=True)
    ]
    found = np.zeros(len(ids))
    order = sorted(range(len(ids)), key=lambda index: (-len(ids[index]), index))
    for start in range(0, len(order), work.stage.batch_size):
        part = order[start : start + work.stage.batch_size]
        with torch.inference_mode():
            found[part] = _rewards(model, [ids[index] for index in part]).float().cpu().numpy()
    return (found - mean) / (deviation or 1.0)


def _rewards(model: Any, rows: list[list[int]]) -> Any:
    """One number a row, (rows,), read at its last token whatever the padding is called."""
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    device, longest = next(model.parameters()).device, max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    hidden = base.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    last = torch.tensor([len(row) - 1 for row in rows], device=device)
    return base.score(hidden[torch.arange(len(rows), device=device), last].float()).squeeze(-1)


def _reward_model(work: Work) -> tuple[Any, Renderer, float, float]:
    from dadeum.training.preferences.classifier import SCALE_FILE, load_reward_model, read_scale

    folder = work.reward_model
    if folder is None or not (folder / SCALE_FILE).is_file():
        raise ModelError("train.preferences.no_reward_model", stage=work.stage.name)
    key = f"{folder}:{(folder / SCALE_FILE).stat().st_mtime_ns}"
    if key not in _loaded:
        _loaded.clear()
        model = load_reward_model(work.recipe, work.precision, folder)
        renderer = Renderer(load_tokenizer(work.recipe.model), work.recipe.render, loss_on(work.recipe))
        _loaded[key] = (model, renderer, *read_scale(folder))
    return _loaded[key]
