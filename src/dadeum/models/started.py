"""What training goes on from (`model.start`): a run, an adapter or full weights, read as they really are.

An adapter keeps its own settings when it is loaded. What would be lost or changed on the way is refused here.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.measured import Notice
from dadeum.core.model import Lora, Model, NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.models.exaone import has_exaone_names, to_llama
from dadeum.models.fresh import folder_in, is_fresh
from dadeum.models.load import ALIASES
from dadeum.models.precision import cache_folder

_SETTINGS = "adapter_config.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PLAIN: dict[str, tuple[Any, ...]] = {
    # A second adapter, such as the reference of ppo, can have no biases; tokens trained alone are not copied to it.
    "bias": ("none",),
    "lora_bias": (False,),
    "trainable_token_indices": (),
    # These change the weights of the base when the adapter is opened.
    "init_lora_weights": (True, False, "gaussian"),
    "layer_replication": (),
    "target_parameters": (),
    "use_qalora": (False,),
    "alora_invocation_tokens": (),
    "megatron_config": (),
    "velora_config": (),
    "monteclora_config": (),
    "use_bdlora": (),
    "arrow_config": (),
}
"""Settings of peft → what they may say beside nothing. DoRA, rsLoRA, modules_to_save, ranks and layers of their own go
on as they are (tests/models/test_started.py)."""


@dataclass(frozen=True)
class Started:
    """Weights to go on from."""

    weights: Path
    """Folder of the adapter, or of all weights."""
    base: str | None
    """Model that an adapter belongs to; None where nothing says it."""
    revision: str | None
    adapter: Lora | QLora | NoAdapter
    """Its own shape; a LoRA's targets are the last parts of the layers' names."""
    run: Path | None
    """The run folder that it was trained in; None: nobody knows what it was taught."""


def weights_of(model: Model) -> Path | None:
    """The weights that the first stage begins with; None for the untuned base."""
    return started(Path(model.start)).weights if model.start else None


def unknown_rows(recipe: Recipe) -> Notice | None:
    """That test rows may be among those which the given weights were taught; None where their run tells."""
    start = recipe.model.start
    if not start or started(Path(start)).run is not None:
        return None
    return Notice(key="models.started.unknown_rows", values={"path": start})


def started(path: Path) -> Started:
    """ModelError for what cannot be gone on from, RunError for a run that is not trained yet."""
    path = path.expanduser()
    if not path.exists():
        raise ModelError("models.started.no_folder", path=path, near=_near(path))
    run = _run_around(path)
    if run and run.folder == path:
        recipe = run.recipe()
        run.require_weights()
        weights = run.require(run.adapter_folder(recipe), "train")
    else:
        places = [one for one in (path, path / "adapter") if _holds_weights(one)]
        if not places:
            raise ModelError("models.started.nothing_there", path=path, found=_listed(path))
        weights = places[0]
    read = _read_adapter if (weights / _SETTINGS).exists() else _read_full
    return _in_run(read(weights), run) if run else read(weights)


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one model: an alias, its converted folder, where it stands on the hub."""
    return _resolved(one) == _resolved(other)


def _resolved(base: str) -> str:
    place = Path(base).expanduser()
    for alias, packaged in ALIASES.items():
        converted = cache_folder() / "models" / alias
        elsewhere = place.parts[-3:] == converted.parts[-3:]  # the cache of another machine
        if base in (alias, packaged.hub_id) or place == converted or elsewhere:
            return alias
    return str(place.resolve()) if place.exists() else base


# -- where it lies --------------------------------------------------------------------------------
def _run_around(path: Path) -> Run | None:
    """The run that the folder is, or lies in: `stages/1-sft/adapter`, `export/adapter`."""
    for folder in (path, *path.parents[:3]):
        if (folder / "manifest.json").is_file() and (folder / "recipe.yaml").is_file():
            return Run.open(folder)
    return None


