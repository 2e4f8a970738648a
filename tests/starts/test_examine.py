from __future__ import annotations

import json

import pytest

from dadeum.core.errors import DataError, RecipeError
from dadeum.core.model import Model
from dadeum.starts.examine import Limits, examine
from dadeum.starts.result import Starts
from dadeum.starts.words import sentences
from tests.starts.conftest import DOTTED, PROMPTS, VARIED, recipe_of, turns

ASKED = turns(PROMPTS)


def signals(found: Starts) -> set[str]:
    return {reason.signal for reason in found.reasons}


def test_a_model_that_was_taught_varied_answers_is_not_collapsed(varied):
    found = examine(recipe_of(varied), None, ASKED, taught=VARIED)
    assert found.verdict == "healthy", found.reasons
    assert found.model.first.dependence > 1
    assert found.model.answers.first_word.share.value < 0.2
    assert "위험" not in sentences(found, "ko")[0] + sentences(found, "ko")[1]


def test_a_model_that_was_taught_a_warning_first_is_collapsed(warned):
    found = examine(recipe_of(warned), None, ASKED)
    assert found.verdict == "collapsed"
    assert {"boilerplate", "first_word"} <= signals(found)
    assert found.model.answers.warnings.value == 1
    assert not any(reason.taught for reason in found.reasons)
    # Half of all syllables share this first byte: it must not count as a word.
    assert found.model.first.top == "<EC>"
    assert "top_token" not in signals(found)
    assert "starts.notice.silent" in {notice.key for notice in found.notices}


def test_a_model_that_was_taught_dots_first_is_collapsed_and_its_data_are_named(dotted):
    found = examine(recipe_of(dotted), None, ASKED, taught=DOTTED)
    assert found.verdict == "collapsed"
    assert {"marks", "first_token_marks"} <= signals(found)
    assert all(reason.taught for reason in found.reasons if reason.signal == "marks")
    assert any("data are the cause" in line for line in sentences(found, "en"))


def test_random_weights_are_called_untrained(tiny_llama):
    found = examine(recipe_of(tiny_llama), None, ASKED)
    assert found.verdict == "collapsed"
    assert found.reasons[0].signal == "untrained"
    assert found.model.first.evenness > 0.95
    assert "무작위" in sentences(found, "ko")[1]


def test_the_base_stands_beside_an_adapter_that_changed_nothing(tiny_llama, tmp_path):
    from dadeum.models.load import add_adapter, load_base
    from dadeum.models.precision import choose_precision

    recipe = recipe_of(tiny_llama)
    model = add_adapter(load_base(recipe.model, choose_precision("fp32")), recipe.model.adapter, False)
    model.save_pretrained(str(tmp_path / "adapter"))
    told: list[tuple[str, int, int]] = []
    limits = Limits(answers=4, max_new_tokens=4)
    found = examine(recipe, tmp_path / "adapter", ASKED, limits=limits, progress=lambda *what: told.append(what))
    assert found.divergence == pytest.approx(0, abs=1e-6)
    assert found.base.first.entropy == pytest.approx(found.model.first.entropy, abs=1e-4)
    assert found.base_verdict == "collapsed"
    assert ("starts.progress.base_model", len(ASKED), len(ASKED)) in told
    assert ("starts.progress.answers.tuned", 4, 4) in told
    assert {notice.key for notice in found.notices} == {"starts.notice.sample"}
    alone = examine(recipe, tmp_path / "adapter", ASKED, base=False, limits=limits)
    assert alone.base is None and alone.divergence is None and alone.base_verdict is None


def test_it_is_written_and_read_back_and_said_in_both_languages(tiny_llama):
    found = examine(
        Model(base=str(tiny_llama), adapter={"type": "lora"}, precision="fp32"), None, ASKED[:3] + ASKED[:1]
    )
    again = Starts.model_validate(json.loads(found.model_dump_json()))
    assert again == found
    assert len(sentences(found, "ko")) == len(sentences(found, "en"))
    assert {notice.key for notice in found.notices} == {
        "starts.notice.few_prompts", "starts.notice.repeated"
    }  # fmt: skip
    assert found.num_prompts == 3


@pytest.mark.parametrize(
    ("prompts", "key"),
    [
        ([], "no_prompts"),
        ([[{"role": "user", "content": "왜?"}, {"role": "assistant", "content": "네."}]], "no_question"),
        ([ASKED[0], [{"role": "user", "content": "  "}]], "no_question"),
    ],
)
def test_prompts_that_ask_nothing_are_refused(tiny_llama, prompts, key):
    with pytest.raises(DataError) as error:
        examine(recipe_of(tiny_llama), None, prompts)
    assert error.value.key == f"starts.{key}"


def test_decisions_and_encoder_decoders_are_refused(tiny_llama, tmp_path):
    from tests.models.tiny_seq2seq import save_bart
    from tests.tiny import decide_recipe

    with pytest.raises(RecipeError, match="decide"):
        examine(decide_recipe(tiny_llama), None, ASKED)
    recipe = recipe_of(save_bart(tmp_path), task={"type": "summarize", "instruction": ""})
    with pytest.raises(RecipeError) as error:
        examine(recipe, None, ASKED)
    assert error.value.key == "starts.no_decoder"
