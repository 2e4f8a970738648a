"""Train/serve skew on a run that was really trained (two layers), through the real engine and the real routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.run import Run, read_jsonl, write_jsonl
from dadeum.gateway.catalogue import Catalogue, ServedModel, catalogue_of
from dadeum.gateway.engine.local import LocalEngine
from dadeum.gateway.replay import rows_of
from dadeum.gateway.settings import Limits
from dadeum.gateway.verify import Verified, verify_served
from tests.gateway.conftest import FakeEngine, make_gateway
from tests.tiny import evaluated_decider


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny decider, evaluated: full weights, so that nothing has to be trained first."""
    root = tmp_path_factory.mktemp("decider")
    return evaluated_decider(root)


@pytest.fixture(scope="module")
def engine(run: Run) -> Iterator[LocalEngine]:
    made = LocalEngine(catalogue_of([run.folder], with_base=False), Limits())
    made.open()
    yield made
    asyncio.run(made.drain(1))


def only(catalogue: Catalogue) -> ServedModel:
    [model] = list(catalogue)
    return model


def check(engine: Any, model: ServedModel) -> Verified:
    return asyncio.run(verify_served(make_gateway(engine=engine), model))


def test_what_was_judged_is_what_is_served(engine: LocalEngine) -> None:
    gateway = make_gateway(engine=engine)
    found = asyncio.run(verify_served(gateway, only(engine.catalogue)))
    assert (found.passed, found.num_rows, found.skipped, found.differences) == (True, 8, {}, ()), found
    assert found.largest < 1e-5
    assert gateway.store.written == [] and gateway.keys.charged == []  # type: ignore[attr-defined]
    assert [message.key for message in found.messages()] == ["gateway.verify.same"]


def test_another_temperature_is_seen_row_by_row_and_in_the_figures(
    run: Run, engine: LocalEngine, tmp_path: Path
) -> None:
    model = copied(run, only(engine.catalogue), tmp_path)
    samples = read_jsonl(Run(tmp_path).samples_path)
    samples[2]["probabilities"] = {"BLOCK": 0.9999, "ALLOW": 0.0001}
    samples[3]["predicted"] = "BLOCK" if samples[3]["predicted"] == "ALLOW" else "ALLOW"
    write_jsonl(Run(tmp_path).samples_path, samples)
    scores = json.loads(Run(tmp_path).scores_path.read_text())
    scores["systems"]["tuned"]["accuracy"]["value"] = 0.123
    Run(tmp_path).scores_path.write_text(json.dumps(scores))
    found = check(engine, model)
    assert not found.passed
    assert found.num_different == 3
    assert {one.what for one in found.differences} == {"probability", "label", "accuracy"}
    assert "0.123" in "\n".join(map(str, found.messages()))


def test_scores_of_other_rows_or_none_at_all_verify_nothing(run: Run, engine: LocalEngine, tmp_path: Path) -> None:
    model = copied(run, only(engine.catalogue), tmp_path)
    Run(tmp_path).split_path("test").write_bytes(Run(tmp_path).split_path("validation").read_bytes())
    with pytest.raises(RunError, match="evaluate"):
        check(engine, model)
    Run(tmp_path).samples_path.unlink()
    with pytest.raises(RunError, match="evaluate"):
        check(engine, model)


def test_a_refusal_is_a_difference(run: Run, engine: LocalEngine, tmp_path: Path) -> None:
    model = copied(run, only(engine.catalogue), tmp_path)

    class Failing(FakeEngine):
        async def decide(self, *given: Any) -> Any:
            raise RuntimeError("broken")

    catalogue = Catalogue()
    catalogue.add(model)
    found = check(Failing(catalogue), model)
    assert (found.num_different, found.differences[0].what) == (8, "status")


def test_rows_that_were_cut_are_counted_not_hidden(run: Run, engine: LocalEngine, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from dadeum.core.examples import read_examples, to_table
    from dadeum.core.run import file_hash

    model = copied(run, only(engine.catalogue), tmp_path)
    copy = Run(tmp_path)
    rows = read_examples(copy.split_path("test"))
    rows[0].prompt[-1]["content"] = rows[0].prompt[-1]["content"][:-4]
    pq.write_table(to_table(rows), copy.split_path("test"))
    scores = json.loads(copy.scores_path.read_text()) | {"test_hash": file_hash(copy.split_path("test"))}
    copy.scores_path.write_text(json.dumps(scores))
    made, skipped, figures = rows_of(model)
    assert (len(made), skipped, figures) == (7, {"cut": 1}, {})


def copied(run: Run, model: ServedModel, folder: Path) -> ServedModel:
    import shutil

    for name in ("data", "evaluation"):
        shutil.copytree(run.folder / name, folder / name)
    for name in ("recipe.yaml", "manifest.json"):
        shutil.copy(run.folder / name, folder / name)
    return replace(model, run=folder)


def test_nothing_that_could_be_asked_is_not_called_the_same() -> None:
    first, *_ = Verified("finder@aaaaaaaaaaaa", 0, 0, skipped={"vectors": 3}).messages()
    assert first.key == "gateway.verify.nothing"
