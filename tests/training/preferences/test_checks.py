"""Problems of stages on pairs are told before anything is loaded."""

from __future__ import annotations

import pytest

from dadeum.training.arguments import check_stages
from tests.training.preferences.judged_files import recipe, stage, write_jsonl


def test_a_file_that_is_not_there_is_told(tiny_llama, tmp_path):
    path = tmp_path / "pairs.jsonl"
    made = recipe(tiny_llama, stages=[stage("dpo", path=str(path))])
    assert [problem.key for problem in check_stages(made)] == ["train.preferences.no_file"]
    write_jsonl(path, [])
    assert check_stages(made) == []


@pytest.mark.parametrize("name", ["beta", "max_length", "truncation_mode", "sync_ref_model"])
def test_settings_that_have_a_place_of_their_own_are_refused(tiny_llama, name):
    made = recipe(tiny_llama, stages=[stage("dpo", sampled=2) | {"trainer_args": {name: 1}}])
    [problem] = check_stages(made)
    assert problem.key == "train.preferences.own_argument"
    assert f"trainer_args.{name}" in str(problem)
