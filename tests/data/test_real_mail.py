"""The real block list and notices of ../shared/data; skipped where they are not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import CheckBlocked
from dadeum.core.examples import Example, read_examples
from dadeum.core.findings import read_findings
from dadeum.core.korean import masked
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.data.check import check_data, context_of
from dadeum.data.checks import split_leakage
from dadeum.data.prepare import prepare
from dadeum.data.reading.mapping import read_rows
from dadeum.data.reading.sources import read_source

HELD_OUT = ["law.ssu.ac.kr", "startup.ssu.ac.kr", "cse.ssu.ac.kr/bachelor"]


@pytest.fixture
def block(shared_data: Path) -> dict[str, Any]:
    return {"path": str(shared_data / "spam" / "postal_block_list.csv"), "name": "block"}


@pytest.fixture
def allow(shared_data: Path) -> dict[str, Any]:
    mapping = {"subject": "title", "attachments": "attachments", "origin": "board"}
    path = shared_data / "spam" / "notice_allow_titles.jsonl"
    return {"path": str(path), "name": "allow", "map": mapping, "label": "ALLOW"}


TASK = {"input_fields": ["subject", "attachments"]}


def test_the_public_list_alone_is_understood_and_then_refused(
    block: dict[str, Any], make_recipe: Callable[..., Recipe], tmp_path: Path, all_fit: Any
) -> None:
    recipe = make_recipe([block | {"sample": 3000}], task=TASK)
    run = Run.create(recipe, tmp_path / "run")
    built = build_data(recipe, run, fits=all_fit)
    assert built.rows_in == 22_113
    assert built.rows_in == sum(built.used.values()) + sum(built.removed.values())
    assert built.removed["not_sampled"] == 22_113 - 3_000
    assert built.guesses["block"].columns == {"subject": "제목", "attachments": "첨부", "label": "메일 종류"}
    with pytest.raises(CheckBlocked) as caught:
        check_data(recipe, run, tokens=all_fit)
    assert caught.value.values["names"] == "single_class"
    # Subjects with broken characters, names of people and Japanese text are really there.
    found = {finding.name: finding.severity for finding in read_findings(run.findings_path)}
    assert found.pop("single_class") == "block"
    assert "block" not in found.values()
    assert {"mojibake", "personal_contacts", "foreign_script"} <= found.keys()


def test_list_and_notices_with_boards_held_out(
    block: dict[str, Any], allow: dict[str, Any], make_recipe: Callable[..., Recipe], tmp_path: Path, all_fit: Any
) -> None:
    recipe = make_recipe([block | {"sample": 5000}, allow], task=TASK, data={"split": {"hold_out": HELD_OUT}})
    run = Run.create(recipe, tmp_path / "run")
    built = build_data(recipe, run, fits=all_fit)
    assert built.rows_in == 22_113 + 2_504 == sum(built.used.values()) + sum(built.removed.values())
    result = check_data(recipe, run, tokens=all_fit)
    found = {finding.name for finding in result.findings}
    assert {"source_shortcut", "mojibake", "personal_contacts"} <= found
    assert not found & {"single_class", "split_leakage", "duplicates", "empty_field", "broken_json"}
    splits = {name: read_examples(run.split_path(name)) for name in ("train", "validation", "test")}
    assert {example.origin for example in splits["test"] if example.label == "ALLOW"} == set(HELD_OUT)
    assert not {example.origin for name in ("train", "validation") for example in splits[name]} & set(HELD_OUT)
    assert known_share(splits["test"], splits["train"] + splits["validation"]) == 0.0


def test_a_random_split_of_the_same_mail_leaks_a_third(
    block: dict[str, Any], allow: dict[str, Any], make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe([block, allow], task=TASK, data={"split": {"group": "none"}})
    prepared = prepare(recipe)
    (leak,) = split_leakage.check(context_of(recipe, prepared.examples))
    assert 0.25 < leak.values["share"] < 0.35


def known_share(test: list[Example], known: list[Example], num_rows: int = 80) -> float:
    """Share of sampled test rows that stand in `known`, by comparing each with all of it."""
    masked_known = {masked(example.text) for example in known}
    by_gram: dict[str, set[int]] = {}
    grams = [shingles(example.text) for example in known]
    for number, found in enumerate(grams):
        for gram in found:
            by_gram.setdefault(gram, set()).add(number)
    leaked = 0
    sample = random.Random(1).sample(test, num_rows)
    for example in sample:
        own = shingles(example.text)
        candidates = set().union(*(by_gram.get(gram, set()) for gram in own))
        near = any(10 * len(own & grams[number]) >= 7 * len(own | grams[number]) for number in candidates)
        leaked += near or masked(example.text) in masked_known
    return leaked / num_rows


def shingles(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(len(text) - 2)} if len(text) >= 5 else set()


def test_attachments_of_the_public_list_become_names(block: dict[str, Any], make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe([block], task=TASK)
    first = read_rows(recipe.data.sources[0], recipe.task, seed=1).rows[0]
    assert first.fields == {"subject": "Offer", "attachments": ["Offer.docx", "Offer - contextual advertising.docx"]}
    assert first.label == "BLOCK"


def test_the_list_saved_by_korean_excel_reads_the_same(
    block: dict[str, Any], make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    text = Path(block["path"]).read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines(keepends=True) if encodable(line)]
    tables = []
    for encoding in ("cp949", "utf-16", "utf-8"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes("".join(lines).encode(encoding))
        (source,) = make_recipe([{"path": str(path)}]).data.sources
        tables.append(read_source(source))
    assert [table.encoding for table in tables] == ["cp949", "utf-16", "utf-8"]
    assert tables[0].rows == tables[1].rows == tables[2].rows
    assert len(tables[0].rows) > 20_000


def encodable(line: str) -> bool:
    return line.encode("cp949", "replace").decode("cp949") == line
