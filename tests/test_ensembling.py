"""What may be put together, and what is written; the way through real models is a journey test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import RunError
from dadeum.core.examples import Example, asked_hash, read_examples, to_table
from dadeum.core.run import Run, read_jsonl
from dadeum.ensembling import ensemble
from dadeum.evaluation.comparison.several import compare_runs
from dadeum.evaluation.comparison.words import gain
from tests.evaluation.comparison.made import RAW, columns, written_run

ANSWERS = {
    "one": ["민수는 내일 두 시에 회의를 한다.", "지현은 김밥을 먹는다.", "둘은 병원에 간다."],
    "two": ["민수는 내일 두 시에 회의를 한다.", "날씨가 맑다.", "둘은 학교에 간다."],
    "odd": ["날씨가 맑다.", "지현은 김밥을 먹는다.", "둘은 병원에 간다."],
}
RIGHT = [ANSWERS["one"][0], ANSWERS["one"][1], ANSWERS["one"][2]]


def members(folder: Path, **sections: Any) -> list[Run]:
    """Three runs of three rows; two of them agree on each row."""
    runs = []
    for name, said in ANSWERS.items():
        write_rows(Run(folder / name), 3)
        test_hash = asked_hash(read_examples(Run(folder / name).split_path("test")))
        (folder / name / "data").rename(folder / "data")  # a new run wants an empty folder
        run = written_run(folder / name, columns(0.2, num=3), answers=said, test_hash=test_hash, **sections)
        (folder / "data").rename(folder / name / "data")
        run.adapter_folder(run.recipe()).mkdir(parents=True)
        runs.append(run)
    return runs


def write_rows(run: Run, num: int) -> None:
    import pyarrow.parquet as pq

    (run.folder / "data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [
            Example(
                id=f"talk:{number}", source="talk", origin="talk", group=f"talk:{number}", text="대화",
                prompt=[{"role": "user", "content": "대화"}],
                completion=[{"role": "assistant", "content": RIGHT[number % 3]}], label="",
            )
            for number in range(num)
        ]  # fmt: skip
        pq.write_table(to_table(rows), run.split_path(split))


SMALL: dict[str, Any] = {"evaluate": {"baselines": [], "bootstrap_samples": 100, "similarity_model": None}}


def test_the_answer_that_most_members_give_is_taken_without_a_reference(tmp_path: Path) -> None:
    runs = members(tmp_path, **SMALL)
    made, found = ensemble(runs, "mbr", folder=tmp_path / "made")
    assert [row["answers"]["tuned"] for row in read_jsonl(made.samples_path)] == RIGHT
    told = made.manifest()["ensemble"]
    assert told["taken"] == {"one": 3, "two": 0, "odd": 0}
    assert [Path(member["folder"]).name for member in told["members"]] == ["one", "two", "odd"]
    mine, *others = found.entrants
    assert mine.method == "mbr (one + two + odd)"
    # Every member has to answer, and was trained.
    assert mine.cost.seconds_per_row == pytest.approx(sum(each.cost.seconds_per_row for each in others))
    assert mine.cost.training_seconds == sum(each.cost.training_seconds for each in others)
    assert mine.cost.num_trainable == 3 * 1200
    assert (made.folder / "comparison" / "comparison.html").exists()
    assert (made.folder / "report.html").exists()


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"model": RAW["model"] | {"base": "another/base"}}, "ensemble.different_bases"),
        ({"model": RAW["model"] | {"revision": "abc"}}, "ensemble.different_bases"),
        ({"model": {"base": "some/base", "adapter": {"type": "qlora", "bits": 4}}}, "ensemble.different_bases"),
        ({"model": {"base": "some/base", "adapter": {"type": "none"}}}, "ensemble.full_weights"),
        ({"task": {"type": "summarize", "instruction": "짧게 줄이세요."}}, "ensemble.different_sections"),
        ({"render": {"format": "instruction"}}, "ensemble.different_sections"),
    ],
)
def test_adapters_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, changed: dict[str, Any], key: str
) -> None:
    first, *_ = members(tmp_path / "alike")
    other, *_ = members(tmp_path / "other", **changed)
    with pytest.raises(RunError) as caught:
        ensemble([first, other], "linear", folder=tmp_path / "made")
    assert caught.value.key == key
    assert not (tmp_path / "made").exists()


def test_mbr_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    runs = members(tmp_path)
    for given, key in (({"weights": [1, 1, 1]}, "ensemble.mbr_weights"), ({"density": 0.5}, "ensemble.no_density")):
        with pytest.raises(RunError) as caught:
            ensemble(runs, "mbr", folder=tmp_path / "made", **given)
        assert caught.value.key == key
    with pytest.raises(RunError) as caught:
        ensemble(runs[:2], "mbr")
    assert caught.value.key == "ensemble.mbr_of_two"


def test_rows_that_the_recipe_no_longer_asks_leave_no_folder(tmp_path: Path) -> None:
    runs = members(tmp_path, evaluate=SMALL["evaluate"] | {"generate_rows": 2})
    with pytest.raises(RunError) as caught:
        ensemble(runs, "mbr", folder=tmp_path / "made")
    assert caught.value.key == "ensemble.other_rows"


@pytest.mark.parametrize(
    ("own", "best", "said"),
    [
        (0.5, 0.3, "surely better than its best member b"),
        (0.3, 0.5, "surely worse than its best member b"),
        (0.3, 0.3, "not shown to be better than its best member"),
    ],
)
def test_the_gain_is_told_against_the_best_member(tmp_path: Path, own: float, best: float, said: str) -> None:
    figures = {"ensemble": own, "a": 0.1, "b": best}
    runs = [written_run(tmp_path / name, columns(mean, seed=at)) for at, (name, mean) in enumerate(figures.items())]
    found = compare_runs(runs)
    line = gain(found).en
    assert said in line
    values = [each.figures[found.main].value for each in found.entrants]
    assert f"{values[0] - values[2]:+.3f}".replace("-", "−") in line
