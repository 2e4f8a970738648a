"""Checks of questions about documents: in a run, on bare files with documents beside, and what the statistics say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.plugins import find
from dadeum.data.check import check_data
from dadeum.data.context import Context
from dadeum.data.corpus import Given, read_corpus
from dadeum.data.doctor import check_files
from dadeum.data.passages.corpus import Facts, Passages
from dadeum.data.texts.asked import statistics
from tests.corpora import ANSWER, RETRIEVE, built_run, chunks_of_corpus, documents, questions, recipe_on, write_files

WELFARE = Path(__file__).parents[3] / "../shared/data/pdf_qa"


def context_of(rows: list[dict[str, Any]], task: str = "answer", split: str = "train") -> Context:
    """Rows in the guide's form as a bare file's, beside the small corpus."""
    examples = [
        Example(
            f"q:{at}", "q", "q", str(at), row["question"], [{"role": "user", "content": row["question"]}],
            [{"role": "assistant", "content": row["answer"]}], "",
            extra={"document": "\n".join(row["relevant_chunks"])}
            | {key: row[key] for key in ("domain", "difficulty", "review") if key in row},
        )
        for at, row in enumerate(rows)
    ]  # fmt: skip
    return Context({split: examples}, task, passages=Passages(chunks_of_corpus(), Facts()))


def run_check(name: str, rows: list[dict[str, Any]], **more: Any) -> Finding | None:
    found = find("data.checks", name).check(context_of(rows, **more))
    return found[0] if found else None


def test_the_small_corpus_has_few_questions_and_nothing_else() -> None:
    names = ("missing_chunks", "unsupported_answers", "leading_questions", "one_kind", "unasked_chunks",
             "unreviewed_drafts", "scattered_questions")  # fmt: skip
    assert [name for name in names if run_check(name, questions())] == []
    few = run_check("few_questions", questions())
    assert few is not None
    assert few.values["distinct"] == 36


def test_when_every_chunk_is_unknown_the_file_is_unusable() -> None:
    rows = [row | {"relevant_chunks": [f"{row['relevant_chunks'][0]}#p1-009-00000000"]} for row in questions()]
    finding = run_check("missing_chunks", rows)
    assert finding is not None
    assert (finding.severity, finding.count, finding.values["ids"]) == ("block", 36, 12)
    assert finding.values["known"].startswith("doc-01#p1")


def test_the_worst_answer_is_shown_first() -> None:
    rows = questions()
    rows[1]["answer"] = "시청 민원봉사과에서 확인하세요."
    rows[5]["answer"] = "99천 원입니다."
    finding = run_check("unsupported_answers", rows)
    assert finding is not None
    assert [row["id"] for row in finding.rows] == ["q:5", "q:1"]
    assert (finding.count, finding.total, finding.values["numbers"]) == (2, 36, 1)
    assert finding.hits[0].found == {"unsaid": "99천"}


def test_answers_that_are_always_yes() -> None:
    rows = [
        {
            "question": f"{row['question'][:6]} 갈 수 있습니까?",
            "answer": "네.",
            "relevant_chunks": row["relevant_chunks"],
        }
        for row in questions()[:12]
    ]
    finding = run_check("leading_questions", rows)
    assert finding is not None
    assert finding.values["kinds"] == "always_yes 12"
    rows[0]["answer"] = rows[1]["answer"] = "아니요."
    assert run_check("leading_questions", rows) is None


def test_a_small_test_split_is_told_where_there_is_one() -> None:
    rows = [row | {"question": f"{row['question']} {at}"} for row in questions() for at in range(4)]
    assert run_check("few_questions", rows) is None
    finding = run_check("few_questions", rows[:10], split="test")
    assert finding is not None
    assert finding.values["test"] == 10


def test_other_tasks_and_files_without_documents_are_not_looked_at() -> None:
    context = context_of(questions(), task="chat")
    assert context.asked == []
    bare = Context({"train": [Example("a", "a", "a", "a", "몇 시?", [], [], "")]}, "answer")
    assert bare.asked == []


def test_a_run_is_checked_with_its_own_chunks(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path / "files", "letters", ANSWER, checks={"block_on": []})
    run = built_run(recipe, tmp_path / "run")

    result = check_data(recipe, run, tokens=SimpleNamespace(label_spans=[]))
    found = {finding.name: finding for finding in result.findings}
    assert "few_questions" in found
    assert "unsupported_answers" not in found
    told = run.manifest()["questions"]
    assert (told["questions"], told["chunks"], told["chunks_asked"], told["documents"]) == (36, 12, 12, 12)
    assert told["split"] == {"train": 24, "validation": 6, "test": 6}
    assert told["difficulty"] == {"easy": 24, "hard": 12}
    letters = [len(value) for value in documents().values()]
    assert told["mean_context_characters"] == pytest.approx(sum(letters) / 12, abs=0.06)
    assert told["mean_context_tokens"] > 0


def test_citations_and_taught_refusals_are_no_answers(tmp_path: Path) -> None:
    from dadeum.core.examples import read_examples
    from dadeum.data.texts.asked import asked_of
    from dadeum.tasks import answer

    run = built_run(recipe_on(tmp_path / "files", "letters", ANSWER), tmp_path / "run")
    row = read_examples(run.split_path("test"))[0]
    row.extra[answer.KIND] = "unanswerable"
    row.completion[0]["content"] = ANSWER["refusal"]
    cited = read_examples(run.split_path("test"))[1]
    assert answer_of(cited).endswith("[2]")
    found = asked_of([("test", row), ("test", cited)], None, is_run=True)
    assert [one.answer for one in found] == ["", "오전 11시에 엽니다."]


# -- bare files -----------------------------------------------------------------------------------
def test_a_corpus_beside_the_questions_is_no_data_of_its_own(tmp_path: Path) -> None:
    corpus, asked = write_files(tmp_path)
    diagnosis = check_files([Given(corpus), Given(asked)])
    assert diagnosis.context.num_rows == 36
    assert diagnosis.context.passages is not None
    assert len(diagnosis.context.asked[0].chunks) == 1
    keys = [note.key for note in diagnosis.corpus.notes]
    assert {"data.builders.beside", "data.builders.questions", "data.builders.contexts"} <= set(keys)
    for language in LANGUAGES:
        for note in diagnosis.corpus.notes:
            assert text(note.key, language, **note.values)


def test_without_documents_it_is_said_what_was_not_looked_at(tmp_path: Path) -> None:
    _, asked = write_files(tmp_path)
    diagnosis = check_files([Given(asked)])
    assert "doctor.not_run.documents" in {message.key for message in diagnosis.not_run}


def test_two_files_of_texts_stay_data(tmp_path: Path) -> None:
    """Only a file of questions beside them makes texts a corpus."""
    for name in ("a", "b"):
        rows = [{"id": f"{name}{at}", "text": f"{name} 글 {at}번입니다."} for at in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_corpus([Given(tmp_path / "a.jsonl"), Given(tmp_path / "b.jsonl")])
    assert (found.task, len(found.splits["train"]), found.passages) == ("text", 6, None)


def test_questions_to_search_with_need_no_answer(tmp_path: Path) -> None:
    rows = [{"question": f"{at}번은 어디에 있나요?", "relevant_chunks": [f"c{at}"]} for at in range(3)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_corpus([Given(path)])
    assert (found.task, [answer_of(row) for row in found.splits["train"]]) == ("retrieve", ["", "", ""])
    assert found.splits["train"][2].extra["document"] == "c2"
    # With answers, the file can be used for both.
    (tmp_path / "qa.jsonl").write_text(
        "".join(json.dumps(row | {"answer": "3층" if at else ""}) + "\n" for at, row in enumerate(rows)),
        encoding="utf-8",
    )
    assert read_corpus([Given(tmp_path / "qa.jsonl")], "retrieve").task == "retrieve"
    assert not read_corpus([Given(tmp_path / "qa.jsonl")], "answer").unread


def test_statistics_of_nothing_are_nothing() -> None:
    assert statistics([], None) == {"questions": 0, "distinct": 0, "mean_question_characters": 0.0}


@pytest.mark.skipif(not WELFARE.exists(), reason="../shared/data is not here")
def test_real_questions_are_hardly_ever_called_leading() -> None:
    """The figures that the thresholds were chosen by: 3 of 1,910 questions of people."""
    names = ("test_queries", "test_relevant_docs", "train_corpus")
    corpus = read_corpus([Given(WELFARE / f"welfare_{name}.json") for name in names])
    context = Context(corpus.splits, corpus.task, passages=corpus.passages)
    finding = find("data.checks", "leading_questions").check(context)[0]
    assert (finding.severity, finding.count, finding.total) == ("info", 3, 1910)
    assert find("data.checks", "missing_chunks").check(context) == []
    assert find("data.checks", "scattered_questions").check(context) == []
    assert statistics(context.asked, context.passages)["chunks_asked"] == 442


def test_a_retriever_of_a_recipe_is_checked_too(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path / "files", "letters", RETRIEVE)
    from dadeum.data.check import find_problems

    rows = {"train": [row for _, row in context_of(questions()).placed]}
    names = {finding.name for finding in find_problems(recipe, rows)}
    assert "few_questions" in names
