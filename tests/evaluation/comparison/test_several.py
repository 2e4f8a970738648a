from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dadeum.core.errors import RunError
from dadeum.core.examples import Example, to_table
from dadeum.core.run import Run
from dadeum.evaluation.comparison import words
from dadeum.evaluation.comparison.several import compare_runs
from tests.evaluation.comparison.made import RAW, TRAINED, columns, decided_run, written_run


@pytest.fixture
def three(tmp_path: Path) -> list[Run]:
    """A weak run, a strong slow one, and one that cannot be told from the strong one and is fast."""
    return [
        written_run(tmp_path / "weak", columns(0.10, seed=1)),
        written_run(tmp_path / "strong", columns(0.302, seed=2), seconds=48.0),
        written_run(tmp_path / "fast", columns(0.300, seed=3), seconds=12.0),
    ]


def test_who_is_best_who_is_equal_and_whom_to_take(three: list[Run]) -> None:
    found = compare_runs(three)
    values = [each.figures["content_rouge_l"].value for each in found.entrants]
    assert found.best == int(np.argmax(values))
    assert (found.main, found.num_rows, found.num_groups) == ("content_rouge_l", 24, 24)
    weak = found.against_best[0]
    assert weak is not None
    assert weak.is_sure
    assert weak.pair.value == pytest.approx(values[0] - max(values))
    assert weak.pair.low < weak.pair.value < weak.pair.high < 0
    assert found.choice.equals == [1, 2]
    assert (found.choice.chosen, found.choice.reason) == (2, "time")
    assert "fast" in words.conclusion(found).en
    assert "0.5 s" in words.conclusion(found).en


def test_p_values_are_corrected_for_all_three_pairs(three: list[Run]) -> None:
    """The first of three sorted p-values is multiplied by 3."""
    found = compare_runs(three)
    weak = found.against_best[0]
    assert weak is not None
    assert weak.pair.p is not None
    assert weak.p_holm == pytest.approx(min(1, 3 * weak.pair.p))


def test_another_figure_may_decide(tmp_path: Path) -> None:
    runs = [
        written_run(tmp_path / "a", columns(0.3, seed=1, unsupported_numbers=0.5)),
        written_run(tmp_path / "b", columns(0.2, seed=2, unsupported_numbers=0.1)),
    ]
    assert compare_runs(runs).best == 0
    assert compare_runs(runs, "unsupported_numbers").best == 1
    with pytest.raises(RunError) as caught:
        compare_runs(runs, "bleu")
    assert caught.value.values["known"] == "content_rouge_l, rouge_1, unsupported_numbers"


def test_a_figure_without_a_better_side_cannot_decide(tmp_path: Path) -> None:
    runs = [written_run(tmp_path / name, columns(0.3, length_ratio=1.0)) for name in "ab"]
    with pytest.raises(RunError, match="rouge_1"):
        compare_runs(runs, "length_ratio")


def test_shared_words_alone_do_not_choose_in_silence(tmp_path: Path) -> None:
    runs = [
        written_run(tmp_path / "inventive", columns(0.4, seed=1, unsupported_numbers=0.6)),
        written_run(tmp_path / "faithful", columns(0.3, seed=2, unsupported_numbers=0.1)),
    ]
    found = compare_runs(runs)
    assert [(place, metric) for place, metric, _ in found.unfaithful] == [(1, "unsupported_numbers")]
    assert any("faithful" in caution.en and "not in the source" in caution.en for caution in words.cautions(found))
    assert compare_runs(runs[::-1], "unsupported_numbers").unfaithful == []


def test_few_rows_show_nothing_so_the_best_figure_is_taken(tmp_path: Path) -> None:
    """A run that is not surely worse is not therefore as good: the fast one must not win by lack of evidence."""
    runs = [
        written_run(tmp_path / "fast", columns(0.1, num=5), seconds=1.0),
        written_run(tmp_path / "good", columns(0.9, num=5), seconds=9.0),
    ]
    found = compare_runs(runs)
    assert (found.choice.equals, found.choice.chosen, found.choice.reason) == ([1], 1, "only_best")
    assert found.against_best[0].p_holm is None
    assert "Fewer than 6 groups" in " ".join(each.en for each in words.sentences(found))


def test_equal_runs_are_equal(tmp_path: Path) -> None:
    runs = [written_run(tmp_path / name, columns(0.3, seed=1)) for name in "ab"]
    found = compare_runs(runs)
    assert found.choice.equals == [0, 1]
    assert found.against_best[1].p_holm == 1.0


def test_cost_is_that_of_all_stages_and_nothing_is_invented(tmp_path: Path) -> None:
    stages = [{"name": "sft", "method": "sft"}, {"name": "dpo", "method": "dpo", "pairs": {"sampled": 2}}]
    later = TRAINED | {"seconds": 30.0, "peak_memory_mb": 4096.0}
    runs = [
        written_run(tmp_path / "a", columns(0.3), manifest={"training": {"sft": TRAINED, "dpo": later}}, stages=stages),
        written_run(tmp_path / "b", columns(0.2), training=None, seconds=None),
    ]
    one, other = compare_runs(runs).entrants
    assert one.method == "sft → dpo"
    assert (one.cost.training_seconds, one.cost.peak_memory_mb) == (90.0, 4096.0)
    assert one.cost.seconds_per_row == 12.0 / 24
    assert set(vars(other.cost).values()) == {None}
    half = written_run(tmp_path / "c", columns(0.2), training={**TRAINED, "peak_memory_mb": None})
    assert compare_runs([runs[0], half]).entrants[1].cost.peak_memory_mb is None


