"""What would stop an export, found before the training: a format that this base cannot take costs seconds here.

Reads the base's configuration and tokenizer, no weights. `plan` shows these beside its other problems, and the terms
of the base's licence.
"""

from __future__ import annotations

from collections.abc import Callable

from dadeum.core.errors import DadeumError, ExportError
from dadeum.core.messages import text
from dadeum.core.model import QLora
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.models.fresh import is_fresh
from dadeum.models.licences import licence_of
from dadeum.models.load import is_seq2seq, load_config, load_tokenizer, remote_code_note
from dadeum.serving.embedder import refuse_files_of_embedders
from dadeum.serving.export import export_name


def export_problems(recipe: Recipe) -> list[DadeumError]:
    """One error for everything that `export` would refuse; empty when nothing stands against it."""
    found: list[DadeumError] = []
    for check in (_name, _folder) if isinstance(recipe.task, Retrieve) else (_name, _merging, _file, _template):
        _collect(check, recipe, found)
    return found


def _collect(check: Callable[[Recipe], object], recipe: Recipe, found: list[DadeumError]) -> None:
    try:
        check(recipe)
    except DadeumError as problem:
        found.append(problem)


def _name(recipe: Recipe) -> None:
    export_name(recipe)


def _folder(recipe: Recipe) -> None:
    refuse_files_of_embedders(recipe.export.format)


def _merging(recipe: Recipe) -> None:
    if recipe.export.format != "adapter" and isinstance(recipe.model.adapter, QLora):
        raise ExportError("export.merge_quantised")


def _file(recipe: Recipe) -> None:
    if recipe.export.format not in ("gguf", "ollama"):
        return
    from dadeum.serving.gguf_file import check_architecture
    from dadeum.serving.gguf_vocabulary import read_vocabulary

    if is_fresh(recipe.model) or is_seq2seq(load_config(recipe.model)):
        raise ExportError("export.no_seq2seq_file", base=recipe.model.base, format=recipe.export.format)
    config, tokenizer = load_config(recipe.model), load_tokenizer(recipe.model)
    check_architecture(config, recipe.export.quantization)
    read_vocabulary(tokenizer, max(config.vocab_size, len(tokenizer)), recipe.model.base)


def _template(recipe: Recipe) -> None:
    if recipe.export.format != "ollama" or is_fresh(recipe.model) or is_seq2seq(load_config(recipe.model)):
        return
    from dadeum.serving.ollama import modelfile

    modelfile(recipe, load_tokenizer(recipe.model), "weights.gguf")


def licence_notes(recipe: Recipe) -> list[str]:
    """What the base's terms ask of a tuned model, in sentences."""
    notes = [note] if (note := remote_code_note(recipe.model)) else []
    if is_fresh(recipe.model):
        return [*notes, text("models.seq2seq.fresh")]
    licence = licence_of(recipe.model.base)
    if licence is None:
        return [*notes, text("plan.licence_unknown", base=recipe.model.base)]
    use = text({True: "plan.commercial", False: "plan.non_commercial", None: "plan.depends"}[licence.commercial])
    notes.append(text("plan.licence", base=recipe.model.base, licence=licence.name, use=use, url=licence.url))
    notes += licence.clauses()
    try:
        name = export_name(recipe)
    except DadeumError:  # stands among the problems of the export
        return notes
    if licence.required_prefix:
        notes.append(text("plan.prefix", prefix=licence.required_prefix, name=name))
    return notes
