from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dadeum.core.errors import DataError
from dadeum.core.korean import masked
from dadeum.core.messages import LANGUAGES, Message
from dadeum.core.recipe import Recipe
from dadeum.data.rows import Row
from dadeum.data.split import Placed, split_rows

SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후"
NAMES = ("김민수", "이영희", "박철수", "최지우")


@pytest.fixture
def recipe(make_recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """`recipe(test=0.2, seed=1)`: a recipe with these split settings."""

    def make(seed: int = 42, **settings: Any) -> Recipe:
        return make_recipe([{"path": "none.csv"}], data={"split": settings}, seed=seed)

    return make


def row(number: int, text: str, label: str = "BLOCK", source: str = "mail", origin: str | None = None) -> Row:
    return Row(f"{source}:{number}", source, origin or source, {"subject": text}, label, None, text)


def rows_with_families(num: int, seed: int = 0) -> list[Row]:
    """Random mails of two labels, half of them variants of another: mistyped, or with another name and month."""
    chance = random.Random(seed)
    rows: list[Row] = []
    while len(rows) < num:
        body = "".join(chance.choices(SYLLABLES, k=chance.choice((4, 16, 30))))
        label = chance.choice(("BLOCK", "BLOCK", "ALLOW"))
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            text = f"{chance.choice(NAMES)}님, {chance.randint(1, 12)}월 {body}"
            if chance.random() < 0.5:
                letters = list(text)
                letters[chance.randrange(len(letters))] = chance.choice(SYLLABLES)
                text = "".join(letters)
            rows.append(row(len(rows), text, label, origin=chance.choice(("총무팀", "영업팀", "연구처"))))
    return rows


def leaks(placed: Placed) -> list[tuple[str, str]]:
    """Pairs of rows in different splits that are equal after masking or share 70 % of their 3-grams.

    Written for this test: compares everything with everything, on Python sets.
    """
    rows = [(name, item.text) for name, items in placed.splits.items() for item in items]
    grams = [{text[i : i + 3] for i in range(len(text) - 2)} for _, text in rows]
    return [
        (rows[i][1], rows[j][1])
        for j in range(len(rows))
        for i in range(j)
        if rows[i][0] != rows[j][0]
        and (
            masked(rows[i][1]) == masked(rows[j][1])
            or (
                min(len(rows[i][1]), len(rows[j][1])) >= 5
                and 10 * len(grams[i] & grams[j]) >= 7 * len(grams[i] | grams[j])
            )
        )
    ]


def sizes(placed: Placed) -> dict[str, int]:
    return {name: len(items) for name, items in placed.splits.items()}


def shares(placed: Placed, label: str) -> dict[str, float]:
    return {name: sum(item.label == label for item in items) / len(items) for name, items in placed.splits.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_grouped_split_has_no_leak_and_a_random_one_has(seed: int, recipe: Callable[..., Recipe]) -> None:
    rows = rows_with_families(500, seed)
    placed = split_rows(rows, recipe(seed))
    assert leaks(placed) == []
    assert placed.removed == []
    assert leaks(split_rows(rows, recipe(seed, group="none")))


def test_every_row_is_in_one_split_and_groups_are_in_one_split(recipe: Callable[..., Recipe]) -> None:
    rows = rows_with_families(400)
    placed = split_rows(rows, recipe())
    ids = [item.id for items in placed.splits.values() for item in items]
    assert sorted(ids) == sorted(item.id for item in rows)
    where: dict[str, set[str]] = {}
    for name, items in placed.splits.items():
        for item in items:
            where.setdefault(placed.group_of[item.id], set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    assert any(count > 1 for count in Counter(placed.group_of.values()).values())


def test_sizes_and_label_shares_are_as_asked(recipe: Callable[..., Recipe]) -> None:
    placed = split_rows(rows_with_families(1000), recipe(validation=0.15, test=0.25))
    total = sum(sizes(placed).values())
    assert sizes(placed)["validation"] == pytest.approx(0.15 * total, rel=0.03)
    assert sizes(placed)["test"] == pytest.approx(0.25 * total, rel=0.03)
    by_split = shares(placed, "ALLOW")
    assert max(by_split.values()) - min(by_split.values()) < 0.02


def test_singletons_are_split_to_the_row(recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]) -> None:
    rows = [row(number, text, ("BLOCK", "ALLOW")[number % 4 == 0]) for number, text in enumerate(distinct(200))]
    placed = split_rows(rows, recipe())
    assert sizes(placed) == {"train": 160, "validation": 20, "test": 20}
    assert {name: sum(item.label == "ALLOW" for item in items) for name, items in placed.splits.items()} == {
        "train": 40, "validation": 5, "test": 5,
    }  # fmt: skip


def test_a_rare_label_reaches_every_split(recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]) -> None:
    rows = [row(number, text, "ALLOW" if number < 3 else "BLOCK") for number, text in enumerate(distinct(100))]
    placed = split_rows(rows, recipe())
    assert {name: sum(item.label == "ALLOW" for item in items) for name, items in placed.splits.items()} == {
        "train": 1, "validation": 1, "test": 1,
    }  # fmt: skip


def test_one_template_never_fills_the_test(recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]) -> None:
    template = [row(number, f"고객님의 주문번호 {number} 상품이 내일 도착합니다") for number in range(60)]
    others = [row(100 + number, text, "ALLOW") for number, text in enumerate(distinct(140))]
    placed = split_rows(template + others, recipe(stratify=False))
    assert all(item.label == "BLOCK" for item in template)
    assert {item.id for item in template} <= {item.id for item in placed.splits["train"]}
    assert sizes(placed)["test"] == 20


