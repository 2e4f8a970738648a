"""A hub that nobody answers for is asked once, and what is wrong is one sentence."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dadeum.core.errors import ModelError
from dadeum.core.model import Model, NoAdapter
from dadeum.models import network
from dadeum.models.load import load_config, load_tokenizer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of nobody, asked as with a network; what the test changes is put back."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as door:
        endpoint = f"http://127.0.0.1:{door.getsockname()[1]}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(network, "getproxies", dict)
    monkeypatch.setattr(network, "_missed", [])
    remembered = network.is_reached
    remembered.cache_clear()
    yield endpoint
    remembered.cache_clear()


def test_an_unknown_name_without_a_network_is_told_at_once(hub: str, caplog: pytest.LogCaptureFixture) -> None:
    started = time.monotonic()
    for load in (load_tokenizer, load_config):
        with pytest.raises(ModelError) as told:
            load(Model(base="unknown/hub", adapter=NoAdapter(type="none")))
        assert told.value.key == "models.hub.no_network" and hub in str(told.value)
    assert time.monotonic() - started < 10
    assert "Retry" not in caplog.text


def test_a_folder_and_a_hub_that_answers_are_left_alone(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    network.look_for_hub(str(tmp_path))
    assert not constants.HF_HUB_OFFLINE
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{door.getsockname()[1]}")
        network.look_for_hub("some/model")
    assert not constants.HF_HUB_OFFLINE and network.unreached() is None
    monkeypatch.setattr(network, "getproxies", lambda: {"http": "http://proxy"})
    assert network.is_reached(hub), "only the proxy knows"


def test_who_wants_no_network_is_not_asked_for_one(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(network, "is_reached", lambda endpoint: pytest.fail("a network was asked for"))
    network.look_for_hub("some/model")
    assert network.unreached() is None
