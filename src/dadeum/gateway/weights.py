"""Which files a gateway reads as a model: safetensors by content, settings that name no code, and nothing else.

A pickle runs whatever its author wrote, and so does a model that brings its own code. Names prove nothing: a file is
looked into.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dadeum.core.errors import RunError

_PICKLE_NAMES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".pyc", ".so")
_ZIP = b"PK\x03\x04"
_PICKLE = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_HEADER_BYTES = 100_000_000
_CODE_KEYS = ("auto_map", "auto_mapping", "trust_remote_code", "custom_pipelines")


def check_weights(folder: Path) -> None:
    """RunError for what could run code or lead out of the folder."""
    refuse_links(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _check_file(path)


def refuse_links(folder: Path) -> None:
    """RunError for a link anywhere in the folder: what it leads to was not what anybody named."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise RunError("gateway.safety.link", path=path)


def _check_file(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if path.suffix.lower() in _PICKLE_NAMES or start.startswith((_ZIP, *_PICKLE)):
        raise RunError("gateway.pickled", folder=path.parent, file=path.name)
    if path.suffix.lower() == ".safetensors":
        _check_tensors(path)
    elif path.name in ("config.json", "adapter_config.json", "tokenizer_config.json"):
        _check_settings(path)


def _check_tensors(path: Path) -> None:
    """The header lies in the file and names places in it, before anybody makes room for tensors of that size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_HEADER_BYTES, size - 8):
            raise RunError("gateway.safety.not_tensors", path=path)
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise RunError("gateway.safety.not_tensors", path=path) from error
    if not isinstance(header, dict) or not all(
        name == "__metadata__" or _lies_within(tensor, size - 8 - length) for name, tensor in header.items()
    ):
        raise RunError("gateway.safety.not_tensors", path=path)


def _lies_within(tensor: Any, size: int) -> bool:
    match tensor:
        case {"data_offsets": [int(begin), int(end)]}:
            return 0 <= begin <= end <= size
    return False


def _check_settings(path: Path) -> None:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunError("errors.damaged_file", path=path, detail=type(error).__name__) from error
    for key in _CODE_KEYS:
        if isinstance(settings, dict) and settings.get(key) and not _is_known(settings[key]):
            raise RunError("gateway.safety.remote_code", path=path, key=key)


def _is_known(mapping: Any) -> bool:
    """peft writes down which class of an installed library it wrapped; that brings no code."""
    library = mapping.get("parent_library", "") if isinstance(mapping, dict) else ""
    return isinstance(library, str) and library.partition(".")[0] in ("transformers", "sentence_transformers")
