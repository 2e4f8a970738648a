"""Models that a hub shows to its owner only: HF_TOKEN reaches whatever loads, and its absence is told by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_api

from dadeum.core.errors import ModelError
from dadeum.core.model import Model
from dadeum.models.embed import load_sentence_model
from dadeum.models.load import load_base, load_config, load_tokenizer
from dadeum.models.precision import Precision
from dadeum.models.size import measure_size
from dadeum.serving.pull import pull
from tests.serving.hub_server import Hub
from tests.tiny import decide_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)
NAME = "acme/secret"
LOADS: dict[str, Callable[[Model], object]] = {
    "tokenizer": load_tokenizer,
    "config": load_config,
    "weights": lambda model: load_base(model, FP32),
    "size": measure_size,
    "embedder": lambda model: load_sentence_model(model.base),
}


@pytest.fixture
def private(hub: Hub, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """transformers asks where the client was told to ask when it was imported; its lists of files, where `api` asks.

    Without the last, the real hub would be asked, for a minute and a half where there is none.
    """
    hub.add(NAME, {file.name: file.read_bytes() for file in tiny_llama.iterdir() if file.is_file()}, private=True)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(hf_api.api, "endpoint", hub.url)
    model: Model = decide_recipe(NAME).model
    return model


@pytest.mark.parametrize("what", LOADS)
def test_the_token_reaches_everything_that_loads(hub: Hub, private: Model, what: str) -> None:
    assert LOADS[what](private) is not None
    assert hub.seen("GET", f"{NAME}/resolve/") or hub.seen("HEAD", f"{NAME}/resolve/")


@pytest.mark.parametrize("what", LOADS)
@pytest.mark.parametrize(("token", "key"), [(None, "models.hub.private"), ("hf_wrong", "models.hub.refused")])
def test_without_it_the_sentence_says_what_to_set(
    private: Model, monkeypatch: pytest.MonkeyPatch, what: str, token: str | None, key: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token or "")
    with pytest.raises(ModelError) as caught:
        LOADS[what](private)
    assert caught.value.key == key
    assert "HF_TOKEN" in str(caught.value) and NAME in str(caught.value)
    assert token is None or token not in str(caught.value)


def test_a_model_with_terms(hub: Hub, private: Model) -> None:
    hub.fail("HEAD", "/resolve/", 403, times=9, code="GatedRepo")
    hub.fail("GET", "/resolve/", 403, times=9, code="GatedRepo")
    with pytest.raises(ModelError) as caught:
        load_config(private)
    assert caught.value.key == "models.hub.gated" and "HF_TOKEN" in str(caught.value)


def test_what_was_pulled_with_a_token_loads_without_one(
    hub: Hub, private: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(NAME)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_config(private).model_type == "llama"
