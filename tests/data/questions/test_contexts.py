"""What an answerer is shown: the right chunk among others, refusals where it is missing, what fits in the limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dadeum.core.errors import RecipeError
from dadeum.core.examples import Example, answer_of, read_examples
from dadeum.core.run import Run, write_json
from dadeum.data.passages.corpus import Facts, Passages
from dadeum.data.prepare import Prepared, prepare
from dadeum.data.questions.contexts import Contexts
from dadeum.data.questions.search import Search
from dadeum.documents.chunks import Chunk
from dadeum.tasks import answer, retrieve
from tests.corpora import ANSWER, RETRIEVE, built_run, recipe_on, save_embedder
from tests.data.passages.builders import ANSWERING, Letters, asked, corpus_file, lines, prepared, recipe


def taught(found: Prepared) -> list[Example]:
    return [row for split in ("train", "validation") for row in found.examples[split]]


def every(found: Prepared) -> list[Example]:
    return [*taught(found), *found.examples["test"]]


def test_taught_rows_show_the_right_chunk_and_cite_it(tmp_path: Path) -> None:
    found = prepared(tmp_path, ANSWERING | {"unanswerable": 0.0, "chunks": 4})
    places = set()
    for row in taught(found):
        (gold,) = retrieve.relevant(row)
        shown = answer.shown(row)
        assert len(shown) == 4 and answer.kind(row) == "answerable"
        _, cited = answer.split_citations(answer_of(row))
        assert [shown[number - 1] for number in cited] == [gold]
        places.add(cited[0])
    assert len(places) > 1, "always in one place, the model would learn the place"


def test_a_share_is_shown_without_it_and_refused(tmp_path: Path) -> None:
    found = prepared(tmp_path, ANSWERING | {"unanswerable": 0.5})
    rows = taught(found)
    refused = [row for row in rows if answer.kind(row) == "unanswerable"]
    train = [row for row in refused if row in found.examples["train"]]
    assert len(train) == round(0.5 * len(found.examples["train"]))
    for row in refused:
        assert answer_of(row) == ANSWER["refusal"]
        assert not set(answer.shown(row)) & set(retrieve.relevant(row))
        assert answer.gold_answer(row).endswith("니다.")


def test_questions_without_an_answer_are_refused(tmp_path: Path) -> None:
    rows = [*asked(), *({"question": f"{where} 날씨는?"} for where in ("바다", "산과 들", "강가", "섬"))]
    found = prepared(tmp_path, ANSWERING | {"unanswerable": 0.0}, rows)
    weather = [row for row in every(found) if "날씨" in row.text]
    assert len(weather) == 4
    assert all(answer.kind(row) == "unanswerable" and answer_of(row) == ANSWER["refusal"] for row in weather)


def test_no_wrong_chunk_holds_the_answer(tmp_path: Path) -> None:
    texts = {f"doc-{number:02d}": f"안내 {number}: 요금은 칠천오백 원입니다. 문의 {number}." for number in range(10)}
    texts["doc-00"] = "안내 0: 요금은 이천 원입니다. 문의 0."
    rows = [{"question": f"안내 {number} 요금은?", "answer": "칠천오백 원입니다."} for number in range(1, 10)]
    for number, row in enumerate(rows, start=1):
        row |= {"relevant_chunks": f"doc-{number:02d}"}
    source = {"path": str(lines(tmp_path / "q.jsonl", rows))}
    made = recipe(ANSWERING | {"unanswerable": 0.0}, {"sources": [str(corpus_file(tmp_path, texts))]}, source)
    for row in taught(prepare(made, Letters())):
        wrong = set(answer.shown(row)) - set(retrieve.relevant(row))
        assert all(name.startswith("doc-00#") for name in wrong)


def test_a_neighbour_that_overlaps_the_right_chunk_is_no_wrong_one(tmp_path: Path) -> None:
    def text(number: int) -> str:
        return f"규정 {number}조는 이용료를 정합니다. 규정 {number + 1}조는 이용료를 정합니다."

    chunks = [{"id": f"c{number}", "document": f"d{number // 6}", "text": text(number)} for number in range(60)]
    rows = [
        {"question": f"규정 {number}조 이용료는?", "answer": f"{number} 조에 있습니다", "relevant_chunks": f"c{number}"}
        for number in range(60)
    ]
    source = {"path": str(lines(tmp_path / "q.jsonl", rows))}
    made = recipe(ANSWERING | {"chunks": 6}, {"sources": [str(lines(tmp_path / "c.jsonl", chunks))]}, source)
    for row in taught(prepare(made, Letters())):
        number = int(retrieve.relevant(row)[0][1:])
        near = {f"c{other}" for other in (number - 1, number + 1) if other // 6 == number // 6}
        assert not near & set(answer.shown(row))


def test_test_rows_show_what_is_found_and_refuse_what_is_not(tmp_path: Path) -> None:
    rows = asked()
    for number, row in enumerate(rows):
        if number % 2:
            row["question"] = f"겹치는 낱말 없음 {number}"
    found = prepared(tmp_path, ANSWERING | {"chunks": 1, "unanswerable": 0.0}, rows, data={"split": {"test": 0.4}})
    kinds = {answer.kind(row) for row in found.examples["test"]}
    assert kinds == {"answerable", "missed"}
    for row in found.examples["test"]:
        is_found = bool(set(answer.shown(row)) & set(retrieve.relevant(row)))
        assert is_found == (answer.kind(row) == "answerable")
        assert (answer_of(row) == ANSWER["refusal"]) == (not is_found)
        assert answer.gold_answer(row)


def test_long_rows_are_shown_fewer_chunks_but_the_right_one(tmp_path: Path) -> None:
    wide = prepared(tmp_path, ANSWERING | {"unanswerable": 0.0, "chunks": 5})
    longest = max(len(row.prompt[-1]["content"]) for row in every(wide))
    found = prepared(tmp_path, ANSWERING | {"unanswerable": 0.0, "chunks": 5}, fits=Letters(longest - 60))
    assert max(len(row.prompt[-1]["content"]) for row in every(found)) <= longest - 60
    assert all(answer.kind(row) == "answerable" for row in taught(found))
    assert any("덜 보여" in note for note in found.notes)


def test_a_limit_that_would_cut_the_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        prepared(tmp_path, ANSWERING, render={"truncation": "cut_input"})
    assert caught.value.key == "data.passages.cut_input"


# -- a tuned retriever -----------------------------------------------------------------------------
def test_a_retriever_must_be_a_run_of_that_task(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        prepared(tmp_path, ANSWERING | {"retriever": str(tmp_path)})
    assert caught.value.key == "data.passages.no_retriever"
    run = Run.create(recipe_on(tmp_path / "files", "nobody", ANSWER), tmp_path / "run")
    with pytest.raises(RecipeError) as caught:
        prepared(tmp_path, ANSWERING | {"retriever": str(run.folder)})
    assert caught.value.key == "data.passages.other_retriever"


def test_test_questions_are_searched_with_the_retriever(tmp_path: Path) -> None:
    model = save_embedder(tmp_path / "model")
    made = recipe_on(tmp_path / "files", model, RETRIEVE)
    run = built_run(made, tmp_path / "run")
    folder = run.adapter_folder(made)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(model, target_is_directory=True)
    chunks = [Chunk(f"c{number}", f"d{number}", f"{word} 이용 안내", 1, 1, 5) for number, word in enumerate("도수주체")]
    search = Search(Passages(chunks, Facts()), run.folder)
    alone = search.tested(["도 이용 안내"], 4)
    assert sorted(alone[0]) == [0, 1, 2, 3] and alone[0][0] == 0
    assert [note.key for note in search.notes] == ["data.passages.no_weight"]
    write_json(run.scores_path, {"hybrid_weight": 0.0, "hybrid_method": "ranks", "served": "tuned_hybrid"})
    by_words = Search(Passages(chunks, Facts()), run.folder)
    assert by_words.tested(["도 이용 안내"], 4) == by_words.taught(["도 이용 안내"], 4)
    seen = read_examples(run.split_path("train"))[0]
    (told,) = by_words.learnt_from([seen, replace(seen, origin="elsewhere")])
    assert told.values == {"num": 1, "total": 2}


def test_the_split_of_the_retriever_is_followed(tmp_path: Path) -> None:
    model = save_embedder(tmp_path / "model")
    made = recipe_on(tmp_path / "files", model, RETRIEVE)
    run = built_run(made, tmp_path / "run")
    folder = run.adapter_folder(made)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(model, target_is_directory=True)
    told = recipe_on(tmp_path / "asked", "nobody", ANSWER | {"retriever": str(run.folder)})
    found = prepare(told, Letters())
    assert {row.origin for row in found.examples["test"]} == {"doc-11", "doc-12"}
    assert {row.origin for row in found.examples["validation"]} == {"doc-09", "doc-10"}
    assert any("36" in note and str(run.folder) in note for note in found.notes)


def test_questions_without_an_answer_are_in_every_split(tmp_path: Path) -> None:
    rows = [*asked(), *({"question": f"{name} {what}?"} for name in "가나다라마" for what in ("날씨는", "거리는"))]
    found = prepared(tmp_path, ANSWERING | {"unanswerable": 0.0}, rows)
    num = {split: sum(not retrieve.relevant(row) for row in part) for split, part in found.examples.items()}
    assert sum(num.values()) == 10
    assert all(num.values()), num


def test_another_chunk_of_the_named_document_that_says_so_is_right(tmp_path: Path) -> None:
    chunks = [
        Chunk("c0", "rules", "휴가는 3일 전에 신청합니다.", 1, 1, 9),
        Chunk("c1", "rules", "급할 때에도 휴가 신청은 3일 전까지 합니다.", 1, 1, 9),
        Chunk("c2", "rules", "휴가는 다음 해로 옮길 수 없습니다.", 1, 1, 9),
    ]
    row = Example(
        id="q:1", source="q", origin="rules", group="rules", text="휴가는 며칠 전에 신청하나요?", prompt=[],
        completion=[{"role": "assistant", "content": "3일 전에 신청합니다."}], label="",
        extra={retrieve.RELEVANT: retrieve.as_extra(["c0"])},
    )  # fmt: skip
    made = recipe_on(tmp_path / "files", "nobody", ANSWER | {"unanswerable": 0.0})
    passages = Passages(chunks, Facts())
    for narrowed, right in (({"q:1"}, ["c0", "c1"]), (set(), ["c0"])):
        contexts = Contexts(made, made.task, passages, Search(passages), narrowed)
        (shown,) = contexts.fill({"test": [row]})["test"]
        _, cited = answer.split_citations(answer_of(shown))
        assert sorted(answer.shown(shown)[number - 1] for number in cited) == right
