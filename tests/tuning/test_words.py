from __future__ import annotations

from typing import Any

import pytest

from dadeum.core.messages import text
from dadeum.core.tune import Range
from dadeum.core.words import Words
from dadeum.tuning import words
from dadeum.tuning.notices import notices_of
from dadeum.tuning.record import Objective, Repeated, Search
from tests.tuning.made_searches import BATCH, RANK, RATE, made_final, made_repeats, made_search

LOSS = Objective(name="eval_loss", direction="minimize")


def with_repeats(gain: float, **changes: Any) -> Search:
    search = made_search()
    return search.model_copy(update={"repeated": made_repeats(search, gain), **changes})


def keys(search: Search) -> set[str]:
    return {notice.key.removeprefix("tune.notice.") for notice in notices_of(search)}


CASES = {
    "better_beyond_noise": with_repeats(0.03, final=made_final()),
    "better_within_noise": with_repeats(0.002, final=made_final()),
    "better": made_search(final=made_final()),
    "unclear": with_repeats(0.03, final=made_final("unclear", -0.01, 0.02)),
    "worse": made_search(final=made_final("worse", -0.04, -0.01)),
    "default": made_search(winner=0, winner_is_default=True),
    "alone": made_search(1),
    "untested": made_search(),
    "untested_within_noise": with_repeats(0.002),
    "none": made_search(0, ended="failing"),
    "equal": made_search(final=made_final("unclear", 0.0, 0.0)),
    "unpaired": made_search(final=made_final(tested=())),
    "unfinished": made_search(10, winner=None, ended="interrupted"),
    "running": made_search(10, winner=None, ended="running"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_conclusion_says_what_was_bought(name: str) -> None:
    assert words.verdict(CASES[name]) == name
    said = words.conclusion(CASES[name])
    assert said.ko and said.en and "{" not in said.ko + said.en


def test_a_better_test_figure_within_seed_noise_is_no_plain_win() -> None:
    said = words.conclusion(CASES["better_within_noise"]).en
    assert "another seed alone" in said


@pytest.mark.parametrize("ended", ["trials", "timeout", "exhausted", "failing", "interrupted", "running"])
def test_every_end_is_told(ended: str) -> None:
    lines = words.closing(made_search(12, ended=ended, timeout_minutes=30.0))
    assert all(isinstance(line, Words) and line.ko and line.en for line in lines)
    assert lines[0] == words.conclusion(made_search(12, ended=ended))


def test_trials_are_counted_by_what_became_of_them_and_why() -> None:
    said = " ".join(line.en for line in words.course(made_search(20)))
    assert "20 trials: 16 complete, 3 stopped early, 1 failed, 2 skipped as duplicates." in said
    assert "Why 1 failed: CUDA out of memory: 2.1 GiB more" in said


def test_the_same_reason_is_counted_once_and_a_long_one_cut() -> None:
    failed = {"state": "failed", "values": (), "reason": "out of\nmemory " + "x" * 400}
    search = made_search(4)
    found = words.reasons(
        search.model_copy(update={"tried": tuple(one.model_copy(update=failed) for one in search.tried)})
    )
    assert len(found) == 1 and found[0][1] == 4
    assert found[0][0].startswith("out of memory") and len(found[0][0]) < 200


def test_the_terminal_says_both_figures_the_interval_and_what_changed() -> None:
    said = "\n".join(line.en for line in words.closing(CASES["better_beyond_noise"]))
    assert "own 0.900, found 0.921. Difference +0.021 (95% interval +0.004 to +0.038)" in said
    assert f"{RATE}: 0.0002 → 0.0008167" in said
    assert "seeds alone can make up to 0.009" in said


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [("macro_f1", 0.91234, "0.912"), ("eval_loss", 0.31239, "0.3124"), ("peak_memory_mb", 2048, "2.00 GiB"),
     ("peak_memory_mb", 12, "12 MiB"), ("train_seconds", 182, "3 min 2 s"), ("num_trainable", 1200000, "1,200,000"),
     ("macro_f1", float("nan"), "–")],
)  # fmt: skip
def test_figures_are_written_in_their_units(metric: str, value: float, shown: str) -> None:
    assert words.figure_text(metric, value).en == shown


def test_a_small_change_is_not_written_as_none() -> None:
    assert words.change_text("macro_f1", 0.0002).en == "+0.0002"
    assert words.change_text("peak_memory_mb", -2048).en == "−2.00 GiB"


def test_settings_that_the_recipe_leaves_open_are_told_as_such() -> None:
    search = made_search(defaults={RATE: 2e-4, BATCH: 8})
    rows = {key: (own.en, differs) for key, own, _, differs in words.settings(search, search.winner)}
    assert rows[RANK] == ("not set", True)


# -- notices --------------------------------------------------------------------------------------
def test_without_repeats_the_noise_is_unknown() -> None:
    assert {"no_repeats", "best_of", "pruned_by_loss"} <= keys(made_search())
    assert "no_repeats" not in keys(with_repeats(0.03))
    assert "no_repeats" not in keys(CASES["default"])


def test_two_seeds_are_few_only_for_the_two_that_are_compared() -> None:
    search = with_repeats(0.03)
    other = Repeated(number=4, seeds=(42, 43, 44), values=(0.8, 0.81), mean=0.805, spread=0.007, failed=("no",))
    assert "two_seeds" not in keys(search.model_copy(update={"repeated": (*search.repeated, other)}))
    fewer = search.repeated[0].model_copy(update={"values": (0.9, 0.91)})
    assert "two_seeds" in keys(search.model_copy(update={"repeated": (fewer, search.repeated[1])}))


def test_a_gain_that_new_seeds_do_not_show_is_called_luck() -> None:
    search = with_repeats(0.03)
    assert "gain_of_one_seed" not in keys(search)
    lucky = search.repeated[0].model_copy(update={"values": (0.99, 0.89, 0.9), "mean": 0.927})
    assert "gain_of_one_seed" in keys(search.model_copy(update={"repeated": (lucky, search.repeated[1])}))


def test_a_gain_of_a_few_rows_is_called_that() -> None:
    said = next(notice for notice in notices_of(made_search()) if notice.key.endswith("gain_of_rows"))
    assert said.values == {"num": 120, "rows": "2"}
    assert "one_row" in keys(made_search(num_validation=190))
    assert not {"one_row", "gain_of_rows"} & keys(made_search(num_validation=5000))


def test_a_winner_at_the_edge_asks_for_a_wider_range() -> None:
    search = made_search(winner=0)

    def at(**values: float) -> set[str]:
        own = search.tried[0].model_copy(
            update={"params": search.tried[0].params | {RATE: values["rate"], RANK: values["r"]}}
        )
        return {
            str(notice.values["setting"]) + notice.key[-5:]
            for notice in notices_of(search.model_copy(update={"tried": (own, *search.tried[1:])}))
            if "edge" in notice.key
        }

    assert at(rate=9.9e-4, r=4) == {f"{RATE}_high", f"{RANK}e_low"}
    assert at(rate=1e-4, r=8) == set()
    search = made_search(3, winner=0)
    assert at(rate=9.9e-4, r=4) == set()


def test_nothing_lies_below_nought() -> None:
    space = {"model.adapter.dropout": Range(low=0.0, high=0.2)}
    own = made_search(1).tried[0].model_copy(update={"params": {"model.adapter.dropout": 0.0}})
    assert not {"edge_low"} & keys(made_search(1, space=space, tried=(own,)))


def test_stopping_by_loss_is_no_limit_where_loss_is_the_objective() -> None:
    assert "pruned_by_loss" not in keys(made_search(objectives=(LOSS,)))
    assert "few_rows_of_loss" in keys(made_search(objectives=(LOSS,)))


def test_many_failures_few_trials_and_a_missing_default_are_told() -> None:
    search = made_search(8, ended="failing")
    failed = {"state": "failed", "values": ()}
    tried = tuple(one.model_copy(update=failed if one.number not in (2, 3) else {}) for one in search.tried)
    assert {"many_failed", "few_trials", "default_missing"} <= keys(search.model_copy(update={"tried": tried}))


def test_equal_trials_tell_nothing_apart() -> None:
    equal = tuple(one.model_copy(update={"values": (1.0,) if one.values else ()}) for one in made_search(12).tried)
    assert "all_equal" in keys(made_search(12, tried=equal))


def test_a_winner_that_cannot_be_made_again_is_told() -> None:
    search = made_search()
    value = next(one.values[0] for one in search.tried if one.number == search.winner)
    assert "not_reproduced" in keys(search.model_copy(update={"final": made_final(reproduced=value - 0.01)}))
    assert "not_reproduced" not in keys(search.model_copy(update={"final": made_final(reproduced=value)}))


def test_times_of_several_workers_are_not_even() -> None:
    timed = (Objective(name="macro_f1", direction="maximize"), Objective(name="train_seconds", direction="minimize"))
    two = tuple(
        one.model_copy(update={"values": (*one.values, 50.0) if one.values else ()}) for one in made_search().tried
    )
    assert "timed_together" in keys(made_search(objectives=timed, tried=two, workers=2))
    assert "timed_together" not in keys(made_search(objectives=timed, tried=two))


@pytest.mark.parametrize("name", CASES)
def test_every_notice_has_its_sentence(name: str) -> None:
    found = CASES[name]
    assert all("tune.notice" not in line.ko for line in words.cautions(found))


def test_what_the_end_of_the_time_stopped_was_not_stopped_by_its_loss() -> None:
    search = made_search()
    late = [one.model_copy(update={"reason": text("tune.pruned.time")}) if one.state == "pruned" else one
            for one in search.tried]  # fmt: skip
    assert any(one.state == "pruned" for one in late)
    assert "tune.notice.pruned_by_loss" in {notice.key for notice in notices_of(search)}
    found = notices_of(search.model_copy(update={"tried": tuple(late)}))
    assert "tune.notice.pruned_by_loss" not in {notice.key for notice in found}
