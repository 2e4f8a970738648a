"""A model that comes as a GGUF file inside a Python package, de-quantised once to a folder that transformers loads."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dadeum.core.errors import MissingExtra
from dadeum.models.precision import prepare_cpu

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Packaged:
    """A model that comes with a Python package."""

    module: str
    file: str
    requirement: str
    """pip requirement; installed with --no-deps because its own dependencies compile llama.cpp."""
    hub_id: str
    """Where the same model stands on the hub, unquantised."""
    language: str


def convert(packaged: Packaged, folder: Path, marker: str) -> None:
    """De-quantise a packaged GGUF to a plain transformers folder; complete or absent, never half."""
    spec = find_spec(packaged.module)
    if spec is None or spec.origin is None:
        raise MissingExtra("train.missing_package", requirement=packaged.requirement)
    prepare_cpu()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = Path(spec.origin).parent
    log.info("converting %s (once)", packaged.file)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=packaged.file, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=packaged.file)
    tokenizer.backend_tokenizer.pre_tokenizer = smollm_splitting()
    # save_pretrained refuses a model that still claims to be GGUF-quantised.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / marker).write_text(packaged.requirement)
        if not (folder / marker).exists():
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def smollm_splitting() -> Any:
    """Each digit a token, as `tokenizer.ggml.pre: smollm` of the file says and transformers' GGUF reader ignores."""
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
