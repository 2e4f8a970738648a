"""What would stop an export, found before the training: a format that this base cannot take costs seconds here.

Reads the base's configuration and tokenizer, no weights. `plan` shows these beside its other problems.
"""

from __future__ import annotations

from collections.abc import Callable

from dadeum.core.errors import DadeumError, ExportError
from dadeum.core.recipe import QLora, Recipe
from dadeum.models.fresh import is_fresh
from dadeum.models.load import is_seq2seq, load_config, load_tokenizer
from dadeum.serving.export import export_name


def export_problems(recipe: Recipe) -> list[DadeumError]:
    """One error for everything that `export` would refuse; empty when nothing stands against it."""
    found: list[DadeumError] = []
    for check in (_name, _merging, _file, _template):
        _collect(check, recipe, found)
    return found


def _collect(check: Callable[[Recipe], object], recipe: Recipe, found: list[DadeumError]) -> None:
    try:
        check(recipe)
    except DadeumError as problem:
        found.append(problem)


def _name(recipe: Recipe) -> None:
    export_name(recipe)


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