def test_baselines_stand_once_where_all_runs_share_them(tmp_path: Path) -> None:
    lead, other = columns(0.15, seed=8), columns(0.12, seed=9)
    other_base = RAW["model"] | {"base": "b"}
    systems = {"lead": lead, "base_model": other}
    runs = [
        written_run(tmp_path / "a", columns(0.3), systems),
        written_run(tmp_path / "b", columns(0.2), systems | {"base_model": columns(0.05)}, model=other_base),
    ]  # fmt: skip
    found = compare_runs(runs)
    assert [(each.system, len(each.entrants)) for each in found.baselines] == [
        ("lead", 2), ("base_model", 1), ("base_model", 1),
    ]  # fmt: skip


def test_a_baseline_as_good_as_the_best_run_is_pointed_at(tmp_path: Path) -> None:
    systems = {"lead": columns(0.35, seed=8)}
    runs = [written_run(tmp_path / name, columns(0.3, seed=at), systems) for at, name in enumerate("ab")]
    assert any("inside the 95% interval" in caution.en for caution in words.cautions(compare_runs(runs)))


# -- decisions ------------------------------------------------------------------------------------
def test_decisions_are_compared_on_accuracy_or_macro_f1(tmp_path: Path) -> None:
    gold = "0" * 30 + "1" * 30
    runs = [
        decided_run(tmp_path / "bad", gold, "1" * 15 + "0" * 15 + "1" * 30),
        decided_run(tmp_path / "good", gold, "0" * 29 + "1" * 31),
        decided_run(tmp_path / "also", gold, "0" * 30 + "1" * 29 + "0"),
    ]
    found = compare_runs(runs)
    assert (found.main, found.best, found.choice.equals) == ("accuracy", 1, [1, 2])
    assert found.against_best[0].is_sure
    by_f1 = compare_runs(runs, "macro_f1")
    assert by_f1.choice.equals == [1, 2]
    against = by_f1.against_best[0]
    figures = [each.figures["macro_f1"].value for each in by_f1.entrants]
    assert against.pair.value == pytest.approx(figures[0] - max(figures))
    assert against.is_sure


def test_macro_f1_of_equal_decisions_has_p_1(tmp_path: Path) -> None:
    gold, said = "0011" * 5, "0101" * 5
    runs = [decided_run(tmp_path / name, gold, said) for name in "ab"]
    assert compare_runs(runs, "macro_f1").against_best[1].pair.p == 1.0


# -- refused --------------------------------------------------------------------------------------
def test_wrong_input_is_refused_with_what_differs(tmp_path: Path, three: list[Run]) -> None:
    with pytest.raises(RunError) as caught:
        compare_runs(three[:1])
    assert caught.value.key == "compare.too_few"
    with pytest.raises(RunError) as caught:
        compare_runs([three[0], three[1], Run(three[0].folder / ".." / "weak")])
    assert caught.value.key == "compare.same_run"
    with pytest.raises(RunError, match="dadeum evaluate"):
        compare_runs([three[0], Run.create(three[0].recipe(), tmp_path / "bare")])
    with pytest.raises(RunError) as caught:
        compare_runs([three[0], decided_run(tmp_path / "decides", "01", "01")])
    assert caught.value.key == "evaluate.compare.different_tasks"


def test_other_test_rows_are_named(tmp_path: Path, three: list[Run]) -> None:
    ids = [f"talk:{number}" for number in range(2, 26)]
    other = written_run(tmp_path / "other", columns(0.3), ids=ids, test_hash="other")
    with pytest.raises(RunError) as caught:
        compare_runs([*three, other])
    assert caught.value.key == "compare.different_rows"
    told = caught.value.values
    assert (told["num_only_first"], told["num_only_second"]) == (2, 2)
    assert (told["only_first"], told["only_second"]) == ("talk:0, talk:1", "talk:24, talk:25")
    sample = written_run(tmp_path / "sample", columns(0.3, num=9))
    with pytest.raises(RunError) as caught:
        compare_runs([three[0], sample])
    assert caught.value.key == "compare.different_sample"
    edited = written_run(tmp_path / "edited", columns(0.3), test_hash="edited")
    with pytest.raises(RunError) as caught:
        compare_runs([three[0], edited])
    assert caught.value.key == "compare.same_ids_other_rows"


def test_other_prompts_of_the_same_rows_are_no_other_data(tmp_path: Path) -> None:
    """An LLM and KoBART are asked in other words: a warning that their data differ would be false."""
    runs = [written_run(tmp_path / name, columns(0.3, seed=1)) for name in "ab"]

    def taught(run: Run, instruction: str, answer: str) -> None:
        row = Example(
            "d:1", "d", "d", "g", "대화", [{"role": "user", "content": f"{instruction} 대화"}],
            [{"role": "assistant", "content": answer}], "",
        )  # fmt: skip
        run.split_path("train").parent.mkdir(exist_ok=True)
        pq.write_table(to_table([row]), run.split_path("train"))

    def said() -> str:
        return " ".join(each.en for each in words.cautions(compare_runs(runs)))

    taught(runs[0], "요약하세요.", "요약")
    taught(runs[1], "", "요약")
    assert "trained on other rows" not in said()
    taught(runs[1], "", "다른 요약")
    assert "trained on other rows" in said()
