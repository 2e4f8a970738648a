"""export(recipe, run): what a run trained, as a folder that peft, transformers or vLLM can load.

`adapter` copies only the trained weights; `merged` folds them into the base. Both are loaded again and must give the
logits of the run's own model before the folder appears under `export/`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import ExportError
from dadeum.core.messages import text
from dadeum.core.recipe import NoAdapter, QLora, Recipe
from dadeum.core.run import Run, read_json
from dadeum.models.licences import licence_of
from dadeum.models.load import ALIASES, load_base, load_tokenizer, load_trained
from dadeum.models.precision import Precision, choose_precision

_TOLERANCE = {"fp32": 1e-3, "bf16": 0.25, "fp16": 0.05}
"""Largest allowed difference of a logit; merging rounds the weights once more in half precision."""
_PROBE_TEXT = 'Is this mail spam? {"subject": "meeting on Monday, 10:30"}'


@dataclass(frozen=True)
class Exported:
    folder: Path
    format: str
    size_mb: float
    largest_logit_difference: float
    """Between the run's model and the exported folder, on one fixed prompt."""


def export(recipe: Recipe, run: Run, format: str | None = None) -> Exported:
    """Write `export/<format>`; raises ExportError when the reloaded weights answer differently."""
    weights = run.require(run.adapter_folder(recipe), "train")
    wanted = format or recipe.export.format
    name = export_name(recipe)
    folder = run.export_folder / wanted
    temporary = folder.with_name(f".{wanted}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    precision = choose_precision(recipe.model.precision)
    trained = load_trained(recipe.model, precision, weights).eval()
    tokenizer = load_tokenizer(recipe.model)
    expected = _probe(trained, tokenizer)
    if wanted == "merged":
        _save_merged(recipe, trained, temporary)
    else:
        shutil.copytree(weights, temporary)
        _set_base_name(temporary, public_base(recipe.model.base))
    tokenizer.save_pretrained(str(temporary))
    (temporary / "README.md").write_text(model_card(recipe, run, name, wanted), encoding="utf-8")
    difference = _difference(expected, _reload(recipe, precision, temporary, wanted), tokenizer)
    if difference > _TOLERANCE[precision.dtype]:
        shutil.rmtree(temporary)
        raise ExportError("export.differs", difference=f"{difference:.3g}", limit=_TOLERANCE[precision.dtype])
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
    return Exported(folder, wanted, round(size, 1), difference)


def export_name(recipe: Recipe) -> str:
    """The name on the model card; refuses one that the base's licence forbids."""
    name = recipe.export.name or recipe.name
    licence = licence_of(recipe.model.base)
    if licence and licence.required_prefix:
        if recipe.export.name is None:
            return f"{licence.required_prefix}-{name}"
        if not name.startswith(licence.required_prefix):
            raise ExportError("export.name_prefix", name=name, prefix=licence.required_prefix, licence=licence.name)
    return name


def public_base(base: str) -> str:
    """The hub id behind an alias; anything else unchanged."""
    return ALIASES[base].hub_id if base in ALIASES else base


def _set_base_name(folder: Path, base: str) -> None:
    """The path of this machine's cache means nothing elsewhere."""
    path = folder / "adapter_config.json"
    if path.exists():
        config = read_json(path) | {"base_model_name_or_path": base}
        path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _save_merged(recipe: Recipe, trained: Any, folder: Path) -> None:
    if isinstance(recipe.model.adapter, NoAdapter):
        trained.save_pretrained(str(folder))
        return
    if isinstance(recipe.model.adapter, QLora):
        # Merging into 4-bit weights loses what was learnt (peft #2321): that needs the full-precision base.
        raise ExportError("export.merge_quantised")
    trained.merge_and_unload(safe_merge=True).save_pretrained(str(folder))


def _reload(recipe: Recipe, precision: Precision, folder: Path, format: str) -> Any:
    if format == "merged":
        plain = recipe.model.model_copy(
            update={"base": str(folder), "revision": None, "adapter": NoAdapter(type="none")}
        )
        return load_base(plain, precision).eval()
    return load_trained(recipe.model, precision, folder).eval()


def _probe(model: Any, tokenizer: Any) -> Any:
    """Logits of one fixed text, shape (tokens, vocabulary), float32."""
    import torch

    ids = torch.tensor([tokenizer(_PROBE_TEXT).input_ids], device=model.device)
    with torch.inference_mode():
        return model(input_ids=ids).logits[0].float().cpu()


def _difference(expected: Any, model: Any, tokenizer: Any) -> float:
    return float((expected - _probe(model, tokenizer)).abs().max())


def model_card(recipe: Recipe, run: Run, name: str, format: str) -> str:
    """README.md of the export: what it is, how it was judged, how to load it, under which terms."""
    licence = licence_of(recipe.model.base)
    base = public_base(recipe.model.base)
    values = {
        "name": name,
        "base": base,
        "licence": licence.name if licence else text("export.unknown_licence"),
        "licence_url": licence.url if licence else "-",
        "task": recipe.task.type,
        "labels": ", ".join(recipe.task.labels),
        "scores": _score_lines(run),
        "load": text(f"export.load_{format}", name=name, base=base),
    }
    header = f"---\nbase_model: {base}\nlibrary_name: {'peft' if format == 'adapter' else 'transformers'}\n---\n\n"
    return header + text("export.card", "ko", **values) + "\n" + text("export.card", "en", **values)


def _score_lines(run: Run) -> str:
    if not run.scores_path.exists():
        return f"- {text('export.not_evaluated')}"
    systems = read_json(run.scores_path)["systems"]
    rows = ["| | accuracy | macro F1 |", "|---|---|---|"]
    for system, scores in systems.items():
        accuracy, macro = scores["accuracy"], scores["macro_f1"]
        rows.append(
            f"| {system} | {accuracy['value']:.3f} ({accuracy['low']:.3f}–{accuracy['high']:.3f}) "
            f"| {macro['value']:.3f} ({macro['low']:.3f}–{macro['high']:.3f}) |"
        )
    return "\n".join(rows)
