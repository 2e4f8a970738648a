"""One tokenizer a family, made once."""

from __future__ import annotations

import pytest

from dadeum.core.model import Model, NoAdapter
from dadeum.models.load import load_tokenizer
from tests.models.families.build import save_tokenizer


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory):
    """`tokenizers(name)` → the tokenizer as training loads it."""
    made = {}

    def get(name):
        if name not in made:
            folder = save_tokenizer(tmp_path_factory.mktemp(name), name)
            made[name] = load_tokenizer(Model(base=str(folder), adapter=NoAdapter(type="none")))
        return made[name]

    return get
