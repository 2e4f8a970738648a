from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.core.errors import DataError, Problems
from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.data.lengths.token_lengths import TokenLengths
from dadeum.data.prepare import Prepared, prepare
from dadeum.data.repairs import cleaning
from dadeum.data.repairs.transforms import Applied
from dadeum.models.render import Fitted
from dadeum.tasks import decide

MakeRecipe = Callable[..., Recipe]


def raw_mail(num: int) -> list[tuple[str, str]]:
    chance = random.Random(num)
    syllables = "가나다라마바사아자차카타파하고노도로모보소오조초"
    return [("".join(chance.choices(syllables, k=14)), ("BLOCK", "ALLOW")[number % 2]) for number in range(num)]


def adds_up(prepared: Prepared) -> bool:
    ids = [item.id for items in prepared.examples.values() for item in items] + [row.id for row in prepared.removed]
    return len(ids) == len(set(ids)) == prepared.rows_in


def test_examples_are_what_the_task_writes(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    recipe = make_recipe([{"path": str(mail_file([("<b>(광고)</b>  보험료", "BLOCK"), *raw_mail(30)]))}])
    prepared = prepare(recipe)
    example = next(item for items in prepared.examples.values() for item in items if item.id == "mail:2")
    assert example.text == "(광고) 보험료"
    assert example.prompt == decide.prompt(recipe.task, {"subject": "(광고) 보험료"})
    assert example.completion == decide.completion(recipe.task, "BLOCK")
    assert (example.source, example.origin, example.label) == ("mail", "mail", "BLOCK")
    assert adds_up(prepared)


def test_every_removed_row_has_its_reason(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    clean = raw_mail(40)
    dirt = [clean[0], (clean[1][0] + " ", clean[1][1]), ("\u200b", "BLOCK"), ("라벨 없음", ""), ("모름", "x"), ("", "")]
    path = mail_file([*clean, *dirt])
    recipe = make_recipe([{"path": str(path), "on_bad_rows": "drop"}], data={"near_duplicate_similarity": 0.85})
    prepared = prepare(recipe)
    assert prepared.removed_by_reason == {
        "exact_duplicate": 2, "missing_label": 1, "unknown_label": 1, "blank_row": 1, "empty": 1,
    }  # fmt: skip
    assert prepared.rows_in == 46
    assert sum(prepared.used.values()) == 40
    assert adds_up(prepared)


cells = st.one_of(
    st.sampled_from(
        ["안내 메일입니다", "안내 메일입니다!", "회의록 송부드립니다", "", " ", "<b>안내</b> 메일입니다", "가"]
    ),
    st.text("가나다라마 ", max_size=8),
)
labels = st.sampled_from(["BLOCK", "ALLOW", "", "NaN", "모름"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.one_of(cells, labels), min_size=1, max_size=3), max_size=25),
    st.lists(st.tuples(cells, labels), min_size=1, max_size=25),
    st.sampled_from([(), ("nfc", "squash_spaces", "drop_empty"), None]),
    st.one_of(st.none(), st.integers(1, 10)),
    st.sampled_from(["near_duplicate", "none"]),
)
def test_rows_in_are_rows_used_plus_rows_removed(
    make_recipe: MakeRecipe,
    ragged: list[list[str]],
    rows: list[tuple[str, str]],
    clean: tuple[str, ...] | None,
    sample: int | None,
    group: str,
) -> None:
    """Whatever is in the files: broken lines, ragged rows, unknown labels, duplicates, samples."""
    with tempfile.TemporaryDirectory() as name:
        first, second = Path(name) / "a.csv", Path(name) / "b.jsonl"
        lines = [",".join(cell for cell in row) for row in ragged]
        first.write_text("\n".join(["subject,label", "처음 보는 메일,BLOCK", *lines]), encoding="utf-8")
        written = [json.dumps({"subject": subject, "label": label}) for subject, label in rows]
        second.write_text(
            "\n".join([*written, '{"subject": ', '{"subject": "끝", "label": "ALLOW"}']), encoding="utf-8"
        )
        mapping = {"subject": "subject", "label": "label"}
        sources = [
            {"path": str(path), "on_bad_rows": "drop", "map": mapping, "sample": sample} for path in (first, second)
        ]
        data = {"split": {"group": group}} | ({"clean": clean} if clean is not None else {})
        try:
            prepared = prepare(make_recipe(sources, data=data))
        except DataError as error:
            # Too few groups for three splits is a fact about the data, said before anything is written.
            assert error.key == "data.cannot_split"
            return
    assert adds_up(prepared)
    assert prepared.rows_in == 1 + sum(bool(line) for line in lines) + len(rows) + 2


def test_a_row_lost_on_the_way_is_our_bug_and_says_so(
    mail_file: Callable[..., Path], make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe([{"path": str(mail_file(raw_mail(20)))}])
    monkeypatch.setattr(cleaning, "apply_step", lambda step, rows, rules, memory: Applied(rows[1:], []))
    with pytest.raises(AssertionError, match="20 read, 14 used, 0 removed"):
        prepare(recipe)


def test_the_same_recipe_gives_the_same_examples(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    path = mail_file(raw_mail(120))
    first, again = (prepare(make_recipe([{"path": str(path)}])) for _ in range(2))
    assert first.examples == again.examples
    assert first.removed == again.removed
    other = prepare(make_recipe([{"path": str(path)}], seed=7))
    assert other.examples != first.examples


def test_all_sources_mistakes_come_at_once(
    tmp_path: Path, mail_file: Callable[..., Path], make_recipe: MakeRecipe
) -> None:
    good = {"path": str(mail_file(raw_mail(20)))}
    missing = {"path": str(tmp_path / "none.csv")}
    unknown = {"path": str(mail_file([("가", "x")], name="b.csv"))}
    with pytest.raises(Problems) as caught:
        prepare(make_recipe([missing, good, unknown]))
    assert [problem.key for problem in caught.value.problems] == ["data.missing_file", "data.bad_rows.unknown_label"]
    with pytest.raises(DataError) as alone:
        prepare(make_recipe([good, missing]))
    assert alone.value.key == "data.missing_file"


def test_two_sources_of_one_name_need_names(
    tmp_path: Path, mail_file: Callable[..., Path], make_recipe: MakeRecipe
) -> None:
    path = str(mail_file(raw_mail(30)))
    with pytest.raises(DataError) as caught:
        prepare(make_recipe([{"path": path}, {"path": path}]))
    assert caught.value.key == "data.two_sources"
    assert prepare(make_recipe([{"path": path}, {"path": path, "name": "again"}])).rows_in == 60


def test_nothing_left_says_why(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    with pytest.raises(DataError) as caught:
        prepare(make_recipe([{"path": str(mail_file([("\u200b", "BLOCK")]))}]))
    assert caught.value.key == "data.nothing_left"
    assert caught.value.values["reasons"] == "empty 1"


def test_what_was_guessed_is_said(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    prepared = prepare(make_recipe([{"path": str(mail_file([*raw_mail(30), ("광고 메일이 또 왔네요", "스팸")]))}]))
    assert prepared.guesses["mail"].columns == {"subject": "subject", "label": "label"}
    assert prepared.guesses["mail"].label_values == {"스팸": "BLOCK"}
    assert len(prepared.notes) == 2
    assert "label_values: {스팸: BLOCK}" in prepared.notes[1]
    told = {"path": str(mail_file(raw_mail(30))), "map": {"subject": "subject", "label": "label"}}
    assert prepare(make_recipe([told])).notes == []


def test_rows_over_the_token_limit_are_removed_or_cut(mail_file: Callable[..., Path], make_recipe: MakeRecipe) -> None:
    recipe = make_recipe([{"path": str(mail_file([("길" * 30, "BLOCK"), ("자" * 25, "ALLOW"), *raw_mail(40)]))}])

    def fits(examples: list[Example]) -> list[Fitted]:
        return [
            Fitted(None, 30, 3)
            if item.text.startswith("길")
            else Fitted(replace(item, prompt=item.prompt[:1]), 20, 3, was_cut=item.text.startswith("자"))
            for item in examples
        ]

    seen: list[tuple[str, int, int]] = []
    prepared = prepare(recipe, fits, lambda stage, done, total: seen.append((stage, done, total)))
    assert [(row.id, row.reason, row.detail) for row in prepared.removed] == [("mail:2", "too_long", "30 + 3")]
    assert prepared.limited is not None
    assert prepared.limited.lengths == TokenLengths(
        median=23, p95=23, longest=23, num_cut=1, num_dropped=1, rows=prepared.limited.lengths.rows
    )
    assert {(row["id"], row["tokens"]) for row in prepared.limited.lengths.rows} == {("mail:2", 33), ("mail:3", 23)}
    assert {name: len(rows) for name, rows in prepared.limited.fitted.items()} == prepared.used
    assert all(len(item.prompt) == 1 for items in prepared.examples.values() for item in items)
    assert adds_up(prepared)
    assert Counter(stage for stage, _, _ in seen)["data.progress.clean"] == len(recipe.data.clean)
    assert seen[-1] == ("data.progress.tokens", 42, 42)
