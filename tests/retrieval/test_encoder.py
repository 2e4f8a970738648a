from __future__ import annotations

from pathlib import Path

import numpy as np

from dadeum.models.embed import EMBEDDERS
from dadeum.retrieval.encoder import SentenceEncoder, encoder_of
from tests.corpora import RETRIEVE, recipe_on
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


def test_prefixes_and_length_change_vectors_and_revision(tmp_path: Path) -> None:
    folder = save_sentence_model(tmp_path / "model")
    plain = encoder_of(recipe_on(tmp_path, folder, RETRIEVE), None)
    asked = encoder_of(recipe_on(tmp_path, folder, RETRIEVE | {"query_prefix": "query: "}), None)
    chunked = encoder_of(recipe_on(tmp_path, folder, RETRIEVE | {"chunk_prefix": "query: "}), None)
    short = encoder_of(recipe_on(tmp_path, folder, RETRIEVE | {"max_seq_length": 8}), None)
    texts = ["도서관은 어디인가요?", "네"]
    np.testing.assert_allclose(asked.encode_questions(texts), chunked.encode_chunks(texts), atol=1e-6)
    np.testing.assert_array_equal(asked.encode_chunks(texts), plain.encode_chunks(texts))
    assert not np.allclose(asked.encode_questions(texts), plain.encode_questions(texts))
    assert not np.allclose(short.encode_questions(texts[:1]), plain.encode_questions(texts[:1]))
    assert len({encoder.revision for encoder in (plain, asked, chunked, short)}) == 4
    assert plain.revision == SentenceEncoder(str(folder)).revision
    assert plain.name == str(folder)


def test_what_a_stage_saved_is_read_in_place_of_the_base(tmp_path: Path) -> None:
    folder = save_sentence_model(tmp_path / "model")
    recipe = recipe_on(tmp_path, "nobody/nothing", RETRIEVE)
    tuned = encoder_of(recipe, folder)
    assert tuned.encode_questions(["네"]).shape == (1, 16)
    assert tuned.revision.startswith("sha256:")
