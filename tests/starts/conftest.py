"""Tiny models that were taught, by a few plain steps, to answer well, with a warning, or with dots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

THINGS = (
    "사과", "버스", "우산", "김치", "바다", "고양이", "달력", "연필", "창문", "시계", "감자", "자전거",
    "모자", "안경", "편지", "운동화", "가방", "베개", "호수", "나비", "촛불",
)  # fmt: skip
PROMPTS = [f"{thing}?" for thing in THINGS]
VARIED = [f"{thing}요." for thing in THINGS]
WARNED = ["참고용으로만."] * len(THINGS)
DOTTED = ["… 네."] * len(THINGS)


def turns(texts: list[str]) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


def recipe_of(base: Path, **changes: Any) -> Any:
    from tests.tiny import decide_recipe

    return decide_recipe(base, **({"task": {"type": "chat"}} | changes))


def teach(base: Path, folder: Path, answers: list[str], steps: int = 150) -> Path:
    """A copy of the model that has learnt the answers by heart; saved as a whole model."""
    import torch
    from torch.nn import functional

    from dadeum.models.engines import load_engine
    from dadeum.models.likelihood import Labelled
    from dadeum.models.scoring import padded

    engine = load_engine(recipe_of(base), None)
    renderer, model = engine.renderer, engine.model.train()
    rows = []
    for prompt, answer in zip(turns(PROMPTS), answers, strict=True):
        before, after = renderer.prompt_ids(prompt), renderer.answer_ids(answer)
        rows.append(Labelled(before + after, [-100] * len(before) + after))
    ids, mask = padded([row.input_ids for row in rows], renderer.tokenizer.pad_token_id, model.device)
    labels = torch.tensor([[-100] * (ids.shape[1] - len(row.labels)) + row.labels for row in rows])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    for _ in range(steps):
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        if loss.item() < 0.05:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(str(folder))
    renderer.tokenizer.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def varied(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tiny_llama, tmp_path_factory.mktemp("varied"), VARIED)


@pytest.fixture(scope="session")
def warned(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tiny_llama, tmp_path_factory.mktemp("warned"), WARNED)


@pytest.fixture(scope="session")
def dotted(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach(tiny_llama, tmp_path_factory.mktemp("dotted"), DOTTED)
