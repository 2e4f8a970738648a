from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import CheckBlocked, RecipeError, RunError
from dadeum.core.examples import Example, to_table
from dadeum.core.findings import Finding, read_findings
from dadeum.core.messages import LANGUAGES, Message, catalogue, text
from dadeum.core.plugins import find, names
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.data.build import _write, build_data
from dadeum.data.check import blocking, check_data, find_problems
from dadeum.data.lengths.token_lengths import TokenLengths
from dadeum.data.prepare import prepare
from dadeum.models.render import Fitted

MakeRecipe = Callable[..., Recipe]
MakeExample = Callable[..., Example]
CHECKS = names("data.checks")


@pytest.fixture
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe([{"path": "none.csv"}])


@pytest.fixture
def clean(make_example: MakeExample, distinct: Callable[[int], list[str]]) -> dict[str, list[Example]]:
    """Three splits that no check has anything against."""
    rows = [make_example(subject, ("BLOCK", "ALLOW")[n % 2]) for n, subject in enumerate(distinct(60))]
    return {"train": rows[:40], "validation": rows[40:50], "test": rows[50:]}


def found(recipe: Recipe, splits: dict[str, list[Example]], tokens: Any = None) -> dict[str, Finding]:
    """Findings by name; each can be said in both languages and shows at most three real rows."""
    findings = find_problems(recipe, splits, tokens)
    for finding in findings:
        for language in LANGUAGES:
            for part in ("title", "effect", "action"):
                values = {"count": finding.count, "total": finding.total} | finding.values
                assert text(f"checks.{finding.name}.{part}", language, **values)
        assert 1 <= len(finding.rows) <= 3
        assert all({"id", "split", "text"} < row.keys() for row in finding.rows)
        assert 0 < finding.count <= finding.total
    return {finding.name: finding for finding in findings}


def with_rows(splits: dict[str, list[Example]], **more: list[Example]) -> dict[str, list[Example]]:
    return {name: [*rows, *more.get(name, [])] for name, rows in splits.items()}


def test_clean_data_gives_no_finding(recipe: Recipe, clean: dict[str, list[Example]], all_fit: Any) -> None:
    assert found(recipe, clean, all_fit) == {}


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_has_a_code_its_file_name_and_words(name: str) -> None:
    module = find("data.checks", name)
    assert name == module.NAME
    assert module.CODE[:2] in {"DA", "KO", "PI"}  # data, Korean, privacy
    for language in LANGUAGES:
        assert {f"checks.{name}.{part}" for part in ("title", "effect", "action")} <= catalogue(language).keys()


def test_codes_differ() -> None:
    codes = [find("data.checks", name).CODE for name in CHECKS]
    assert len(set(codes)) == len(codes)


# -- one check each -------------------------------------------------------------------------------
def test_schema(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample) -> None:
    twice = clean["train"][0]
    backwards = make_example("역할이 뒤바뀐 메일", prompt=[{"role": "assistant", "content": "x"}])
    no_text = make_example("출처가 없는 메일", origin=None)
    finding = found(recipe, with_rows(clean, test=[backwards, no_text], train=[twice]))["schema"]
    assert (finding.count, finding.severity) == (4, "warn")
    assert {row["problem"] for row in finding.rows} <= {"id_twice", "no_user_turn"}


def test_empty_field(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample) -> None:
    empty = make_example(" ")
    silent = make_example("답이 없는 메일", completion=[{"role": "assistant", "content": ""}])
    finding = found(recipe, with_rows(clean, train=[empty, silent]))["empty_field"]
    assert (finding.count, finding.severity) == (2, "block")
    assert [row["empty"] for row in finding.rows] == ["input", "answer"]


@pytest.mark.parametrize(
    "answer", ['{"action": "BLOCK"', "BLOCK", '{"label": "BLOCK"}', '["BLOCK"]', '{"action": "BLOCK"} 끝']
)
def test_broken_json(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample, answer: str) -> None:
    broken = make_example("깨진 답이 붙은 메일", completion=[{"role": "assistant", "content": answer}])
    finding = found(recipe, with_rows(clean, train=[broken]))["broken_json"]
    assert (finding.count, finding.total, finding.severity) == (1, 61, "block")
    assert finding.rows[0] == {"id": broken.id, "split": "train", "text": broken.text, "answer": answer}


def test_unknown_label(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample) -> None:
    unknown = make_example("모르는 라벨이 붙은 메일", "보류")
    other = make_example("답과 라벨이 다른 메일", completion=[{"role": "assistant", "content": '{"action": "ALLOW"}'}])
    finding = found(recipe, with_rows(clean, test=[unknown, other]))["unknown_label"]
    assert (finding.count, finding.severity) == (2, "block")
    assert "'보류' 1" in finding.values["found"]


