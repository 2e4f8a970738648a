"""What a model card says of one task alone: how it is to be asked, and how it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.stages import Seq2Seq
from dadeum.core.task import Answer, Retrieve, Summarize
from dadeum.models.embed import text_limit
from dadeum.tasks import summarize

Say = Callable[..., str]


def is_encoder_decoder(recipe: Recipe) -> bool:
    return any(isinstance(stage, Seq2Seq) for stage in recipe.stages)


def task_block(recipe: Recipe, run: Run, say: Say) -> list[str]:
    """What one needs to ask the model as it was taught: labels, instruction, prefixes."""
    task = recipe.task
    if isinstance(task, Summarize):
        return _summary_block(recipe, task, say)
    if isinstance(task, Retrieve):
        return _retrieve_block(recipe, run, task, say)
    if isinstance(task, Answer):
        return _answer_block(task, say)
    blocks = []
    if task.type == "decide":
        blocks.append(say("export.card.labels", labels=", ".join(f"`{label}`" for label in task.labels)))
    if task.instruction:
        blocks.append(say("export.card.instruction") + "\n\n" + fenced(task.instruction))
    return blocks


def _retrieve_block(recipe: Recipe, run: Run, task: Retrieve, say: Say) -> list[str]:
    weights = run.adapter_folder(recipe)
    # From what was trained: a card must not need the hub, nor the base that may be gone from there.
    limit = task.max_seq_length or (text_limit(str(weights)) if weights.is_dir() else None)
    prefixes = "export.retrieve.prefixes" if task.query_prefix or task.chunk_prefix else "export.retrieve.no_prefixes"
    said = [say(prefixes, query=task.query_prefix, chunk=task.chunk_prefix)]
    if limit:
        said.append(say("export.retrieve.limit", limit=limit))
    sizes = sorted({size for stage in recipe.stages for size in getattr(stage, "matryoshka", ())})
    if sizes:
        said.append(say("export.retrieve.matryoshka", sizes=", ".join(map(str, sizes))))
    return ["\n".join(line.strip("\n") for line in said)]


def _answer_block(task: Answer, say: Say) -> list[str]:
    """The prompt with its slots, the refusal word for word, and what the numbers at the end of an answer mean."""
    blocks = [say("export.retrieve.answer_prompt") + "\n\n" + fenced(task.instruction)]
    if task.system:
        blocks.append(say("export.card.instruction") + "\n\n" + fenced(task.system))
    cites = "export.retrieve.citations" if task.citations else "export.retrieve.no_citations"
    said = [say("export.retrieve.shown", chunks=task.chunks), say(cites)]
    said.append(say("export.retrieve.refusal", refusal=task.refusal))
    return [*blocks, "\n".join(line.strip("\n") for line in said)]


def _summary_block(recipe: Recipe, task: Summarize, say: Say) -> list[str]:
    """The whole prompt with `...` for the dialogue: where the instruction stands is part of how it was taught."""
    turns = summarize.prompt(task, "...", recipe.render.format)
    if is_encoder_decoder(recipe):
        return [say("export.card.prompt") + "\n\n" + fenced(summarize.source_text(turns))]
    shown = "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in turns)
    return [say("export.card.prompt") + "\n\n" + fenced(shown)]


def fenced(content: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", content)), default=0))
    return f"{fence}text\n{content}\n{fence}"


def retrieve_loading(task: Retrieve, name: str, say: Say) -> list[str]:
    """With sentence-transformers, and as an index of ours."""
    return [say("export.retrieve.load", name=name, query=repr(task.query_prefix), chunk=repr(task.chunk_prefix))]
