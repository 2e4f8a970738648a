from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from dadeum.core.errors import DadeumError, DataError, ModelError, RunError
from dadeum.retrieval import stored
from dadeum.retrieval.index import Index
from dadeum.retrieval.places import create_index, is_database, open_index
from tests.retrieval.small import TEXTS, FakeEncoder, chunks_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    index = Index.create(tmp_path / "index", FakeEncoder())
    for document in TEXTS:
        index.add(chunks_of(document))
    index.save()
    return tmp_path / "index"


def test_a_saved_index_finds_by_words_by_meaning_and_by_both(folder: Path) -> None:
    index = open_index(folder, FakeEncoder())
    assert len(index) == 5
    assert index.documents() == {"주거": 2, "건강": 3}
    [[first, *_]] = index.search(["청년의 월세는 누가 신청하나요?"], k=3, by="words")
    assert (first.chunk, first.document, first.first_page) == ("주거#p1", "주거", 1)
    assert first.text == TEXTS["주거"][0]
    question = TEXTS["건강"][1]  # the fake encoder knows only equal texts
    [[same, *others]] = index.search([question], k=5, by="meaning")
    assert (same.chunk, same.score) == ("건강#p2", pytest.approx(1))
    assert len(others) == 4
    [[both, *_]] = index.search([question], by="both")
    assert (both.chunk, both.score) == ("건강#p2", pytest.approx(2 / 61))
    assert index.search([]) == []
    index.close()


def test_meaning_counts_by_default_only_with_a_weight_that_was_chosen(folder: Path) -> None:
    index, question = Index.open(folder, FakeEncoder()), ["월세"]
    assert index.search(question) == index.search(question, by="words")
    index.meaning_weight = 0.3
    index.save()
    again = Index.open(folder, FakeEncoder())
    assert again.search(question) == again.search(question, by="both") != again.search(question, by="words")
    assert again.search(question)[0][0].score < 1.3 / 61 + 1e-6
    assert Index.open(folder).search(question) == again.search(question, by="words")  # no model at hand


def test_only_new_chunks_are_encoded_and_the_result_is_that_of_an_index_made_at_once(folder: Path) -> None:
    encoder = FakeEncoder()
    index = Index.open(folder, encoder)
    index.add(chunks_of("교육", ["국가 장학금은 대학생이 신청합니다."]))
    assert index.remove(["주거"]) == 2
    assert encoder.read == ["국가 장학금은 대학생이 신청합니다."]
    index.save()
    fresh = Index.create(folder.parent / "fresh", FakeEncoder())
    fresh.add(chunks_of("건강"))
    fresh.add(chunks_of("교육", ["국가 장학금은 대학생이 신청합니다."]))
    questions = ["장학금 신청", "월세", "건강검진은 언제?"]
    for by in ("words", "meaning", "both"):
        again = Index.open(folder, FakeEncoder()).search(questions, by=by)  # type: ignore[arg-type]
        assert again == fresh.search(questions, by=by)  # type: ignore[arg-type]
    assert sorted(path.name for path in folder.iterdir() if path.suffix in (".npy", ".parquet")) == [
        "chunks-2.parquet", "vectors-2.npy"
    ]  # fmt: skip


def test_an_index_can_be_emptied_and_filled_again(folder: Path) -> None:
    index = Index.open(folder, FakeEncoder())
    index.remove(list(TEXTS))
    index.save()
    empty = Index.open(folder, FakeEncoder())
    assert (len(empty), empty.search(["월세"])) == (0, [[]])
    empty.add(chunks_of("주거"))
    empty.save()
    assert Index.open(folder, FakeEncoder()).search(["월세"], k=1, by="words")[0][0].chunk == "주거#p1"