def test_single_class_overall(recipe: Recipe, clean: dict[str, list[Example]]) -> None:
    only = {name: [row for row in rows if row.label == "BLOCK"] for name, rows in clean.items()}
    finding = found(recipe, only)["single_class"]
    assert finding.severity == "block"
    assert finding.values == {
        "lacking": "train(ALLOW), validation(ALLOW), test(ALLOW)", "present": "BLOCK 30",
    }  # fmt: skip


def test_single_class_in_one_split_and_in_an_empty_one(
    recipe: Recipe, make_recipe: MakeRecipe, clean: dict[str, list[Example]]
) -> None:
    blocks = [row for row in clean["test"] if row.label == "BLOCK"]
    assert found(recipe, clean | {"test": blocks})["single_class"].values["lacking"] == "test(ALLOW)"
    assert found(recipe, clean | {"test": []})["single_class"].values["lacking"] == "test(BLOCK ALLOW)"
    without = make_recipe([{"path": "x"}], data={"split": {"test": 0.0}})
    assert found(without, clean | {"test": []}) == {}


def test_imbalance(make_recipe: MakeRecipe, clean: dict[str, list[Example]]) -> None:
    train = [row for row in clean["train"] if row.label == "BLOCK"] + clean["train"][1:4:2]
    lopsided = clean | {"train": train}
    finding = found(make_recipe([{"path": "x"}]), lopsided)["imbalance"]
    assert (finding.severity, finding.count, finding.values["ratio"]) == ("warn", 2, 10.0)
    assert found(make_recipe([{"path": "x"}], checks={"max_imbalance": 11}), lopsided) == {}


def test_duplicates(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample) -> None:
    text = "라이나생명 치매보험 평생 간병비 보장 상품 안내드립니다 지금 확인하세요"
    rows = [make_example(text, id=f"mail:{number}") for number in range(2)]
    near = make_example(text + "!")
    other_label = make_example(text + "?", "ALLOW")
    finding = found(recipe, with_rows(clean, train=[*rows, near, other_label]))["duplicates"]
    assert (finding.values["exact"], finding.values["near"], finding.severity) == (1, 1, "warn")
    assert finding.rows[0]["like"] == "mail:0"
    assert finding.rows[1]["similarity"] == pytest.approx(37 / 38, abs=1e-3)


def test_conflicting_labels(recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample) -> None:
    rows = [make_example("같은 입력 다른 라벨", label, id=f"mail:{label}") for label in ("BLOCK", "ALLOW")]
    finding = found(recipe, with_rows(clean, train=rows))["conflicting_labels"]
    assert (finding.count, finding.values["texts"], finding.severity) == (2, 1, "warn")
    assert [row["label"] for row in finding.rows] == ["BLOCK", "ALLOW"]


def test_split_leakage_tells_equal_masked_and_near(
    recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample
) -> None:
    def mail(text: str, number: int) -> Example:
        return make_example(text, id=f"leak:{number}")

    train = [
        mail("똑같이 되풀이되는 메일 제목", 1),
        mail("김민수님의 3월", 2),
        mail("라이나생명 치매보험 상품 안내드립니다", 3),
    ]
    test = [mail("똑같이 되풀이되는 메일 제목", 4), mail("이영희님의 4월", 5)]
    validation = [mail("라이나생명 치매보험 상품 안내드립니다!!", 6)]
    more_test = [mail("라이나생명 치매보험 상품 안내드립니다!!", 7)]
    finding = found(recipe, with_rows(clean, train=train, validation=validation, test=test + more_test))[
        "split_leakage"
    ]
    assert finding.severity == "block"
    assert {kind: finding.values[kind] for kind in ("exact", "masked", "near")} == {"exact": 1, "masked": 1, "near": 2}
    assert (finding.count, finding.total) == (4, 24)
    assert finding.values["share"] == pytest.approx(4 / 24)
    shown = {row["id"]: (row["how"], row["like"]) for row in finding.rows}
    assert shown["leak:6"] == ("near", "train leak:3")
    assert shown["leak:4"] == ("exact", "train leak:1")


def test_leakage_from_validation_into_test_counts(
    recipe: Recipe, clean: dict[str, list[Example]], make_example: MakeExample
) -> None:
    rows = [make_example("검증과 시험에 모두 있는 메일", id=f"mail:{number}") for number in range(2)]
    finding = found(recipe, with_rows(clean, validation=rows[:1], test=rows[1:]))["split_leakage"]
    assert finding.count == 1
    assert finding.rows[0]["like"] == "validation mail:0"