def test_the_split_hangs_on_seed_and_rows_and_not_on_their_order(recipe: Callable[..., Recipe]) -> None:
    rows = rows_with_families(300)
    shuffled = random.Random(1).sample(rows, len(rows))

    def texts(placed: Placed) -> dict[str, list[str]]:
        return {name: sorted(item.text for item in items) for name, items in placed.splits.items()}

    first = texts(split_rows(rows, recipe(seed=5)))
    assert texts(split_rows(rows, recipe(seed=5))) == first
    assert texts(split_rows(shuffled, recipe(seed=5))) == first
    assert texts(split_rows(rows, recipe(seed=6))) != first


def test_rows_keep_their_order(recipe: Callable[..., Recipe]) -> None:
    for items in split_rows(rows_with_families(200), recipe()).splits.values():
        numbers = [int(item.id.split(":")[1]) for item in items]
        assert numbers == sorted(numbers)


# -- other groups -----------------------------------------------------------------------------------
def test_origins_and_sources_stay_together(recipe: Callable[..., Recipe]) -> None:
    chance = random.Random(0)
    rows = [
        row(number, f"{origin} {chance.random()}", origin=f"팀{origin}", label=chance.choice(("BLOCK", "ALLOW")))
        for origin in range(40)
        for number in range(origin * 100, origin * 100 + chance.randint(2, 6))
    ]
    placed = split_rows(rows, recipe(group="origin", stratify=False))
    found = [{item.origin for item in items} for items in placed.splits.values()]
    assert all(found)
    assert sum(map(len, found)) == 40
    assert placed.group_of[rows[0].id] == "mail/팀0"


def test_two_sources_cannot_be_dealt_out_to_three_splits(
    recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]
) -> None:
    rows = [row(number, text, source=f"s{number % 2}") for number, text in enumerate(distinct(40))]
    with pytest.raises(DataError) as caught:
        split_rows(rows, recipe(group="source"))
    assert caught.value.key == "data.cannot_split"
    assert caught.value.values["num_groups"] == 2
    assert all("source" in caught.value.in_language(language) for language in LANGUAGES)


def test_no_test_and_no_validation_when_none_is_asked_for(recipe: Callable[..., Recipe]) -> None:
    placed = split_rows(rows_with_families(50), recipe(validation=0.0, test=0.0))
    assert sizes(placed)["validation"] == sizes(placed)["test"] == 0


# -- held-out origins -------------------------------------------------------------------------------
def held_out_case(distinct: Callable[[int], list[str]]) -> list[Row]:
    texts = distinct(120)
    rows = [row(number, text, "BLOCK", source="spam") for number, text in enumerate(texts[:60])]
    rows += [
        row(number, text, "ALLOW", source="notices", origin=("법대", "공대", "인문대")[number % 3])
        for number, text in enumerate(texts[60:])
    ]
    # The same notices on another board, one mistyped, and a spam like a held-out one.
    law = [item for item in rows if item.origin == "법대"]
    return [
        *rows,
        row(900, law[0].text + "!", "ALLOW", source="notices", origin="공대"),
        row(901, law[1].text, "BLOCK", source="spam"),
    ]


