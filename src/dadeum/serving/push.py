"""push(recipe, run): an export on the hub, private unless said otherwise, with a card that hides nothing.

What may not go up is refused before anything is sent: no token, a name the base's licence forbids, failed gates,
blocking findings, an adapter whose base nobody else has, paths of this machine. Run again after a failure: the hub
is asked what it has, and only the rest is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import ExportError
from dadeum.core.findings import read_findings
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, now, read_json, write_text
from dadeum.core.task import Retrieve
from dadeum.models.licences import licence_of
from dadeum.serving import hub
from dadeum.serving.card import model_card, public_base
from dadeum.serving.export import current_export, export, export_name

PUBLISHED = (
    "README.md", "*.safetensors", "*.safetensors.index.json", "*.gguf", "Modelfile", "config.json",
    "adapter_config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja",
    "LICENSE*", "NOTICE*", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
    "*/config.json", "*/model.safetensors",
)  # fmt: skip
"""A list of what goes up, not of what stays: no row, log or pickle that comes to lie in the folder is published."""
_TEXTS = (".json", ".md", ".jinja", ".txt")
_MACHINE_PATH = re.compile(r"(?<![\w:/.])/(?:home|root|Users|work|tmp|mnt|data|var|opt)/[\w./-]+")


@dataclass(frozen=True)
class Pushed:
    """Where it lies now."""

    repo: str
    url: str
    commit: str
    private: bool
    format: str
    size_mb: float


def push(
    recipe: Recipe,
    run: Run,
    repo: str | None = None,
    public: bool = False,
    format: str | None = None,
    force: bool = False,
) -> Pushed:
    """Export where that is still to do, create the repository, upload; `force` passes failed gates and findings."""
    wanted = format or recipe.export.format
    if hub.token() is None:
        raise ExportError("push.no_token", endpoint=hub.endpoint())
    _refuse_unloadable(recipe, wanted)
    if not force:
        _refuse_bad_figures(recipe, run)
        _refuse_bad_data(run)
    named = _repo_name(recipe, repo)
    folder = current_export(recipe, run, wanted) or export(recipe, run, wanted).folder
    # Scores may be newer than the export, and people load it by the repository's name.
    write_text(folder / "README.md", model_card(recipe, run, named, wanted))
    _refuse_machine_paths(folder)
    private = _create(named, public)
    info = _upload(named, folder, recipe)
    size = sum(file.stat().st_size for file in published_files(folder)) / 2**20
    pushed = Pushed(named, f"{hub.endpoint()}/{named}", str(info.oid), private, wanted, round(size, 1))
    run.record("pushes", [*run.manifest().get("pushes", []), asdict(pushed) | {"time": now()}])
    run.event("pushed", repo=named, commit=pushed.commit, private=private)
    return pushed


def published_files(folder: Path) -> Iterator[Path]:
    """What of an export goes up."""
    found = {file for pattern in PUBLISHED for file in folder.glob(pattern) if file.is_file()}
    yield from sorted(found)


# -- what is refused ----------------------------------------------------------------------------
def _refuse_unloadable(recipe: Recipe, format: str) -> None:
    base = public_base(recipe.model.base)
    if format == "adapter" and Path(base).exists() and not isinstance(recipe.task, Retrieve):
        raise ExportError("push.local_base", base=Path(base).name)


def _refuse_bad_figures(recipe: Recipe, run: Run) -> None:
    if not recipe.evaluate.gates:
        return
    if not run.scores_path.exists():
        raise ExportError("push.gates_unjudged", gates=", ".join(recipe.evaluate.gates), folder=run.folder)
    failed = [gate for gate in read_json(run.scores_path).get("gates", []) if not gate["passed"]]
    if failed:
        said = ", ".join(f"{gate['metric']} {gate['condition']} ({_shown(gate['value'])})" for gate in failed)
        raise ExportError("push.gates_failed", gates=said)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _refuse_bad_data(run: Run) -> None:
    if not run.findings_path.exists():
        return
    blocking = [found for found in read_findings(run.findings_path) if found.severity == "block"]
    if blocking:
        said = ", ".join(f"{found.code} {found.name} ({found.count:,})" for found in blocking)
        raise ExportError("push.blocking", findings=said)


def _refuse_machine_paths(folder: Path) -> None:
    for file in published_files(folder):
        # A vocabulary may hold anything that looks like a path; nobody wrote this machine's into it.
        if file.suffix in _TEXTS and file.name not in ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt"):
            found = _MACHINE_PATH.search(file.read_text(encoding="utf-8"))
            if found:
                raise ExportError("push.machine_path", file=file.name, path=found.group())


# -- the repository -----------------------------------------------------------------------------
def _repo_name(recipe: Recipe, repo: str | None) -> str:
    """`owner/name`: what was asked, the recipe's, or the export's name under the token's owner."""
    named = repo or recipe.export.repo or export_name(recipe)
    licence = licence_of(recipe.model.base)
    last = named.rpartition("/")[2]
    if licence and licence.required_prefix and not last.startswith(licence.required_prefix):
        example = f"{named.rpartition('/')[0] or 'owner'}/{licence.required_prefix}-{last}"
        prefix = licence.required_prefix
        raise ExportError("push.name_prefix", repo=named, prefix=prefix, licence=licence.name, example=example)
    if "/" in named:
        return named
    with hub.explained(named):
        return f"{hub.client().whoami()['name']}/{named}"


def _create(repo: str, public: bool) -> bool:
    """Make the repository where there is none; True when it is private. A public one must be asked for."""
    api = hub.client()
    with hub.explained(repo):
        existing = api.model_info(repo) if api.repo_exists(repo) else None
        if existing is None:
            api.create_repo(repo, private=not public, exist_ok=True)
            existing = api.model_info(repo)
    if not existing.private and not public:
        raise ExportError("push.is_public", repo=repo)
    return bool(existing.private)


def _upload(repo: str, folder: Path, recipe: Recipe) -> Any:
    """One resumable upload: unchanged files are recognised by their hash, large ones by what the store already has."""
    with hub.explained(repo):
        try:
            return hub.client().upload_folder(
                repo_id=repo,
                folder_path=folder,
                allow_patterns=[file.relative_to(folder).as_posix() for file in published_files(folder)],
                commit_message=f"{recipe.name}, pushed with dadeum",
            )
        except (RuntimeError, ValueError) as problem:
            # The store's own errors have no class in common; those of the hub are OSErrors and go on to `explained`.
            detail = hub.without_token(_cause(problem))
            raise ExportError("push.upload_failed", repo=repo, detail=detail) from None


def _cause(problem: BaseException) -> BaseException:
    """What lies under the client's `Error while uploading ...`."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return problem
