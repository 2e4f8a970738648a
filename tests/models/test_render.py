from __future__ import annotations

import pytest

from dadeum.core.errors import ModelError
from dadeum.core.recipe import Render
from dadeum.models.render import Renderer, common_prefix, label_spans
from dadeum.tasks import decide
from tests.tiny import CHAT_TEMPLATE, NO_SYSTEM_TEMPLATE, decide_recipe, example, save_tokenizer

ANSWER = '{"action": "BLOCK"}'


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_prompt_at_training_is_prompt_at_serving_token_for_token(tokenizer):
    row = example(1, "BLOCK")
    rendered = Renderer(tokenizer, Render()).render(row)
    serving = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert rendered.input_ids[: rendered.num_prompt_tokens] == serving


def test_whole_row_equals_the_template_of_the_whole_conversation(tokenizer):
    row = example(1, "BLOCK")
    rendered = Renderer(tokenizer, Render()).render(row)
    whole = tokenizer.apply_chat_template([*row.prompt, *row.completion], return_dict=True)["input_ids"]
    assert whole[: len(rendered.input_ids)] == rendered.input_ids
    assert tokenizer.decode(whole[len(rendered.input_ids) :]).strip() == ""


def test_loss_span_decodes_to_exactly_the_answer_and_its_end(tokenizer):
    rendered = Renderer(tokenizer, Render()).render(example(1, "BLOCK"))
    span = [label for label in rendered.labels if label != -100]
    assert tokenizer.decode(span) == f"{ANSWER}<|im_end|>"


def test_instruction_format_is_the_documents_format(tokenizer):
    row = example(1, "BLOCK")
    rendered = Renderer(tokenizer, Render(format="instruction")).render(row)
    system, user = (turn["content"] for turn in row.prompt)
    expected = f"### Instruction:\n{system}\n\n### Input:\n{user}\n\n### Response:\n{ANSWER}<|im_end|>"
    assert tokenizer.decode(rendered.input_ids) == expected


def test_a_template_without_system_role_gets_it_in_the_user_turn(tmp_path):
    renderer = Renderer(save_tokenizer(tmp_path, NO_SYSTEM_TEMPLATE), Render())
    row = example(1, "BLOCK")
    system, user = (turn["content"] for turn in row.prompt)
    assert not renderer.has_system_role
    assert (
        renderer.prompt_text(row.prompt) == f"<|im_start|>user\n{system}\n\n{user}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_that_rewrites_the_prompt_is_refused(tmp_path):
    forgetful = CHAT_TEMPLATE.replace("{% for", "{% if messages[-1]['role'] == 'assistant' %}!{% endif %}{% for", 1)
    with pytest.raises(ModelError) as caught:
        Renderer(save_tokenizer(tmp_path, forgetful), Render()).render(example(1, "BLOCK"))
    assert caught.value.key == "train.template_changes_prompt"


def test_no_template_is_refused_by_name(tmp_path):
    with pytest.raises(ModelError) as caught:
        Renderer(save_tokenizer(tmp_path, None), Render())
    assert caught.value.key == "train.no_template"


@pytest.mark.parametrize("policy", ["drop", "cut_input", "raise"])
def test_the_answer_is_never_cut(tokenizer, policy):
    row = example(1, "BLOCK", subject="길다 " * 200)
    renderer = Renderer(tokenizer, Render(max_length_tokens=100, truncation=policy))
    if policy == "raise":
        with pytest.raises(ModelError) as caught:
            renderer.fit(row)
        assert caught.value.values["id"] == row.id
    elif policy == "drop":
        assert renderer.fit(row).example is None
    else:
        fitted = renderer.fit(row)
        rendered = renderer.render(fitted.example)
        assert fitted.was_cut
        assert 90 < len(rendered.input_ids) == fitted.prompt_tokens + fitted.answer_tokens <= 100
        assert tokenizer.decode(rendered.input_ids).endswith(f"<|im_start|>assistant\n{ANSWER}<|im_end|>")
        assert (
            fitted.example.prompt[-1]["content"]
            == row.prompt[-1]["content"][: len(fitted.example.prompt[-1]["content"])]
        )


def test_a_row_that_fits_is_left_as_it_is(tokenizer):
    row = example(1, "BLOCK")
    fitted = Renderer(tokenizer, Render(truncation="cut_input")).fit(row)
    assert fitted.example is row
    assert not fitted.was_cut


def test_a_limit_below_the_answer_drops_even_under_cut_input(tokenizer):
    renderer = Renderer(tokenizer, Render(max_length_tokens=8, truncation="cut_input"))
    assert renderer.fit(example(1, "BLOCK")).example is None


def test_label_spans_tell_the_labels_apart_and_nothing_else(tokenizer):
    spans = label_spans(Renderer(tokenizer, Render()), decide.candidates(decide_recipe("x").task))
    assert {tokenizer.decode(span) for span in spans} <= {"BLOCK", "ALLOW", "B", "A"} | {
        "BLO", "ALL", "BLOC", "ALLO",
    }  # fmt: skip
    assert spans[0] != spans[1]


def test_a_label_that_starts_another_keeps_what_ends_it(tokenizer):
    first, second = label_spans(Renderer(tokenizer, Render()), ['{"a": "정상"}', '{"a": "정상 아님"}'])
    assert second[: len(first)] != first


def test_common_prefix():
    assert common_prefix([[1, 2, 3], [1, 2, 4], [1, 2]]) == 2
    assert common_prefix([[1], [2]]) == 0
