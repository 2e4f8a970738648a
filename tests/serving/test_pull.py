from __future__ import annotations

from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModelForCausalLM, AutoTokenizer

from dadeum.core.errors import ModelError
from dadeum.serving.pull import local_models, pull
from tests.serving.hub_server import Hub


@pytest.fixture
def base(hub: Hub, tiny_llama: Path) -> str:
    """A repository as people have them: weights twice, code, pictures, a dataset."""
    files = {file.name: file.read_bytes() for file in tiny_llama.iterdir() if file.is_file()}
    unwanted = {"modeling_tiny.py": b"print('run me')", "pytorch_model.bin": b"pickle", "plot.png": b"png"}
    hub.add("acme/tiny", files | unwanted | {"LICENSE": b"words"}, card={"license": "mit"})
    return "acme/tiny"


def test_a_pulled_model_loads_and_is_told(hub: Hub, base: str, tiny_llama: Path) -> None:
    pulled = pull(base)
    assert (pulled.name, pulled.licence, pulled.commit) == (base, "mit", hub.repos[base].sha)
    assert pulled.size_mb > 0.1
    model = AutoModelForCausalLM.from_pretrained(pulled.folder)
    ids = AutoTokenizer.from_pretrained(pulled.folder)("안녕", return_tensors="pt").input_ids
    expected = AutoModelForCausalLM.from_pretrained(tiny_llama)(input_ids=ids).logits
    torch.testing.assert_close(model(input_ids=ids).logits, expected)


def test_only_what_loading_needs_is_fetched(hub: Hub, base: str) -> None:
    names = {file.name for file in pull(base).folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "LICENSE"} <= names
    assert not names & {"modeling_tiny.py", "pytorch_model.bin", "plot.png"}


def test_later_loads_find_it_by_name_without_a_connection(
    hub: Hub, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import snapshot_download

    folder = pull(base).folder
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert Path(snapshot_download(base, allow_patterns=["*.json"])) == folder


def test_pulling_again_fetches_nothing_again(hub: Hub, base: str) -> None:
    pull(base)
    before = len(hub.seen("GET", "/resolve/"))
    pull(base)
    assert before > 0 and len(hub.seen("GET", "/resolve/")) == before


def test_pickles_are_not_fetched(hub: Hub) -> None:
    hub.add("acme/old", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    with pytest.raises(ModelError) as caught:
        pull("acme/old")
    assert caught.value.key == "push.pull.pickles_only" and "pytorch_model.bin" in str(caught.value)
    assert hub.seen("GET", "/resolve/") == []


def test_a_repository_without_weights(hub: Hub) -> None:
    hub.add("acme/empty", {"README.md": b"# soon"})
    with pytest.raises(ModelError) as caught:
        pull("acme/empty")
    assert caught.value.key == "push.pull.no_weights"


@pytest.mark.parametrize(
    ("name", "revision", "key"),
    [
        ("acme/nowhere", None, "push.hub.no_repo"),
        ("acme/tiny", "v9", "push.hub.no_revision"),
        ("smollm2-135m", "main", "push.pull.alias_revision"),
        ("한글", None, "push.hub.bad_name"),
    ],
)
def test_what_cannot_be_pulled_says_why(hub: Hub, base: str, name: str, revision: str | None, key: str) -> None:
    with pytest.raises(ModelError) as caught:
        pull(name, revision)
    assert caught.value.key == key


def test_a_folder_is_here_already(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        pull(str(tmp_path))
    assert caught.value.key == "push.pull.is_folder"


def test_a_chosen_revision_is_what_comes(hub: Hub, base: str) -> None:
    commit = hub.repos[base].sha
    assert pull(base, commit).commit == commit


def test_an_alias_is_converted_into_our_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "smollm2-135m"

    def converted(name: str) -> str:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        return str(folder)

    monkeypatch.setattr("dadeum.serving.pull.resolve_base", converted)
    pulled = pull("smollm2-135m")
    assert (pulled.folder, pulled.licence, pulled.commit) == (folder, "Apache-2.0", None)


def test_the_list_shows_what_is_here(hub: Hub, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DADEUM_CACHE", str(tmp_path / "ours"))
    assert list(local_models()) == []
    pulled = pull(base)
    [found] = local_models()
    assert (found.name, found.commit, found.folder) == (base, pulled.commit, pulled.folder)
