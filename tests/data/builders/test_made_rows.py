"""Rows as they are made: the same for the same seed, none twice, and every answer reckoned from its own question."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from random import Random

import pytest

from dadeum.core.errors import DataError
from dadeum.core.korean_phrases import listed_phrase
from dadeum.data.builders.correction import broken, broken_starts, correction
from dadeum.data.builders.korean_sft_rows import conversations, korean_sft
from dadeum.data.builders.made_topics import MadeRow, alike, drawn, shingles, topics
from dadeum.data.builders.no_warning_rows import DRAWS, no_warning
from dadeum.data.checks.personal_contacts import find as personal

_NUM = 400


@pytest.fixture(scope="module")
def clean() -> list[MadeRow]:
    return no_warning(_NUM, 7)


@pytest.fixture(scope="module")
def mended() -> list[MadeRow]:
    return correction(_NUM, 7)


def test_the_seed_decides(clean: list[MadeRow], mended: list[MadeRow]) -> None:
    assert no_warning(_NUM, 7) == clean
    assert correction(_NUM, 7) == mended
    assert korean_sft(12, 7) == korean_sft(12, 7)
    assert {row.said for row in no_warning(_NUM, 8)} != {row.said for row in clean}


def test_clean_answers_begin_with_a_full_sentence(clean: list[MadeRow]) -> None:
    assert len(clean) == _NUM
    for row in clean:
        _, answer = row.turns
        assert re.match("[가-힣]", answer), answer
        assert re.search(r"[다까]\.$", answer), answer
        assert listed_phrase(answer) is None, answer
        assert not re.search("[{}]", row.said), row.said


def test_no_two_rows_are_alike(clean: list[MadeRow]) -> None:
    assert len({row.turns[0] for row in clean}) == len({row.turns[1] for row in clean}) == _NUM
    grams = [(row.category, shingles(row.said)) for row in clean]
    near = [
        (one, other)
        for place, (topic, one) in enumerate(grams)
        for kind, other in grams[:place]
        if kind == topic and alike(one, other)
    ]
    assert near == []


def test_topics_have_equal_shares(clean: list[MadeRow]) -> None:
    shares = Counter(row.category for row in clean)
    assert len(shares) == len(topics())
    assert max(shares.values()) - min(shares.values()) <= 1


def test_a_topic_ends_where_it_has_nothing_new() -> None:
    spelling = next(topic for topic in topics() if topic.name == "spelling")
    rows = list(drawn(spelling, DRAWS["row"], 1))
    assert 0.8 * len(spelling.bank["rows"]) <= len(rows) <= len(spelling.bank["rows"])


def test_every_bank_names_a_function_and_every_function_is_named() -> None:
    assert {topic.facts for topic in topics()} == set(DRAWS)


def test_answers_say_nothing_that_only_some_questions_tell() -> None:
    """What is drawn and said in an answer stands in every way to ask; what follows from the question need not."""
    follows = {("counters", "counter"), ("spelling", "example"), ("spelling", "right")}
    blanks = re.compile(r"\{(\w+)")
    loose = {
        (topic.name, blank)
        for topic in topics()
        for blank in set(blanks.findall(" ".join(topic.answers))) & set(blanks.findall(" ".join(topic.asks)))
        if not all(blank in blanks.findall(ask) for ask in topic.asks)
    }
    assert loose - follows == set()


def _facts(name: str, seed: int) -> dict[str, object]:
    topic = next(topic for topic in topics() if topic.name == name)
    return dict(DRAWS[topic.facts](topic.bank, Random(seed)))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_reckoned_is_right(seed: int) -> None:
    facts = _facts("dates", seed)
    end = date(int(str(facts["year"])), int(str(facts["m"])), int(str(facts["d"]))) + timedelta(int(str(facts["n"])))
    assert (facts["m2"], facts["d2"], facts["weekday"]) == (
        end.month,
        end.day,
        "월화수목금토일"[end.weekday()] + "요일",
    )
    shared = _facts("share", seed)
    assert divmod(int(str(shared["n"])), int(str(shared["k"]))) == (shared["q"], shared["r"])
    bought = {name: value for name, value in _facts("change", seed).items() if isinstance(value, int)}
    assert bought["left"] == bought["paid"] - bought["a"] * bought["p"] - bought["b"] * bought["q"] > 0
    packs = {name: value for name, value in _facts("bulk", seed).items() if isinstance(value, int)}
    cheapest = min((packs["p1"] / packs["n1"], packs["n1"]), (packs["p2"] / packs["n2"], packs["n2"]))
    assert packs["best"] == cheapest[1]
    scores = {name: value for name, value in _facts("average", seed).items() if isinstance(value, int)}
    assert scores["a"] + scores["b"] + scores["c"] == scores["total"] == 3 * scores["mean"]
    words = str(_facts("sorting", seed)["ordered"]).split(", ")
    assert words == sorted(words)


def test_hours_turn_over_at_noon_and_midnight() -> None:
    plans = [_facts("plan", seed) for seed in range(300)]
    times = {str(facts[name]) for facts in plans for name in ("start", "second", "third", "end")}
    assert all(1 <= int(re.findall(r"\d+(?=시)", time)[0]) <= 12 for time in times)
    assert any(time.startswith("오후 12시") for time in times)


def test_every_answer_of_a_correction_belongs_to_its_own_input(mended: list[MadeRow]) -> None:
    assert len(mended) == _NUM
    inputs, answers = zip(*(row.turns for row in mended), strict=True)
    assert len(set(inputs)) == len(set(answers)) == _NUM
    # What is asked for can be told from what is shown: every draft has half of its answer's words, and no other's.
    for shown, answer in mended_turns(mended):
        words = answer.split()
        assert " ".join(words[1 : (len(words) + 1) // 2]) in " ".join(shown.split())


def test_some_drafts_stop_half_way_where_the_question_tells_the_rest(mended: list[MadeRow]) -> None:
    told = {
        turn
        for topic in topics()
        if topic.facts == "row"
        for row in drawn(topic, DRAWS["row"], 8)
        for turn in row.turns
    }
    whole: list[str] = []
    half: list[str] = []
    for shown, answer in mended_turns(mended):
        is_whole = " ".join(answer.split()[2:]) in " ".join(shown.split())
        (whole if is_whole else half).append(answer)
    assert len(half) >= 0.05 * _NUM
    assert len(whole) >= 0.5 * _NUM
    written = {turn for rows in conversations().values() for row in rows for turn in row.turns}
    assert not set(half) & (told | written)


def mended_turns(rows: list[MadeRow]) -> list[tuple[str, str]]:
    return [(row.turns[0], row.turns[1]) for row in rows]


def test_all_ways_to_break_a_start_have_like_shares(mended: list[MadeRow]) -> None:
    shares = Counter(row.category for row in mended)
    assert len(shares) == len(broken_starts()["kinds"])
    assert min(shares.values()) >= 0.8 * max(shares.values())


def test_starts_are_broken_only_where_they_can_be_told() -> None:
    draw = Random(1)
    told = broken("cut", (), "고양이는 몇 마리입니까?", "고양이는 세 마리입니다.", draw)
    assert told in ("양이는 세 마리입니다.", "이는 세 마리입니다.")
    assert broken("cut", (), "몇 마리입니까?", "고양이는 세 마리입니다.", draw) == ""
    assert re.fullmatch("(세 ){2,4}마리입니다.", broken("repeated", (), "몇 마리?", "세 마리입니다.", draw))
    assert re.fullmatch("세{2,4} 마리입니다.", broken("stutter", (), "몇 마리?", "세 마리입니다.", draw))
    assert broken("marks", ["… "], "몇 마리?", "세 마리입니다.", draw) == "… 세 마리입니다."


def test_a_broken_start_before_a_title_is_no_name() -> None:
    """`이라서 선생님께` reads like a person's name before a title, and the doctor would warn of personal data."""
    who = next(topic for topic in topics() if topic.name == "honorifics").bank["who"]
    pieces = [piece for kind in broken_starts()["kinds"].values() for piece in kind.get("pieces", ())]
    drafts = [f"답변: {piece}{person}께는 ‘말’ 대신 ‘말씀’을 씁니다." for piece in pieces for person in who]
    assert [draft for draft in drafts if personal(draft)] == []


def test_written_conversations_are_drawn_evenly() -> None:
    categories = conversations()
    rows = korean_sft(3 * len(categories), 1)
    assert set(Counter(row.category for row in rows).values()) == {3}
    everything = korean_sft(None, 1)
    assert len(everything) == len({row.said for row in everything}) == sum(map(len, categories.values()))
    assert all(len(row.turns) % 2 == 0 for row in everything)


def test_more_conversations_than_there_are() -> None:
    total = sum(map(len, conversations().values()))
    with pytest.raises(DataError, match=f"{total:,}"):
        korean_sft(total + 1, 1)
