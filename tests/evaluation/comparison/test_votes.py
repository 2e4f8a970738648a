from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import DataError, RunError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl, write_jsonl
from dadeum.evaluation.comparison.votes import Key, Vote, draw_vote
from dadeum.evaluation.comparison.votes_files import find_key, read_key, write_vote
from dadeum.evaluation.comparison.votes_result import judge_votes, preferences, read_votes, standing
from dadeum.evaluation.comparison.votes_words import sentences
from tests.evaluation.comparison.made import RAW, columns, decided_run, written_run

NUM = 12
HOSTILE = '</script><img src=x onerror="document.title=1">'


def answers(who: str, same: int = 2) -> list[str]:
    """The first rows are alike in both runs; one answer looks like a formula, one holds markup and quotes."""
    found = [f'{who}가 쓴 답 {row}, "따옴표"와\n줄바꿈' for row in range(NUM)]
    found[:same] = ["같은 답"] * same
    found[2], found[3] = f"=1+1 {who}", f"{HOSTILE} {who}"
    return found


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Run, Run]:
    made = []
    for who in ("첫째", "둘째"):
        run = written_run(tmp_path / who, columns(0.3, num=NUM), answers=answers(who))
        rows = read_jsonl(run.samples_path)
        for number, row in enumerate(rows):
            row["question"], row["group"] = f"물음 {number} 😀", f"doc{number // 3}"
        write_jsonl(run.samples_path, rows)
        made.append(run)
    return made[0], made[1]


@pytest.fixture
def vote(runs: tuple[Run, Run]) -> Vote:
    return draw_vote(*runs, number=8, seed=1)


def voted(path: Path, vote: Vote, choose: Callable[[int, str], str], source: Path) -> Path:
    """`source` filled in by somebody who sees a row's number and which run stands left."""
    rows = list(csv.DictReader(io.StringIO(source.read_text(encoding="utf-8-sig"), newline="")))
    for number, (row, key) in enumerate(zip(rows, vote.key.rows, strict=True)):
        row["vote"] = choose(number, key.left)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode("utf-8-sig"))
    return path


def for_b(_: int, left: str) -> str:
    return "right" if left == "a" else "left"