def test_without_a_model_words_are_searched(tmp_path: Path) -> None:
    index = create_index(tmp_path / "words")
    index.add(chunks_of("주거"))
    index.save()
    opened = open_index(tmp_path / "words")
    assert opened.search(["전세 금리"], k=1)[0][0].chunk == "주거#p2"
    with pytest.raises(ModelError, match="meaning"):
        opened.search(["전세"], by="meaning")
    with pytest.raises(ModelError, match="fake"):
        open_index(tmp_path / "words", FakeEncoder())


@pytest.mark.parametrize("wrong", [FakeEncoder(name="other"), FakeEncoder(revision="2")])
def test_another_model_is_refused(folder: Path, wrong: FakeEncoder) -> None:
    with pytest.raises(ModelError) as caught:
        Index.open(folder, wrong)
    assert "fake (1)" in str(caught.value)
    assert f"{wrong.name} ({wrong.revision})" in str(caught.value)


def test_what_others_made_needs_its_model_to_grow_but_not_to_shrink(folder: Path) -> None:
    index = Index.open(folder)
    with pytest.raises(ModelError, match="fake"):
        index.add(chunks_of("새", ["글"]))
    index.remove(["주거"])
    index.save()
    assert len(Index.open(folder, FakeEncoder())) == 3


def test_ids_are_there_once_and_documents_that_are_not_there_are_named(folder: Path) -> None:
    index = Index.open(folder, FakeEncoder())
    with pytest.raises(DataError, match="주거#p1"):
        index.add(chunks_of("주거"))
    with pytest.raises(DataError, match="새#p1"):
        index.add(chunks_of("새", ["글"]) * 2)
    with pytest.raises(DataError, match="없는 문서"):
        index.remove(["주거", "없는 문서"])
    with pytest.raises(DataError, match="0"):
        index.search(["월세"], k=0)
    assert len(index) == 5


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def _vector(self, text: str) -> np.ndarray:
            return np.full(4, np.nan if "월세" in text else 0.5, dtype=np.float32)

    with pytest.raises(ModelError, match="월세"):
        Index.create(tmp_path, Broken()).add(chunks_of("주거"))


# -- on disk ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["chunks-1.parquet", "vectors-1.npy"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_file_is_named(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-7])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(RunError, match=name):
        Index.open(folder)


@pytest.mark.parametrize("content", ['{"format": 1', '{"format": 99}', "[]"])
def test_a_damaged_or_newer_head_is_told(folder: Path, content: str) -> None:
    (folder / "index.json").write_text(content)
    with pytest.raises(RunError, match=r"index\.json"):
        Index.open(folder)


def test_no_index_and_one_that_exists(folder: Path) -> None:
    with pytest.raises(RunError, match="nothing"):
        Index.open(folder / "nothing")
    with pytest.raises(RunError, match="index"):
        Index.create(folder)


def test_two_writers_do_not_overwrite_each_other(folder: Path) -> None:
    first, second = Index.open(folder, FakeEncoder()), Index.open(folder, FakeEncoder())
    first.remove(["주거"])
    first.save()
    second.remove(["건강"])
    with pytest.raises(RunError):
        second.save()
    assert Index.open(folder).documents() == {"건강": 3}
    first.add(chunks_of("주거"))
    first.save()  # who saved last may go on


