"""export(recipe, run): what a run trained, as a folder that peft, transformers, vLLM, llama.cpp or Ollama can load.

`adapter` copies only the trained weights, `merged` folds them into the base, `gguf` and `ollama` write the merged
model as one file. Each is loaded again and must answer as the run's own model does before it appears under `export/`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import ExportError
from dadeum.core.model import NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash, fingerprint, read_json
from dadeum.core.task import Retrieve
from dadeum.models.fresh import in_run
from dadeum.models.licences import licence_of
from dadeum.models.load import is_seq2seq, load_base, load_config, load_tokenizer, load_trained, resolve_base
from dadeum.models.precision import Precision, choose_precision
from dadeum.models.save import save_model
from dadeum.serving.card import model_card, public_base
from dadeum.serving.embedder import refuse_files_of_embedders, write_embedder

FORMATS = ("adapter", "merged", "gguf", "ollama")
_TOLERANCE = {"fp32": 1e-3, "bf16": 0.25, "fp16": 0.05}
"""Largest allowed difference of a logit; merging rounds the weights once more in half precision."""
_LICENCES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "NOTICE.md", "NOTICE.txt")
_PROBE_TEXT = 'Is this mail spam? {"subject": "meeting on Monday, 10:30"}'


@dataclass(frozen=True)
class Exported:
    folder: Path
    format: str
    size_mb: float
    largest_logit_difference: float
    """Between the run's model and the exported folder, on one fixed prompt; of an embedding model the largest of a
    number in the vectors of questions and chunks."""


def export(recipe: Recipe, run: Run, format: str | None = None) -> Exported:
    """Write `export/<format>`; raises ExportError when the reloaded weights answer differently."""
    run.require_weights()
    weights = run.require(run.adapter_folder(recipe), "train")
    wanted = format or recipe.export.format
    if wanted not in FORMATS:
        raise ExportError("export.unknown_format", format=wanted, known=", ".join(FORMATS))
    embeds = isinstance(recipe.task, Retrieve)
    if embeds:
        refuse_files_of_embedders(wanted)
    elif wanted != "adapter" and isinstance(recipe.model.adapter, QLora):
        # Merging into quantised weights loses what was learnt (peft #2321): that needs the full-precision base.
        raise ExportError("export.merge_quantised")
    loaded = in_run(recipe, run)
    if not embeds and wanted in ("gguf", "ollama") and is_seq2seq(load_config(loaded.model)):
        raise ExportError("export.no_seq2seq_file", base=recipe.model.base, format=wanted)
    name = export_name(recipe)
    folder = run.export_folder / wanted
    temporary = folder.with_name(f".{wanted}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        writer = _WRITERS[wanted]
        difference = write_embedder(recipe, run, weights, temporary) if embeds else writer(loaded, weights, temporary)
        (temporary / "README.md").write_text(model_card(recipe, run, name, wanted), encoding="utf-8")
        _copy_licence(loaded, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    run.record("exports", run.manifest().get("exports", {}) | {wanted: _state(recipe, run)})
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
    return Exported(folder, wanted, round(size, 1), difference)


def current_export(recipe: Recipe, run: Run, format: str) -> Path | None:
    """The folder of an export made from these very weights and settings; None where it has to be made."""
    folder = run.export_folder / format
    known = run.manifest().get("exports", {}).get(format)
    return folder if folder.is_dir() and known == _state(recipe, run) else None


def _state(recipe: Recipe, run: Run) -> str:
    weights = run.require(run.adapter_folder(recipe), "train")
    files = sorted(file for file in weights.rglob("*") if file.suffix in (".safetensors", ".json"))
    return fingerprint([[file_hash(file) for file in files], recipe.model.base, recipe.export.quantization])


def export_name(recipe: Recipe) -> str:
    """The name on the model card; refuses one that the base's licence forbids."""
    name = recipe.export.name or recipe.name
    licence = licence_of(recipe.model.base)
    if licence and licence.required_prefix:
        if recipe.export.name is None:
            return name if name.startswith(licence.required_prefix) else f"{licence.required_prefix}-{name}"
        if not name.startswith(licence.required_prefix):
            raise ExportError("export.name_prefix", name=name, prefix=licence.required_prefix, licence=licence.name)
    return name


