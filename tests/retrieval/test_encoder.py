from __future__ import annotations

from pathlib import Path

import numpy as np

from dadeum.models.embed import EMBEDDERS
from dadeum.retrieval.encoder import SentenceEncoder
from tests.models.sentence_model import save_sentence_model


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    folder = save_sentence_model(tmp_path / "model")
    encoder = SentenceEncoder(str(folder))
    before = encoder.revision
    told: list[tuple[str, int, int]] = []
    vectors = encoder.encode_chunks(["네", "아니요"], lambda *step: told.append(step))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors, encoder.encode_questions(["네", "아니요"]))
    assert told == [("retrieval.vectors", 2, 2)]
    assert encoder.encode_chunks([]).shape == (0, vectors.shape[1])
    assert SentenceEncoder(str(folder)).revision == before
    weights = next(folder.rglob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert SentenceEncoder(str(folder)).revision != before


def test_a_packaged_model_is_known_by_its_version() -> None:
    assert SentenceEncoder("minilm-l6").revision == EMBEDDERS["minilm-l6"].requirement
