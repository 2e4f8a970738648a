"""Training of embedding models with sentence-transformers: in-batch and mined negatives, judged on the whole corpus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadeum.core.errors import DataError, ModelError
from dadeum.core.model import NoAdapter
from dadeum.core.run import write_text
from dadeum.models.embed import Embedder
from dadeum.models.memory import fenced
from dadeum.tasks.retrieve import chunk_text, query_text
from dadeum.training.arguments import base_arguments
from dadeum.training.contrastive.found import K, Searched
from dadeum.training.contrastive.lessons import Asked, Lessons, read_lessons
from dadeum.training.contrastive.mining import Mined, Row, Vectors, mine
from dadeum.training.stopping import stopping
from dadeum.training.work import Ready, Told, Work, enough_memory

CONFIG = ("sentence_transformers", "SentenceTransformerTrainingArguments")
MRR = f"mrr@{K}"


@contextmanager
def ready(work: Work) -> Iterator[Ready]:
    """DataError for a split without questions, ModelError for what is no embedding model or does not fit."""
    from transformers import set_seed

    from dadeum.training.contrastive.weights import add_lora, save_embedder, trainable_embedder

    lessons = read_lessons(work.run)
    if not lessons.splits["train"]:
        raise DataError("train.no_rows", path=work.run.split_path("train"))
    with fenced():
        with enough_memory(work.stage):
            model = trainable_embedder(work.recipe, work.before)
            _check_dimensions(work, model)
            taught = _taught(work, lessons, model)
            set_seed(work.recipe.seed)  # a new adapter begins the same, whatever was read before
            if not isinstance(work.recipe.model.adapter, NoAdapter):
                add_lora(model, work.recipe.model.adapter)
            trainer = _build(work, lessons, taught, model)

        def told() -> Told:
            figures = _counted(lessons, taught) | _validated(trainer, taught)
            return Told(trainer.tokens_seen, trainer.tokens_computed, figures=figures)

        yield Ready(
            trainer, model.tokenizer, len(trainer.train_dataset), told,
            lambda folder: save_embedder(trainer.model, work.recipe, folder),
        )  # fmt: skip


@dataclass(frozen=True)
class _Taught:
    """The rows of both splits, and where the model stood before."""

    train: Mined
    validation: Mined
    searched: Searched
    mrr_before: float | None
    cut: int
    """Chunks of which the model reads the beginning only."""
    lengths: list[int]
    barred: int


def _check_dimensions(work: Work, model: Any) -> None:
    full = int(model.get_embedding_dimension())
    if wrong := [size for size in work.stage.matryoshka if size > full]:
        raise ModelError("train.contrastive.matryoshka", stage=work.stage.name, asked=max(wrong), full=full)


def _taught(work: Work, lessons: Lessons, model: Any) -> _Taught:
    """Negatives of every question, found with the model as it is; writes `negatives.jsonl`."""
    stage, splits = work.stage, lessons.splits
    ids = model.tokenizer([chunk.text for chunk in lessons.chunks], truncation=False, verbose=False)["input_ids"]
    limit = model.max_seq_length
    lengths = [min(len(one), limit) if limit else len(one) for one in ids]
    encode = _encode(work, lessons, model)
    searched = Searched.of(splits["validation"], len(lessons.chunks), work.recipe.seed)
    needed = np.arange(len(lessons.chunks)) if stage.negatives.number else searched.places
    chunks = np.zeros((len(lessons.chunks), int(model.get_embedding_dimension())), dtype=np.float32)
    if stage.negatives.number or splits["validation"]:
        chunks[needed] = encode.chunks(needed.tolist())
    mined, before = {}, None
    for split in ("train", "validation"):
        vectors = Vectors(encode.questions(splits[split] if stage.negatives.number or split != "train" else []), chunks)
        barred = lessons.barred(split)
        mined[split] = mine(splits[split], lessons.chunks, barred, vectors, stage.negatives, work.progress)
        if split == "validation" and splits[split]:
            before = searched.mrr(vectors.questions, chunks[searched.places])
    _write(work, lessons, [row for one in mined.values() for row in one.rows])
    cut = sum(len(one) > limit for one in ids) if limit else 0
    return _Taught(mined["train"], mined["validation"], searched, before, cut, lengths, len(lessons.barred("train")))


@dataclass(frozen=True)
class _Encode:
    questions: Callable[[Sequence[Asked]], np.ndarray]
    chunks: Callable[[list[int]], np.ndarray]


def _encode(work: Work, lessons: Lessons, model: Any) -> _Encode:
    """Vectors by the model as it stands at that moment; nothing is remembered, since it changes."""
    task: Any = work.recipe.task

    def read(texts: list[str]) -> np.ndarray:
        return Embedder(model, None, remembered=0).encode(texts)

    return _Encode(
        questions=lambda asked: read([query_text(task, one.text) for one in asked]),
        chunks=lambda places: read([chunk_text(task, lessons.chunks[at].text) for at in places]),
    )


def _write(work: Work, lessons: Lessons, rows: list[Row]) -> None:
    """Every row with its gold chunk and what was taken against it, to be looked at."""

    def line(row: Row) -> str:
        found = [lessons.chunks[at].id for at in (row.gold, *row.negatives)]
        said = {"id": row.asked.id, "question": row.asked.text, "positive": found[0], "negatives": found[1:]}
        return json.dumps(said, ensure_ascii=False) + "\n"

    write_text(work.folder / "negatives.jsonl", "".join(map(line, rows)))


def _build(work: Work, lessons: Lessons, taught: _Taught, model: Any) -> Any:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments

    from dadeum.training.contrastive.batches import Collate, Texts, numbered
    from dadeum.training.contrastive.losses import EmbeddingLoss
    from dadeum.training.contrastive.trainer import EmbeddingTrainer

    stage, task = work.stage, work.recipe.task
    asked = lessons.splits["train"] + lessons.splits["validation"]
    numbers = {one.id: number for number, one in enumerate(asked)}
    texts = Texts(
        [query_text(task, one.text) for one in asked],  # type: ignore[arg-type]
        [chunk_text(task, chunk.text) for chunk in lessons.chunks],  # type: ignore[arg-type]
    )
    train, validation = (numbered(one.rows, numbers, stage) for one in (taught.train, taught.validation))
    has_validation = bool(validation["question"])
    ours = base_arguments(work, len(train["question"]), has_validation) | {
        # The reentrant kind finds no gradient behind frozen embeddings.
        "activation_checkpointing_kwargs": {"use_reentrant": False} if stage.gradient_checkpointing else None,
    }
    trainer = EmbeddingTrainer(
        chunk_lengths=taught.lengths,
        model=model,
        args=SentenceTransformerTrainingArguments(**(ours | stage.trainer_args)),
        train_dataset=Dataset.from_dict(train),
        eval_dataset=Dataset.from_dict(validation) if has_validation else None,
        data_collator=Collate(texts, model.preprocess, stage.loss != "mnr"),
        loss=EmbeddingLoss(model, stage, [one.right for one in asked]),
        callbacks=stopping(stage, has_validation),
    )
    trainer.validate = _measure(work, lessons, taught, model) if has_validation else None
    return trainer


def _measure(work: Work, lessons: Lessons, taught: _Taught, model: Any) -> Callable[[], dict[str, float]]:
    encode, searched = _encode(work, lessons, model), taught.searched
    places = searched.places.tolist()
    return lambda: {MRR: searched.mrr(encode.questions(searched.asked), encode.chunks(places))}


def _counted(lessons: Lessons, taught: _Taught) -> dict[str, float]:
    """What was made of the questions, and what was left out."""
    counts = {name: taught.train.counts[name] for name in ("by_words", "by_model", "alike", "similar", "short")}
    mined = {f"negatives_{name}": number for name, number in counts.items()}
    questions = {
        "questions": len(lessons.splits["train"]),
        "pairs": len(taught.train.rows),
        "chunks": len(lessons.chunks),
        "chunks_cut": taught.cut,
        "chunks_held_out": taught.barred,
    }
    return {name: float(number) for name, number in (questions | lessons.counts | mined).items()}


def _validated(trainer: Any, taught: _Taught) -> dict[str, float]:
    """MRR before the stage and of the weights that were kept."""
    if taught.mrr_before is None:
        return {}
    name, best = f"eval_{MRR}", trainer.state.best_global_step
    logged = {entry["step"]: entry[name] for entry in trainer.state.log_history if name in entry}
    kept = logged.get(best, list(logged.values())[-1] if logged else None)
    found = {f"{MRR}_before": taught.mrr_before, "mrr_questions": float(len(taught.searched.asked))}
    found |= {"mrr_chunks": float(len(taught.searched.places))}
    return {key: round(value, 6) for key, value in (found | ({MRR: kept} if kept is not None else {})).items()}