def test_source_shortcut(make_recipe: MakeRecipe, clean: dict[str, list[Example]]) -> None:
    def by_label(rows: list[Example]) -> list[Example]:
        return [replace(row, source=f"source of {row.label}") for row in rows]

    apart = {name: by_label(rows) for name, rows in clean.items()}
    plain = make_recipe([{"path": "x"}])
    finding = found(plain, apart)["source_shortcut"]
    assert (finding.severity, finding.count) == ("warn", 60)
    assert finding.values["pairs"] == "BLOCK = source of BLOCK, ALLOW = source of ALLOW"
    assert {row["source"] for row in finding.rows} == {"source of BLOCK", "source of ALLOW"}
    held_out = make_recipe([{"path": "x"}], data={"split": {"hold_out": ["a"]}})
    assert found(held_out, apart)["source_shortcut"].severity == "info"
    assert found(plain, clean) == {}


class Labels:
    """A tokenizer that only knows the tokens of the labels."""

    def __init__(self, label_spans: list[list[int]]) -> None:
        self.label_spans = label_spans


@pytest.mark.parametrize("spans", [[[1, 2], [1, 2]], [[1], [1, 2]], [[1, 2, 3], [1, 2]]])
def test_labels_that_the_tokenizer_cannot_tell_apart(
    recipe: Recipe, clean: dict[str, list[Example]], spans: list[list[int]]
) -> None:
    (finding,) = find_problems(recipe, clean, Labels(spans))
    assert (finding.name, finding.values["pairs"]) == ("label_collision", "BLOCK / ALLOW")
    assert finding.severity == "block"
    assert find_problems(recipe, clean, Labels([[1, 2], [1, 3]])) == []


def test_token_length(recipe: Recipe, clean: dict[str, list[Example]]) -> None:
    rows = [{"id": "mail:1", "split": "train", "text": "길다", "tokens": 5003}]
    lengths = TokenLengths(median=13, p95=20, longest=2048, num_cut=1, num_dropped=2, rows=rows)
    (finding,) = find_problems(recipe, clean, lengths=lengths)
    assert (finding.name, finding.count, finding.total, finding.severity) == ("token_length", 3, 62, "warn")
    assert finding.values["share"] == pytest.approx(3 / 62)
    assert (finding.values["dropped"], finding.values["over"], finding.rows) == (2, 1, rows)
    assert "2048" in text("checks.token_length.title", "ko", count=3, total=62, **finding.values)
    assert find_problems(recipe, clean, lengths=replace(lengths, num_cut=0, num_dropped=0)) == []


# -- what stops a run ---------------------------------------------------------------------------------
def test_the_recipe_decides_what_blocks(make_recipe: MakeRecipe, clean: dict[str, list[Example]]) -> None:
    only = {name: [row for row in rows if row.label == "BLOCK"] for name, rows in clean.items()}
    relaxed = make_recipe([{"path": "x"}], checks={"block_on": []})
    assert found(relaxed, only)["single_class"].severity == "warn"
    assert blocking(relaxed, find_problems(relaxed, only)) == []
    strict = make_recipe([{"path": "x"}], checks={"block_on": ["imbalance"], "max_imbalance": 1})
    assert found(strict, clean)["imbalance"].severity == "block"


def test_an_unknown_check_gets_the_nearest_name(make_recipe: MakeRecipe, clean: dict[str, list[Example]]) -> None:
    recipe = make_recipe([{"path": "x"}], checks={"block_on": ["single_clas"]})
    with pytest.raises(RecipeError) as caught:
        find_problems(recipe, clean)
    assert caught.value.key == "data.unknown_check"
    assert caught.value.values["near"] == Message("data.nearest", {"near": "single_class"})


def test_the_blocking_error_says_what_to_do_in_both_languages(recipe: Recipe, clean: dict[str, list[Example]]) -> None:
    only = {name: [row for row in rows if row.label == "BLOCK"] for name, rows in clean.items()}
    only["test"] = only["train"][:5]
    findings = find_problems(recipe, only)
    (error,) = blocking(recipe, findings)
    assert error.values["names"] == "single_class, split_leakage"
    assert "ALLOW" in error.in_language("ko")
    assert "다른 소스로 더하세요" in error.in_language("ko")
    assert "from another source" in error.in_language("en")
    assert [finding.severity for finding in findings[:2]] == ["block", "block"]