# -- the formats: each writes a folder and gives the largest difference of a logit after loading it again -------
def _write_adapter(recipe: Recipe, weights: Path, folder: Path) -> float:
    precision, trained, tokenizer = _trained(recipe, weights)
    expected = _probe(trained, tokenizer)
    shutil.copytree(weights, folder)
    _set_base_name(folder, public_base(recipe.model.base))
    tokenizer.save_pretrained(str(folder))
    return _compared(expected, load_trained(recipe.model, precision, folder).eval(), tokenizer, precision)


def _write_merged(recipe: Recipe, weights: Path, folder: Path) -> float:
    precision, trained, tokenizer = _trained(recipe, weights)
    expected = _probe(trained, tokenizer)
    _save_merged(recipe, trained, folder)
    tokenizer.save_pretrained(str(folder))
    plain = recipe.model.model_copy(update={"base": str(folder), "revision": None, "adapter": NoAdapter(type="none")})
    return _compared(expected, load_base(plain, precision).eval(), tokenizer, precision)


def _write_gguf(recipe: Recipe, weights: Path, folder: Path) -> float:
    from dadeum.serving.gguf_file import write_gguf

    _, trained, tokenizer = _trained(recipe, weights)
    folder.mkdir()
    file = folder / f"{export_name(recipe)}-{recipe.export.quantization}.gguf"
    return write_gguf(_merged(recipe, trained), tokenizer, file, export_name(recipe), recipe.export.quantization)


def _write_ollama(recipe: Recipe, weights: Path, folder: Path) -> float:
    from dadeum.serving.ollama import modelfile

    # Before the minutes of the conversion: a template that Ollama cannot express is refused at once.
    tokenizer = load_tokenizer(recipe.model)
    content = modelfile(recipe, tokenizer, f"{export_name(recipe)}-{recipe.export.quantization}.gguf")
    difference = _write_gguf(recipe, weights, folder)
    (folder / "Modelfile").write_text(content, encoding="utf-8")
    return difference


_WRITERS: dict[str, Callable[[Recipe, Path, Path], float]] = {
    "adapter": _write_adapter, "merged": _write_merged, "gguf": _write_gguf, "ollama": _write_ollama,
}  # fmt: skip


def _trained(recipe: Recipe, weights: Path) -> tuple[Precision, Any, Any]:
    precision = choose_precision(recipe.model.precision)
    return precision, load_trained(recipe.model, precision, weights).eval(), load_tokenizer(recipe.model)


def _copy_licence(recipe: Recipe, folder: Path) -> None:
    """The licence that lies beside the base's weights: EXAONE's and others must travel with what is made of them."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    base = Path(resolve_base(recipe.model.base))
    for name in _LICENCES:
        try:
            kept = (
                base / name
                if base.is_dir()
                else try_to_load_from_cache(str(base), name, revision=recipe.model.revision)
            )
        except HFValidationError:
            return
        if isinstance(kept, str | Path) and Path(kept).is_file():
            shutil.copyfile(kept, folder / name)


def _set_base_name(folder: Path, base: str) -> None:
    """The path of this machine's cache means nothing elsewhere."""
    path = folder / "adapter_config.json"
    if path.exists():
        config = read_json(path) | {"base_model_name_or_path": base}
        path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _merged(recipe: Recipe, trained: Any) -> Any:
    """One model without an adapter; full fine-tuning has made one already."""
    return trained if isinstance(recipe.model.adapter, NoAdapter) else trained.merge_and_unload(safe_merge=True)


def _save_merged(recipe: Recipe, trained: Any, folder: Path) -> None:
    save_model(_merged(recipe, trained), folder)


# -- loaded again -------------------------------------------------------------------------------
def _probe(model: Any, tokenizer: Any) -> Any:
    """Logits of one fixed text, shape (tokens, vocabulary), float32."""
    import torch

    ids = torch.tensor([tokenizer(_PROBE_TEXT).input_ids], device=model.device)
    # An encoder-decoder reads the text on both sides: every weight takes part.
    written = {"decoder_input_ids": ids} if is_seq2seq(model.config) else {}
    with torch.inference_mode():
        return model(input_ids=ids, **written).logits[0].float().cpu()


def _compared(expected: Any, model: Any, tokenizer: Any, precision: Precision) -> float:
    difference = float((expected - _probe(model, tokenizer)).abs().max())
    # Written this way round, so that a logit that is no number fails too.
    if not difference <= _TOLERANCE[precision.dtype]:
        raise ExportError("export.differs", difference=f"{difference:.3g}", limit=_TOLERANCE[precision.dtype])
    return difference
