"""An embedding model leaves as one folder that sentence-transformers loads, whatever was trained in it.

A stage saves the whole model (a low-rank update is in its weights), so `adapter` and `merged` are the same. The folder
is loaded by its name alone, as its users do, and must give the vectors that were judged.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from dadeum.core.errors import ExportError
from dadeum.core.examples import read_examples
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.core.task import Retrieve
from dadeum.documents.stored import read_chunks
from dadeum.models.precision import prepare_cpu
from dadeum.retrieval.encoder import encoder_of
from dadeum.tasks.retrieve import chunk_text, query_text

_PROBES = 16
_TOLERANCE = 1e-4
"""Largest allowed difference of a number in a unit vector: the same weights, read twice."""


def refuse_files_of_embedders(format: str) -> None:
    """llama.cpp's embeddings differ by pooling and tokenizer; none was ever compared with ours."""
    if format in ("gguf", "ollama"):
        raise ExportError("export.retrieve.no_file", format=format)


def write_embedder(recipe: Recipe, run: Run, weights: Path, folder: Path) -> float:
    """Copy the folder and load it again; the largest difference of a number in a vector."""
    task = recipe.task
    assert isinstance(task, Retrieve)
    shutil.copytree(weights, folder)
    questions, chunks = _probes(run)
    ours = encoder_of(recipe, weights)
    expected = np.concatenate([ours.encode_questions(questions), ours.encode_chunks(chunks)])
    texts = [*(query_text(task, one) for one in questions), *(chunk_text(task, one) for one in chunks)]
    difference = float(np.abs(expected - _read_again(folder, texts)).max())
    if not difference <= _TOLERANCE:
        raise ExportError("export.retrieve.differs", difference=f"{difference:.3g}", limit=_TOLERANCE)
    return difference


def _probes(run: Run) -> tuple[list[str], list[str]]:
    """Test questions and the longest chunks: what is read of a long text is a setting that must travel too."""
    questions = [row.text for row in read_examples(run.require(run.split_path("test"), "data build"))]
    texts = sorted((chunk.text for chunk in read_chunks(run.split_path("chunks"))), key=len)
    return questions[:_PROBES], texts[-_PROBES:]


def _read_again(folder: Path, texts: list[str]) -> np.ndarray:
    prepare_cpu()
    import torch
    from sentence_transformers import SentenceTransformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = SentenceTransformer(str(folder), device=device, trust_remote_code=False)
    found = model.encode(texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
    return np.asarray(found, dtype=np.float32)