# -- on a run folder ----------------------------------------------------------------------------------
@pytest.fixture
def built(
    mail_file: Callable[..., Path],
    make_recipe: MakeRecipe,
    distinct: Callable[[int], list[str]],
    tmp_path: Path,
    all_fit: Any,
) -> Callable[[list[str]], tuple[Recipe, Run]]:
    """`built(labels)` → recipe and run whose data is built from 60 mails with these labels in turn."""

    def build(labels: list[str]) -> tuple[Recipe, Run]:
        path = mail_file([(subject, labels[n % len(labels)]) for n, subject in enumerate(distinct(60))])
        recipe = make_recipe([{"path": str(path)}])
        run = Run.create(recipe, tmp_path / "run")
        build_data(recipe, run, fits=all_fit)
        return recipe, run

    return build


def test_check_data_writes_findings_and_passes(built: Callable[..., tuple[Recipe, Run]], all_fit: Any) -> None:
    recipe, run = built(["BLOCK", "ALLOW"])
    result = check_data(recipe, run, tokens=all_fit)
    assert (result.findings, result.num_checks) == ([], len(CHECKS))
    assert read_findings(run.findings_path) == []
    assert run.findings_path.exists()


def test_check_data_blocks_after_writing_findings(built: Callable[..., tuple[Recipe, Run]], all_fit: Any) -> None:
    recipe, run = built(["BLOCK"])
    with pytest.raises(CheckBlocked) as caught:
        check_data(recipe, run, tokens=all_fit)
    assert caught.value.key == "data.check_blocked"
    (finding,) = read_findings(run.findings_path)
    assert (finding.name, finding.severity, finding.count) == ("single_class", "block", 60)


def test_check_data_tells_of_rows_removed_for_their_length(
    built: Callable[..., tuple[Recipe, Run]], all_fit: Any
) -> None:
    recipe, run = built(["BLOCK", "ALLOW"])

    def fits(examples: list[Example]) -> list[Fitted]:
        return [Fitted(None if row.id == "mail:2" else row, 10, 3) for row in examples]

    build_data(recipe, run, fits=fits)
    result = check_data(recipe, run, tokens=all_fit)
    (finding,) = result.findings
    assert (finding.name, finding.severity, finding.values["dropped"], finding.total) == ("token_length", "warn", 1, 60)


def test_check_data_finds_a_split_file_that_was_edited(built: Callable[..., tuple[Recipe, Run]], all_fit: Any) -> None:
    recipe, run = built(["BLOCK", "ALLOW"])
    prepared = prepare(recipe)
    moved = prepared.examples["train"][0]
    _write(to_table([*prepared.examples["test"], moved]), run, "test")
    with pytest.raises(CheckBlocked):
        check_data(recipe, run, tokens=all_fit)
    assert {"schema", "split_leakage"} <= {finding.name for finding in read_findings(run.findings_path)}


def test_check_data_before_build_names_the_step(recipe: Recipe, tmp_path: Path, all_fit: Any) -> None:
    with pytest.raises(RunError) as caught:
        check_data(recipe, Run.create(recipe, tmp_path / "run"), tokens=all_fit)
    assert caught.value.key == "errors.missing_step"


# -- words --------------------------------------------------------------------------------------------
def test_every_reason_has_words_and_every_bad_row_an_error() -> None:
    source = Path(__file__).parents[2] / "src/dadeum/data"
    reasons = {
        "blank_row", "broken_json", "not_an_object", "duplicate_key", "ragged_row", "broken_quote", "huge_cell",
        "missing_label", "unknown_label", "not_sampled", "empty", "exact_duplicate", "near_duplicate",
        "near_duplicate_of_held_out", "too_long", "phrase", "phrase_capped", "mixed_speech", "balanced", "changed",
        "unknown_role", "wrong_type", "missing_field", "unknown_split", "missing_document",
        "unequal_prompts", "no_answer", "turn_order", "not_one_dialogue", "no_chunk", "missing_chunk", "no_gold_answer",
        "nothing_to_find", "taught_before", "tested_before",
    }  # fmt: skip
    written = " ".join(path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    assert [reason for reason in reasons if f'"{reason}"' not in written] == []
    for language in LANGUAGES:
        keys = catalogue(language).keys()
        assert {key.removeprefix("data.reason.") for key in keys if key.startswith("data.reason.")} == reasons
        raised = {key.removeprefix("data.bad_rows.") for key in keys if key.startswith("data.bad_rows.")}
        assert raised < {*reasons, "several"}
        assert {"ragged_row", "huge_cell", "missing_label", "unknown_label", "several"} < raised


def test_random_blocking_errors_never_lack_a_value(recipe: Recipe, clean: dict[str, list[Example]]) -> None:
    chance = random.Random(1)
    for _ in range(5):
        rows = [row for split in clean.values() for row in split]
        chance.shuffle(rows)
        splits = {"train": rows[:20] + rows[:3], "validation": rows[18:30], "test": rows[:1]}
        for error in blocking(recipe, find_problems(recipe, splits)):
            assert "{" not in str(error)
