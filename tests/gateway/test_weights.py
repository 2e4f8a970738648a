"""Which files are read as a model, by what is in them."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.gateway.weights import check_weights

HEADER = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "__metadata__": {"format": "pt"}}


def tensors(header: Any = HEADER, data: bytes = b"\0" * 4, length: int | None = None) -> bytes:
    written = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return (len(written) if length is None else length).to_bytes(8, "little") + written + data


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(tensors())
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "auto_mapping": None}))
    (folder / "README.md").write_text("어댑터")
    return folder


def test_an_adapter_of_tensors_and_settings_is_read(adapter: Path) -> None:
    check_weights(adapter)
    library = {"base_model_class": "LlamaForCausalLM", "parent_library": "transformers.models.llama.modeling_llama"}
    (adapter / "adapter_config.json").write_text(json.dumps({"auto_mapping": library}))
    check_weights(adapter)


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.safetensors", "notes.txt", "model"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_refused_whatever_it_is_called(adapter: Path, name: str, protocol: int) -> None:
    (adapter / name).write_bytes(pickle.dumps({"a": [1.0]}, protocol))
    with pytest.raises(RunError, match="pickle"):
        check_weights(adapter)


def test_what_torch_saves_is_refused_under_another_name(adapter: Path) -> None:
    with zipfile.ZipFile(adapter / "adapter_model.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    with pytest.raises(RunError, match="pickle"):
        check_weights(adapter)


@pytest.mark.parametrize("name", ["adapter_model.bin", "x.PT", "deep/x.pkl", "modeling.py"])
def test_files_that_only_code_would_read_are_refused_by_name_too(adapter: Path, name: str) -> None:
    (adapter / name).parent.mkdir(exist_ok=True)
    (adapter / name).write_bytes(b"")
    with pytest.raises(RunError):
        check_weights(adapter)


@pytest.mark.parametrize("content", [
    b"", b"\0" * 7, tensors(length=2**40), tensors(length=0), tensors(b"[1]"), tensors(b"{" * 50), tensors(b'{"a": 1}'),
    tensors({"a": {"data_offsets": [0, 2**60]}}), tensors({"a": {"data_offsets": [-4, 0]}}),
    tensors({"a": {"data_offsets": [4, 0]}}), tensors({"a": {"data_offsets": [0]}}), tensors(data=b"\0"),
    tensors(b"[" * 100_000),
], ids=lambda content: repr(content[:20]))  # fmt: skip
def test_a_header_that_lies_is_refused_before_anything_is_loaded(adapter: Path, content: bytes) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="safetensors"):
        check_weights(adapter)


@pytest.mark.parametrize(("name", "settings"), [
    ("config.json", {"auto_map": {"AutoModel": "evil/repo--modeling.Evil"}}),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}),
    ("adapter_config.json", {"auto_mapping": {"base_model_class": "Evil", "parent_library": "os"}}),
    ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers_evil"}}),
    ("config.json", {"trust_remote_code": True}),
])  # fmt: skip
def test_settings_that_name_code_are_refused(adapter: Path, name: str, settings: dict[str, Any]) -> None:
    (adapter / name).write_text(json.dumps(settings))
    with pytest.raises(RunError):
        check_weights(adapter)


def test_links_are_refused(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.safetensors").write_bytes(tensors())
    (adapter / "more.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(RunError, match="링크"):
        check_weights(adapter)