def _in_run(found: Started, run: Run) -> Started:
    """With what the run's recipe says and its weights do not: the name of the base, and its bits."""
    model = run.recipe().model
    base = str(folder_in(run).absolute()) if is_fresh(model) else model.base
    adapter = found.adapter
    if isinstance(model.adapter, QLora) and isinstance(adapter, Lora):
        adapter = QLora.model_validate(adapter.model_dump() | {"type": "qlora", "bits": model.adapter.bits})
    return Started(found.weights, base, model.revision, adapter, run.folder)


def _holds_weights(folder: Path) -> bool:
    return (folder / _SETTINGS).is_file() or (folder / "config.json").is_file()


def _near(path: Path) -> str:
    """The name beside it that the writer may have meant, as a sign or a folder."""
    parent = next((one for one in path.parents if one.is_dir()), Path())
    missing = path.relative_to(parent).parts[0] if path.is_relative_to(parent) else path.name
    near = difflib.get_close_matches(missing, [one.name for one in parent.iterdir()], n=1)
    return str(parent / near[0]) if near else "-"


def _listed(path: Path) -> str:
    names = sorted(one.name for one in path.iterdir()) if path.is_dir() else [path.name]
    return ", ".join(names[:8]) or "-"


# -- what it is -----------------------------------------------------------------------------------
def _read_adapter(weights: Path) -> Started:
    path = weights / _SETTINGS
    settings = _json(path)
    kind = str(settings.get("peft_type", "-"))
    if kind.upper() != "LORA":
        raise ModelError("models.started.other_peft", path=path, kind=kind)
    if settings.get("task_type") == "SEQ_CLS":
        raise ModelError("models.started.reward_model", path=weights)
    _refuse_unsafe(weights, "adapter_model")
    for name, plain in _PLAIN.items():
        if settings.get(name) and settings[name] not in plain:
            raise ModelError("models.started.setting", path=path, setting=name, value=str(settings[name])[:60])
    adapter = Lora(
        type="lora",
        r=_whole(settings, "r", path),
        alpha=_whole(settings, "lora_alpha", path),
        dropout=settings.get("lora_dropout") or 0.0,
        targets=_targets(weights, settings),
    )
    return Started(weights, settings.get("base_model_name_or_path") or None, settings.get("revision"), adapter, None)


def _read_full(weights: Path) -> Started:
    _refuse_unsafe(weights, "model")
    return Started(weights, None, None, NoAdapter(type="none"), None)


def _refuse_unsafe(weights: Path, stem: str) -> None:
    """A pickle runs code when it is opened; weights that are not there would be random."""
    if any(weights.glob(f"{stem}*.safetensors")):
        return
    pickles = [file.name for file in sorted(weights.iterdir()) if file.suffix in _PICKLES]
    if pickles:
        raise ModelError("models.started.pickles", path=weights, files=", ".join(pickles[:3]))
    raise ModelError("models.started.no_weights", path=weights, found=_listed(weights))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError("models.started.broken", path=path, detail=error) from error
    if not isinstance(found, dict):
        raise ModelError("models.started.broken", path=path, detail=type(found).__name__)
    return found


def _whole(settings: dict[str, Any], name: str, path: Path) -> int:
    value = settings.get(name)
    if not isinstance(value, int | float) or value < 1 or value != int(value):
        raise ModelError("models.started.setting", path=path, setting=name, value=value)
    return int(value)


def _targets(weights: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """Last parts of the names of the layers; where the settings have a pattern, those of the weights themselves."""
    named = settings.get("target_modules")
    if not isinstance(named, list) or not named:
        from safetensors import safe_open

        keys: list[str] = []
        for file in sorted(weights.glob("adapter_model*.safetensors")):
            with safe_open(file, framework="numpy") as tensors:
                keys += list(tensors.keys())
        named = [key.partition(".lora_")[0].rpartition(".")[2] for key in keys if ".lora_" in key]
    if has_exaone_names(weights):
        named = [to_llama(name) for name in named]  # the names under which it is trained
    return tuple(sorted(set(map(str, named))))
