"""The shipped documents and questions: what the generator makes, supported by the texts, and hard enough."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dadeum.core.korean_quantities import quantities, values
from dadeum.data.corpus import Given
from dadeum.data.doctor import check_files
from dadeum.documents.document import Document
from dadeum.documents.texts import read_documents
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.words import content_words

ROOT = Path(__file__).parents[2]
DATA = ROOT / "src/dadeum/recipes/data"
Row = dict[str, Any]


def load_generator() -> ModuleType:
    """`benchmarks/make_demo_documents.py`, which is a script and not part of the package."""
    pytest.importorskip("reportlab", reason="the generator writes its PDF with reportlab")
    spec = importlib.util.spec_from_file_location("make_demo_documents", ROOT / "benchmarks/make_demo_documents.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    lines = (DATA / "demo_questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return list(read_documents(DATA / "demo_documents"))


@pytest.fixture(scope="module")
def texts(documents: list[Document]) -> dict[str, str]:
    return {
        document.id: "\n\n".join(block.text for page in document.pages for block in page.blocks)
        for document in documents
    }


@pytest.fixture(scope="module")
def words(texts: dict[str, str]) -> dict[str, list[str]]:
    return dict(zip(texts, content_words(list(texts.values())), strict=True))


def answered(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["answer"]]


def test_the_files_are_what_the_generator_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], rows: list[Row]
) -> None:
    generator = load_generator()
    monkeypatch.setattr(sys, "argv", ["make", "--out", str(tmp_path)])
    generator.main()
    corpus = "demo_documents/demo_texts.json"
    assert (tmp_path / corpus).read_bytes() == (DATA / corpus).read_bytes()
    # Another version of reportlab may write other bytes, so the PDF is compared by what is read from it.
    (pdf,) = (tmp_path / "demo_documents").glob("*.pdf")
    (made,) = read_documents(pdf)
    (shipped,) = read_documents(DATA / "demo_documents" / pdf.name)
    assert made.pages == shipped.pages
    lines = (tmp_path / "demo_questions.jsonl").read_text(encoding="utf-8").replace(made.id, shipped.id)
    assert [json.loads(line) for line in lines.splitlines()] == rows


def test_the_pdf_has_pages_a_table_and_no_running_lines(documents: list[Document]) -> None:
    (pdf,) = [document for document in documents if len(document.pages) > 1]
    assert 3 <= len(pdf.pages) <= 6
    assert pdf.notices == ()
    blocks = [block for page in pdf.pages for block in page.blocks]
    (table,) = [block.rows for block in blocks if block.rows]
    assert table[0] == ("동", "방", "한 학기 방값", "보증금", "화장실")
    assert table[3] == ("나래관", "2인실", "69만 원", "10만 원", "층마다")
    assert not [block.text for block in blocks if "입사생 안내서" in block.text or "펴냄" in block.text]


def test_every_question_names_a_document_or_has_no_answer(rows: list[Row], texts: dict[str, str]) -> None:
    assert len(answered(rows)) >= 240
    assert len(rows) - len(answered(rows)) >= 25
    assert 24 <= len(texts) <= 40
    assert all(500 <= len(text) <= 2600 for text in texts.values())
    for row in rows:
        assert set(row["relevant_chunks"]) <= set(texts)
        assert bool(row["relevant_chunks"]) == bool(row["answer"])
    asked = Counter(row["relevant_chunks"][0] for row in answered(rows))
    assert set(asked) == set(texts)
    assert len({row["domain"] for row in rows}) == 8
    levels = Counter(row["difficulty"] for row in rows)
    assert min(levels.values()) >= 60
    assert set(levels) == {"easy", "medium", "hard"}


def test_questions_stand_alone_and_none_is_asked_twice(rows: list[Row]) -> None:
    asked = [row["question"] for row in rows]
    assert all(question.endswith("?") for question in asked)
    assert not [question for question in asked if "위 문서" in question or "이 문서" in question or "본문" in question]
    grams = [{question[at : at + 3] for at in range(len(question) - 2)} for question in asked]
    alike = [
        (asked[one], asked[other])
        for one in range(len(asked))
        for other in range(one)
        if len(grams[one] & grams[other]) > 0.7 * len(grams[one] | grams[other])
    ]
    assert alike == []


def test_every_number_of_an_answer_stands_in_its_document(rows: list[Row], texts: dict[str, str]) -> None:
    said = {key: values(text) for key, text in texts.items()}
    invented = [
        (row["question"], row["answer"])
        for row in answered(rows)
        if any(not found.is_among(said[row["relevant_chunks"][0]]) for found in quantities(row["answer"]))
    ]
    assert invented == []
    assert all(row["answer"].endswith("니다.") for row in answered(rows))


def test_hard_questions_share_few_words_with_their_document(rows: list[Row], words: dict[str, list[str]]) -> None:
    shared: dict[str, list[float]] = defaultdict(list)
    for row, asked in zip(answered(rows), content_words([row["question"] for row in answered(rows)]), strict=True):
        found = set(asked) & set(words[row["relevant_chunks"][0]])
        shared[row["difficulty"]].append(len(found) / len(set(asked)))
    mean = {level: sum(shares) / len(shares) for level, shares in shared.items()}
    assert mean["hard"] < 0.45 < mean["medium"] < 0.7 < mean["easy"]


def test_words_alone_find_most_but_not_the_hard_ones(rows: list[Row], words: dict[str, list[str]]) -> None:
    keys = list(words)
    search = Lexical(list(words.values()))
    first = search.search(content_words([row["question"] for row in answered(rows)]), 1).positions[:, 0]
    right: dict[str, list[bool]] = defaultdict(list)
    for row, position in zip(answered(rows), first, strict=True):
        hit = position >= 0 and keys[position] == row["relevant_chunks"][0]
        right["all"].append(hit)
        right[row["difficulty"]].append(hit)
    recall = {name: sum(hits) / len(hits) for name, hits in right.items()}
    assert 0.5 < recall["all"] < 0.9
    assert recall["hard"] < 0.65 < 0.9 < recall["easy"]


def test_the_doctor_has_nothing_to_complain_about() -> None:
    diagnosis = check_files([Given(DATA / "demo_questions.jsonl")])
    assert [finding.name for finding in diagnosis.findings if finding.severity != "info"] == []