def test_a_writer_that_dies_leaves_the_old_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    index = Index.open(folder, FakeEncoder())
    index.remove(["주거"])
    monkeypatch.setattr(stored, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        index.save()
    assert len(Index.open(folder)) == 5
    monkeypatch.undo()
    index.save()
    assert len(Index.open(folder)) == 3


def test_readers_see_the_old_or_the_new_index_while_a_writer_saves(folder: Path) -> None:
    writer = threading.Thread(target=save_often, args=(folder,))
    seen: set[int] = set()
    wrong: list[DadeumError] = []

    def read() -> None:
        while writer.is_alive():
            try:
                index = Index.open(folder, FakeEncoder())
            except DadeumError as error:
                wrong.append(error)
                return
            assert len(index) == sum(index.documents().values()) == len(index.search(["가"], 9, "meaning")[0])
            seen.add(len(index))

    writer.start()
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in [*readers, writer]:
        reader.join(60)
    assert stored.read_head(folder).generation == 31
    assert [error.key for error in wrong if error.key != "retrieval.always_changing"] == []
    assert seen <= {2, 5}
    assert seen


def save_often(folder: Path) -> None:
    index = Index.open(folder, FakeEncoder())
    for _ in range(15):
        index.remove(["건강"])
        index.save()
        index.add(chunks_of("건강"))
        index.save()


def test_an_open_index_outlives_the_files_it_maps(folder: Path) -> None:
    reader = Index.open(folder, FakeEncoder())
    before = reader.search(["월세"])
    writer = Index.open(folder, FakeEncoder())
    writer.remove(["주거"])
    writer.save()
    assert reader.search(["월세"]) == before


def test_words_of_another_analyser_are_read_again_only_when_asked(folder: Path) -> None:
    head = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(head | {"words": "analyser:kiwi-0.1"}))
    with pytest.raises(RunError, match=r"kiwi-0\.1"):
        Index.open(folder)
    encoder = FakeEncoder()
    index = Index.open(folder, encoder, reread=True)
    index.save()
    assert encoder.read == []
    assert Index.open(folder).search(["월세"], k=1)[0][0].chunk == "주거#p1"


def test_a_url_is_a_database_and_anything_else_a_folder() -> None:
    assert is_database("postgresql://user@host/db")
    assert not is_database("runs/index")
    assert not is_database(Path("index"))


# -- what an index remembers --------------------------------------------------------------------
def test_how_it_is_searched_and_made_is_kept(folder: Path) -> None:
    index = Index.open(folder, FakeEncoder())
    index.meaning_weight, index.method, index.settings = 0.5, "scores", {"by": "meaning", "made": {"size": 256}}
    index.save()
    again = Index.open(folder, FakeEncoder())
    assert (again.method, again.settings, again.preferred) == ("scores", index.settings, "meaning")
    question = [TEXTS["건강"][1]]
    assert again.search(question) == again.search(question, by="meaning")
    assert Index.open(folder).way() == "words"  # no model at hand
    facts = Index.open(folder).facts()
    assert (facts.num_chunks, facts.model, facts.dimensions, facts.fusion.method) == (5, "fake", 16, "scores")
    assert facts.num_bytes == sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".lock")


def test_words_and_meaning_are_put_together_by_the_method_that_was_chosen(folder: Path) -> None:
    index, question = Index.open(folder, FakeEncoder()), ["월세 지원"]
    by_ranks = index.search(question, by="both")
    index.method = "scores"
    assert index.search(question, by="both") != by_ranks


def test_ids_of_chosen_documents(folder: Path) -> None:
    found = Index.open(folder).chunk_ids({"주거", "없음"})
    assert found == {"주거": ["주거#p1", "주거#p2"]}


def test_check_finds_what_a_hash_cannot(tmp_path: Path) -> None:
    class TooLong(FakeEncoder):
        def _vector(self, text: str) -> np.ndarray:
            return super()._vector(text) * (3 if "전세" in text else 1)

    index = Index.create(tmp_path / "index", TooLong())
    index.add(chunks_of("주거"))
    index.save()
    with pytest.raises(ModelError, match="1개"):
        index.check()


def test_check_reads_every_byte_that_a_quick_opening_leaves_alone(folder: Path) -> None:
    path = folder / "vectors-1.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    opened = open_index(folder, None, verify=False)
    with pytest.raises(RunError, match=r"vectors-1\.npy"):
        opened.check()


def test_the_same_model_in_another_folder_is_the_same_model(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", FakeEncoder("/old/model", "sha256:abc"))
    index.add(chunks_of("주거"))
    index.save()
    Index.open(tmp_path / "index", FakeEncoder("/new/model", "sha256:abc"))
    with pytest.raises(ModelError, match="sha256:other"):
        Index.open(tmp_path / "index", FakeEncoder("/old/model", "sha256:other"))