def test_held_out_origins_are_the_whole_test_of_their_label(
    recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]
) -> None:
    rows = held_out_case(distinct)
    placed = split_rows(rows, recipe(hold_out=["법대"]))
    test = placed.splits["test"]
    assert {item.id for item in test if item.label == "ALLOW"} == {item.id for item in rows if item.origin == "법대"}
    assert sum(item.label == "BLOCK" for item in test) == 6
    assert sum(item.label == "ALLOW" for item in placed.splits["validation"]) == 6
    assert leaks(placed) == []


def test_rows_too_like_a_held_out_row_are_removed_and_name_it(
    recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]
) -> None:
    rows = held_out_case(distinct)
    law = [item.id for item in rows if item.origin == "법대"]
    for group in ("near_duplicate", "origin", "none"):
        placed = split_rows(rows, recipe(hold_out=["법대"], group=group, validation=0.0))
        assert [(item.id, item.reason, item.detail) for item in placed.removed] == [
            ("notices:900", "near_duplicate_of_held_out", law[0]),
            ("spam:901", "near_duplicate_of_held_out", law[1]),
        ]
        assert len(rows) == sum(sizes(placed).values()) + 2


def test_a_whole_source_can_be_held_out(recipe: Callable[..., Recipe], distinct: Callable[[int], list[str]]) -> None:
    rows = held_out_case(distinct)
    placed = split_rows(rows, recipe(hold_out=["notices"]))
    assert {item.id for item in rows if item.source == "notices"} <= {item.id for item in placed.splits["test"]}
    assert {item.label for item in placed.splits["train"]} == {"BLOCK"}


def test_an_unknown_hold_out_gets_the_nearest_name(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(DataError) as caught:
        split_rows([row(1, "가나다라마", origin="법과대학")], recipe(hold_out=["법대학"]))
    assert caught.value.key == "data.unknown_hold_out"
    assert caught.value.values["near"] == Message("data.nearest", {"near": "법과대학"})


def test_the_data_keep_a_seed_of_their_own(make_recipe: Callable[..., Recipe]) -> None:
    """Two trainings of different seeds are compared on the same rows: `data.seed` holds the split."""
    rows = rows_with_families(60)

    def test_ids(seed: int, data: dict[str, Any]) -> list[str]:
        made = make_recipe([{"path": "none.csv"}], data=data, seed=seed)
        return [row.id for row in split_rows(rows, made).splits["test"]]

    assert test_ids(1, {"seed": 7}) == test_ids(2, {"seed": 7}) == test_ids(7, {})
    assert test_ids(1, {}) != test_ids(2, {})


def test_rows_that_only_train_are_never_judged_and_leave_where_they_repeat_a_held_out_row(
    recipe: Callable[..., Recipe],
) -> None:
    real = [row(number, "".join(random.Random(number).choices(SYLLABLES, k=30)), "") for number in range(40)]
    made = [
        row(number, "".join(random.Random(900 + number).choices(SYLLABLES, k=30)), "", "made") for number in range(40)
    ]
    for group in ("near_duplicate", "none"):
        settings = recipe(train_only=["made"], test=0.2, validation=0.1, group=group)
        tested = split_rows(real, recipe(test=0.2, validation=0.1, group=group)).splits["test"]
        copies = [row(90 + place, item.text, "", "made") for place, item in enumerate(tested)]
        placed = split_rows([*real, *made, *copies], settings)
        held = {item.text for split in ("validation", "test") for item in placed.splits[split]}
        assert {item.source for split in ("validation", "test") for item in placed.splits[split]} == {"mail"}
        assert len(placed.splits["test"]) == 8  # a fifth of what may be tested, not of everything
        assert not held & {item.text for item in placed.splits["train"]}
        gone = [item for item in placed.removed if item.reason == "near_duplicate_of_held_out"]
        assert gone and {item.source for item in gone} == {"made"}
        assert sum(map(len, placed.splits.values())) + len(gone) == 80 + len(copies)
    with pytest.raises(DataError, match="train_only"):
        split_rows(real, recipe(train_only=["mad"]))
