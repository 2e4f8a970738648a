from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.documents.chunks import chunks
from dadeum.documents.document import Block, Document, Page, markdown
from dadeum.documents.texts import read_text
from tests.documents.make import SENTENCES


def words(text: str) -> int:
    """A simple count of tokens: four letters are one."""
    return -(-len(text) // 4)


def paged(*pages: list[Block]) -> Document:
    return Document("문서-12345678", "문서.pdf", tuple(Page(n, "text", tuple(b)) for n, b in enumerate(pages, 1)))


def tight(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_sentences_stay_whole_and_overlap():
    made = chunks(paged([Block(" ".join(SENTENCES))]), words, size_tokens=32, overlap_tokens=16)
    assert len(made) > 2
    assert all(chunk.num_tokens <= 32 and chunk.text.endswith("다.") and not chunk.is_cut for chunk in made)
    assert all(words(chunk.text[: chunk.repeated]) <= 17 for chunk in made)
    overlapping = [chunk for chunk in made if chunk.repeated]
    assert overlapping
    for before, chunk in pairwise(made):
        assert before.text.endswith(chunk.text[: chunk.repeated].rstrip())


def test_ids_name_document_page_and_place_and_stay():
    document = paged([Block(SENTENCES[0])], [Block(SENTENCES[1])], [Block(SENTENCES[2])])
    made = chunks(document, words, size_tokens=20, overlap_tokens=0)
    assert [chunk.id.rsplit("-", 1)[0] for chunk in made] == [f"문서-12345678#p{n}-{n:03d}" for n in (1, 2, 3)]
    assert made == chunks(document, words, size_tokens=20, overlap_tokens=0)
    changed = paged([Block(SENTENCES[3])], [Block(SENTENCES[1])], [Block(SENTENCES[2])])
    others = chunks(changed, words, size_tokens=20, overlap_tokens=0)
    assert [one.id == other.id for one, other in zip(made, others, strict=True)] == [False, True, True]


def test_a_sentence_over_two_pages_is_whole_and_names_both():
    first, second = SENTENCES[0][:30], SENTENCES[0][30:]
    joint = " " if first.endswith(" ") or second.startswith(" ") else ""
    document = paged([Block(first.strip())], [Block(second.strip(), joint=joint), Block(SENTENCES[1])])
    whole, after = chunks(document, words, size_tokens=20, overlap_tokens=0)
    assert (whole.text, whole.first_page, whole.last_page) == (SENTENCES[0], 1, 2)
    assert (after.first_page, after.last_page) == (2, 2)


def test_a_table_that_fits_is_one_chunk_and_a_longer_one_repeats_its_header():
    rows = (("구분", "시간"), *((f"{n}월", f"{n + 8}:00") for n in range(1, 13)))
    table = Block(markdown(rows), rows)
    assert [chunk.text for chunk in chunks(paged([table]), words, size_tokens=100)] == [table.text]
    made = chunks(paged([table]), words, size_tokens=24, overlap_tokens=8)
    assert len(made) > 2
    for chunk in made:
        assert chunk.text.startswith("| 구분 | 시간 |\n| --- | --- |\n") and chunk.num_tokens <= 24
    assert tight("".join(chunk.text[chunk.repeated :] for chunk in made)) == tight(table.text)


def test_a_sentence_that_is_too_long_is_cut_at_a_clause_and_marked():
    clause = "회사는 보험금을 지급하고, 계약자는 보험료를 납입하며, "
    made = chunks(paged([Block(clause * 8 + "서로 돕습니다.")]), words, size_tokens=20, overlap_tokens=4)
    assert len(made) > 3 and all(chunk.is_cut for chunk in made)
    assert all(chunk.text.endswith((",", "다.")) for chunk in made)


def test_a_title_stands_with_what_follows():
    document = paged([Block(SENTENCES[0]), Block("제2조 보험금의 지급"), Block(SENTENCES[1])])
    first, second = chunks(document, words, size_tokens=24, overlap_tokens=0)
    assert first.text == SENTENCES[0]
    assert second.text.startswith("제2조 보험금의 지급\n\n계약자는")


def test_an_empty_document_has_no_chunks_and_impossible_sizes_are_refused():
    assert chunks(paged([]), words) == []
    for size, overlap in ((8, 0), (64, 40), (64, -1)):
        with pytest.raises(DataError) as caught:
            chunks(paged([Block("글")]), words, size, overlap)
        assert caught.value.key == "documents.chunk_size"


def test_a_markdown_file_keeps_its_tables(tmp_path):
    path = tmp_path / "문서.md"
    path.write_text("# 제목\n\n설명입니다.\n| 가 | 나 |\n|---|---|\n| 1 | 2 |\n뒤의 글.\n", encoding="utf-8")
    [document] = read_text(path)
    assert [block.is_table for block in document.pages[0].blocks] == [False, False, True, False]
    assert document.pages[0].tables[0].rows == (("가", "나"), ("1", "2"))


LETTERS = "가나다라하고는을를습니다요 .,?!\n\t()1a一ㅋ|é🙂"
PARAGRAPHS = st.text(alphabet=LETTERS, min_size=1, max_size=160).filter(str.strip)
CELLS = st.text(alphabet="가나다 1|", max_size=12)


@st.composite
def tables(draw) -> Block:
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.tuples(*[CELLS] * width), min_size=2, max_size=6))
    return Block(markdown(rows), tuple(rows))


@st.composite
def documents(draw) -> Document:
    pages = []
    for number in range(draw(st.integers(1, 3))):
        blocks = draw(st.lists(st.one_of(PARAGRAPHS.map(Block), tables()), max_size=4))
        if number and blocks and not blocks[0].is_table and draw(st.booleans()):
            blocks[0] = Block(blocks[0].text, joint=draw(st.sampled_from([" ", ""])))
        pages.append(blocks)
    return paged(*pages)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.integers(16, 80), st.sampled_from([len, words]), st.floats(0, 0.5))
def test_nothing_is_lost_nothing_is_too_long_and_no_id_comes_twice(document, size, count, overlap):
    made = chunks(document, count, size, int(size * overlap))
    assert tight("".join(chunk.text[chunk.repeated :] for chunk in made)) == tight(document.text)
    assert all(count(chunk.text) == chunk.num_tokens <= size for chunk in made)
    assert len({chunk.id for chunk in made}) == len(made)
    pages = [chunk.first_page for chunk in made]
    assert pages == sorted(pages)
    assert all(1 <= chunk.first_page <= chunk.last_page <= len(document.pages) for chunk in made)
    assert all(chunk.text[chunk.repeated :].strip() for chunk in made)