def test_sides_are_drawn_evenly_and_nothing_tells_whose_answer_it_is(vote: Vote, tmp_path: Path) -> None:
    page, _ = write_vote(vote, tmp_path / "out" / "votes.csv")
    assert [row.left for row in vote.key.rows].count("a") == 4
    by_id = {row.id: row for row in vote.key.rows}
    assert all(row.a != row.b for row in by_id.values())
    assert (vote.key.num_same, vote.key.num_not_drawn) == (2, 2)
    # Four documents, eight rows: two of each, none three times.
    groups = [int(row.id.partition(":")[2]) // 3 for row in vote.key.rows]
    assert sorted(groups[:4]) == [0, 1, 2, 3]
    handed_out = (tmp_path / "out" / "votes.csv").read_text(encoding="utf-8-sig") + page.read_text(encoding="utf-8")
    assert str(tmp_path) not in handed_out
    assert not any(f"talk:{row}" in handed_out for row in range(NUM))


def test_the_same_seed_draws_the_same_vote_and_another_one_other_sides(runs: tuple[Run, Run], vote: Vote) -> None:
    assert draw_vote(*runs, number=8, seed=1) == vote
    other = draw_vote(*runs, number=8, seed=2)
    assert other.key.vote != vote.key.vote
    assert [row.left for row in other.key.rows] != [row.left for row in vote.key.rows]


def test_wins_and_sides_are_counted_from_what_people_wrote(vote: Vote, tmp_path: Path) -> None:
    source = tmp_path / "votes.csv"
    _, key = write_vote(vote, source)
    always_b = voted(tmp_path / "kim.csv", vote, for_b, source)
    korean = voted(
        tmp_path / "lee.csv", vote, lambda row, left: "" if row < 2 else {"a": "왼쪽", "b": "비김"}[left], source
    )
    found, given = judge_votes(read_key(key), [always_b, korean])
    kim, lee = found.voters
    assert (kim.standing.wins, kim.standing.losses, kim.num_votes, kim.missing) == (8, 0, 8, [])
    assert kim.left == sum(row.left == "b" for row in vote.key.rows)
    later = vote.key.rows[2:]
    assert lee.standing.losses == sum(row.left == "a" for row in later)
    assert lee.missing == [row.row for row in vote.key.rows[:2]]
    # One vote each way is a tie of the row; b and tie is one for b.
    assert found.standing.wins == 2 + sum(row.left == "b" for row in later)
    assert found.standing.ties == sum(row.left == "a" for row in later)
    assert found.kappa is not None
    assert found.alpha is not None
    assert found.alpha < 0.4
    assert found.unvoted == []
    said = "\n".join(sentences(found, "ko"))
    assert "kim" in said
    assert "투표하지 않은 행 2" in said
    assert len(given[0][1]) == 8


def test_the_interval_and_the_test_are_those_of_the_textbook() -> None:
    found = standing([*("b",) * 8, *("a",) * 2, "tie"])
    assert (found.wins, found.losses, found.ties, found.share) == (8, 2, 1, 0.8)
    assert found.low == pytest.approx(0.490, abs=1e-3)
    assert found.high == pytest.approx(0.943, abs=1e-3)
    assert found.p == pytest.approx(0.109375)
    assert standing(["tie"]).share is None


def test_a_voter_who_likes_a_side_is_named(vote: Vote, tmp_path: Path) -> None:
    _, key = write_vote(vote, tmp_path / "votes.csv")
    file = voted(tmp_path / "park.csv", vote, lambda *_: "left", tmp_path / "votes.csv")
    found = read_votes(read_key(key), [file])
    assert (found.voters[0].left, found.voters[0].right, found.standing.wins) == (8, 0, 4)
    assert found.voters[0].side_p < 0.05
    assert any("seems to have chosen by place" in line for line in sentences(found, "en"))


def test_what_a_spreadsheet_does_to_the_file_changes_nothing(vote: Vote, tmp_path: Path) -> None:
    _, key = write_vote(vote, tmp_path / "votes.csv")
    text = voted(tmp_path / "a.csv", vote, for_b, tmp_path / "votes.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert any(cell.startswith("'=1+1") for row in rows for cell in row)
    saved = {
        "cp949.csv": text.replace("😀", "?").encode("cp949"),
        "semicolons.csv": _delimited(rows, ";").replace("\r\n", "\n").encode("utf-8"),
        "tabs.csv": _delimited(rows, "\t").encode("utf-16"),
    }
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
        assert read_votes(read_key(key), [tmp_path / name]).standing.wins == 8, name


def _delimited(rows: list[list[str]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (lambda text: text.replace("물음 8", "물음 팔"), "compare.votes.edited"),
        (lambda text: text.replace("답 9", "답 구"), "compare.votes.edited"),
        (lambda text: text.replace(",left\r\n", ",누구\r\n"), "compare.votes.bad_votes"),
        (lambda text: text.replace("-003", "-999"), "compare.votes.unknown_rows"),
        (lambda text: text.replace("-003", "-002"), "compare.votes.twice"),
        (lambda text: text.replace("vote", "표"), "compare.votes.not_votes"),
    ],
)
def test_a_file_that_cannot_be_counted_says_why(
    vote: Vote, tmp_path: Path, spoil: Callable[[str], str], key: str
) -> None:
    _, key_file = write_vote(vote, tmp_path / "votes.csv")
    file = voted(tmp_path / "a.csv", vote, for_b, tmp_path / "votes.csv")
    before = file.read_bytes().decode("utf-8-sig")
    spoilt = spoil(before)
    assert spoilt != before
    file.write_text(spoilt, encoding="utf-8", newline="")
    with pytest.raises(DataError) as error:
        read_votes(read_key(key_file), [file])
    assert error.value.key == key
    assert error.value.in_language("ko")


def test_votes_of_another_vote_and_the_same_voter_twice_are_refused(
    runs: tuple[Run, Run], vote: Vote, tmp_path: Path
) -> None:
    _, key = write_vote(vote, tmp_path / "votes.csv")
    _, other = write_vote(draw_vote(*runs, number=8, seed=2), tmp_path / "other" / "other.csv")
    file = voted(tmp_path / "a.csv", vote, for_b, tmp_path / "votes.csv")
    with pytest.raises(DataError, match=vote.key.vote):
        read_votes(read_key(other), [file])
    assert find_key(file) == key  # the only one beside it
    with pytest.raises(DataError) as twice:
        read_votes(read_key(key), [file, file])
    assert twice.value.key == "compare.votes.same_voter"
    with pytest.raises(DataError) as there:
        write_vote(vote, tmp_path / "votes.csv")
    assert there.value.key == "compare.votes.exists"


def test_runs_without_texts_and_runs_that_say_the_same_are_refused(runs: tuple[Run, Run], tmp_path: Path) -> None:
    first, _ = runs
    twin = written_run(tmp_path / "twin", columns(0.3, num=NUM), answers=answers("첫째"))
    with pytest.raises(RunError) as same:
        draw_vote(first, twin, 5, 1)
    assert same.value.key == "compare.votes.all_same"
    with pytest.raises(RunError) as decided:
        draw_vote(first, decided_run(tmp_path / "d", "0011", "0011"), 5, 1)
    assert decided.value.key == "compare.votes.no_free_text"
    with pytest.raises(RunError):
        draw_vote(first, first, 5, 1)


def test_votes_become_preference_pairs(vote: Vote, tmp_path: Path) -> None:
    from dadeum.training.preferences.judged import pairs_of_file
    from dadeum.training.preferences.kept import Preference
    from dadeum.training.preferences.prompts import Prompts

    source = tmp_path / "votes.csv"
    write_vote(vote, source)
    votes = [voted(tmp_path / name, vote, for_b, source) for name in ("kim.csv", "lee.csv")]
    _, given = judge_votes(vote.key, votes)
    write_jsonl(tmp_path / "pairs.jsonl", preferences(vote.key, given))
    task = {"task": {"type": "chat"}}
    found = pairs_of_file(tmp_path / "pairs.jsonl", Prompts.of_rows(Recipe.model_validate(RAW | task), [], []))
    assert len(found) == 8
    assert all(isinstance(pair, Preference) for pair in found)
    by_chosen = {pair.chosen: pair for pair in found if isinstance(pair, Preference)}
    assert {row.b.strip() for row in vote.key.rows} == by_chosen.keys()
    assert {pair.why for pair in by_chosen.values()} == {"votes 2:0"}


def test_the_page_votes_by_click_and_key_and_gives_the_csv_back(browser: Any, vote: Vote, tmp_path: Path) -> None:
    page_file, key = write_vote(vote, tmp_path / "votes.csv")
    context = browser.new_context(viewport={"width": 1100, "height": 800}, accept_downloads=True)
    page = context.new_page()
    complaints: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(page_file.as_uri())
    pairs = page.locator(".pair")
    assert pairs.count() == 8
    pairs.nth(0).get_by_role("button").nth(0).click()  # left
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("3")  # the next one: right
    page.keyboard.press("2")  # and the one after: a tie
    page.reload()
    pressed = page.locator(".choice [aria-pressed=true]")
    assert [pressed.nth(place).get_attribute("data-vote") for place in range(pressed.count())] == [
        "left", "right", "tie",
    ]  # fmt: skip
    page.locator("#voter").fill("김 123")
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "votes-김_123.csv"
    download.value.save_as(tmp_path / "votes-kim.csv")
    found = read_votes(read_key(key), [tmp_path / "votes-kim.csv"])
    assert (found.voters[0].num_votes, found.voters[0].left, found.voters[0].right) == (3, 1, 1)
    assert page.locator("img").count() == 0
    assert complaints == []
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    page.get_by_role("button", name="English").click()
    assert page.get_by_role("button", name="Left is better").first.is_visible()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_window(browser: Any, vote: Vote, tmp_path: Path, width: int) -> None:
    page_file, _ = write_vote(vote, tmp_path / "votes.csv")
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_voters_see_the_chunks_that_were_shown(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from dadeum.core.examples import read_examples, to_table
    from dadeum.tasks import retrieve
    from tests.corpora import ANSWER, built_run, recipe_on

    made = []
    for who in ("가", "나"):
        run = built_run(recipe_on(tmp_path / f"data{who}", "some/base", ANSWER), tmp_path / who)
        rows = read_examples(run.split_path("test"))
        if who == "나":  # another retriever found other chunks for the last question
            last = rows[-1]
            last.extra["shown"] = retrieve.as_extra(json.loads(last.extra["shown"])[::-1])
            pq.write_table(to_table(rows), run.split_path("test"))
        asked = [row.id for row in rows]
        judged = written_run(
            tmp_path / f"j{who}", columns(0.3, num=len(rows)), ids=asked, answers=[f"{who} 답 {name}" for name in asked]
        )
        for path in ("scores_path", "samples_path"):
            target = getattr(run, path)
            target.parent.mkdir(exist_ok=True)
            content = getattr(judged, path).read_text(encoding="utf-8")
            target.write_text(content.replace('"task": "summarize"', '"task": "answer"'), encoding="utf-8")
        made.append(run)
    vote = draw_vote(made[0], made[1], number=50, seed=3)
    by_id = {key.id: (row, key) for row, key in zip(vote.rows, vote.key.rows, strict=True)}
    row, key = by_id[asked[0]]
    assert row.chunks["shown"].startswith("[1] doc-")
    assert row.question.endswith("?")
    assert key.prompt
    row, key = by_id[asked[-1]]
    assert row.chunks.keys() == {"shown_left", "shown_right"}
    assert row.chunks["shown_left"] != row.chunks["shown_right"]
    assert key.prompt == []
    page, key_file = write_vote(vote, tmp_path / "out" / "votes.csv")
    file = voted(tmp_path / "out" / "a.csv", vote, for_b, tmp_path / "out" / "votes.csv")
    assert isinstance(read_key(key_file), Key)
    assert read_votes(vote.key, [file]).standing.wins == len(asked)
    assert len(preferences(vote.key, judge_votes(vote.key, [file])[1])) == len(asked) - 1
    assert "[1] doc-" in page.read_text(encoding="utf-8")


def test_a_vote_on_an_answer_keeps_its_chunks_when_it_is_learnt_from(tmp_path: Path) -> None:
    from dadeum.training.preferences.prompts import Prompts, Unusable
    from tests.corpora import ANSWER, recipe_on

    prompts = Prompts.of_rows(recipe_on(tmp_path, "some/base", ANSWER), [], [])
    turn = {"role": "user", "content": "다음은 문서의 내용입니다:\n\n[1] doc-01 p.1\n글\n\n질문: 얼마인가요?\n\n답변:"}
    assert prompts.by_turns([turn]).turns == [turn]  # type: ignore[list-item]
    with pytest.raises(Unusable):
        prompts.by_text("얼마인가요?")


def test_the_command_line_makes_and_reads_votes(runs: tuple[Run, Run], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from dadeum.cli import app

    file = tmp_path / "team.csv"
    made = CliRunner().invoke(app, ["votes", "make", *(str(run.folder) for run in runs), "--out", str(file)])
    assert made.exit_code == 0, made.output
    key = read_key(tmp_path / "team.key.json")
    assert len(key.rows) == NUM - 2
    votes = voted(tmp_path / "team-kim.csv", Vote([], key), for_b, file)
    pairs = tmp_path / "pairs.jsonl"
    read = CliRunner().invoke(app, ["votes", "read", str(votes), "--preferences", str(pairs)])
    assert read.exit_code == 0, read.output
    assert "B가 더 낫습니다" in read.output
    assert "held_out" in read.output
    assert len(read_jsonl(pairs)) == NUM - 2
    result = json.loads((tmp_path / f"{key.vote}.result.json").read_text(encoding="utf-8"))
    assert (result["standing"]["wins"], result["b"]) == (NUM - 2, "둘째")
