"""Rows of a chat: every learnt token weighs 1, the rest nothing; what is shared between rows carries no loss."""

from __future__ import annotations

import logging

import pyarrow.parquet as pq
import pytest
import torch

from dadeum.core.errors import DataError, ModelError
from dadeum.core.examples import to_table
from dadeum.core.recipe import Recipe
from dadeum.data.lengths.tokens import TokenCounter
from dadeum.models.load import load_tokenizer
from dadeum.models.prefix_tree import pack
from dadeum.models.render import IGNORED, Renderer, loss_on
from dadeum.models.tree_attention import trees
from dadeum.training.prefix import StepCollator, gradients, plain_pass, relative_difference, tree_pass
from dadeum.training.rows import encode
from tests.models.families.build import SPECS, save_model
from tests.models.families.test_templates import ANSWERS, QUESTIONS, row, spans

NAMES = ["qwen2_5", "qwen3", "gemma2", "gemma3", "llama3", "exaone3_5", "exaone4", "hyperclovax", "polyglot"]


def chat_recipe(base, taught="last_answer", **render):
    return Recipe.model_validate(
        {
            "name": "tiny-chat",
            "task": {"type": "chat", "loss_on": taught},
            "model": {"base": str(base), "adapter": {"type": "lora"}, "precision": "fp32"},
            "data": {"sources": [{"path": "unused.jsonl"}]},
            "render": {"max_length_tokens": 600} | render,
            "stages": [{"name": "sft", "method": "sft"}],
        }
    )


def examples():
    """Two conversations that begin alike up to their first answer and beyond, and one of its own."""
    first = row(id="chat:1")
    second = row([*ANSWERS[:2], "그렇군요. 그림을 일로 삼고 싶으신가요?"], id="chat:2")
    third = row(["천천히 생각해 보세요."], questions=[QUESTIONS[2]], id="chat:3")
    return [first, second, third]


def encoded(base, taught, folder, rows=None, **render):
    recipe = chat_recipe(base, taught, **render)
    path = folder / "train.parquet"
    pq.write_table(to_table(rows or examples()), path)
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render, loss_on(recipe))
    return encode(recipe, renderer, recipe.stages[0], path), renderer


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    made = {}

    def get(name):
        if name not in made:
            made[name] = save_model(tmp_path_factory.mktemp(name), name)
        return made[name]

    return get


def settings(name):
    return {} if SPECS[name].template != "-" else {"format": "instruction"}


@pytest.mark.parametrize("taught", ["last_answer", "all_answers"])
def test_weights_are_one_on_what_is_learnt_and_nothing_elsewhere(bases, tmp_path, taught):
    rows, renderer = encoded(bases("qwen2_5"), taught, tmp_path)
    for one, example in zip(rows, examples(), strict=True):
        assert one["weights"] == [0.0 if label == IGNORED else 1.0 for label in one["labels"]]
        assert one["labels"] == renderer.render(example).labels
        turns = [*example.prompt, *example.completion]
        answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        learnt = [renderer.tokenizer.decode(span) for span in spans(renderer.render(example))]
        assert learnt == [f"{answer}<|im_end|>" for answer in (answers if taught == "all_answers" else answers[-1:])]


@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_every_family_on_all_answers_shared_and_plain(bases, tmp_path, name):
    """Packed as a tree or padded: the same gradient; and it leads downhill."""
    from transformers import AutoModelForCausalLM

    base = bases(name)
    rows, _ = encoded(base, "all_answers", tmp_path, **settings(name))
    model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32).eval()
    plain = plain_pass(rows, pad_id=0)
    wanted = gradients(model, plain)
    with trees(model):
        assert relative_difference(wanted, gradients(model, tree_pass(rows))) < 1e-4
        parts = [gradients(model, one) for one in StepCollator(0, 90, share=True)(rows)["passes"]]
    assert len(parts) > 1
    assert relative_difference(wanted, [sum(each) for each in zip(*parts, strict=True)]) < 1e-4
    before = loss_of(model, plain)
    norm = sum(float(one.norm() ** 2) for one in wanted) ** 0.5
    with torch.no_grad():
        for parameter, slope in zip(model.parameters(), wanted, strict=True):
            parameter -= 0.05 * slope / norm
    assert torch.isfinite(torch.tensor([before, norm])).all()
    assert loss_of(model, plain) < before


def loss_of(model, inputs):
    """Mean over learnt tokens, from the model's own logits: the textbook."""
    labels = inputs["answer_labels"]
    with torch.no_grad():
        known = ("input_ids", "attention_mask", "position_ids")
        logits = model(**{key: inputs[key] for key in known}).logits
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED))


def test_tokens_that_carry_a_loss_are_never_shared(bases, tmp_path):
    """Rows 1 and 2 agree far beyond their first answer; each keeps its own copy of all that it learns."""
    rows, _ = encoded(bases("qwen2_5"), "all_answers", tmp_path)
    for one in (tree_pass(rows), tree_pass([*rows, rows[0]])):
        num_rows = len(one["tree"].paths)
        learnt = sum(label != IGNORED for row in (rows + rows[:1])[:num_rows] for label in row["labels"])
        assert int((one["answer_labels"] != IGNORED).sum()) == learnt
        assert float(one["answer_weights"].sum()) == learnt
    shared = len(pack([row["input_ids"] for row in rows]).ids)
    assert shared < tree_pass(rows)["input_ids"].numel() < sum(len(row["input_ids"]) for row in rows)


def test_a_pass_keeps_within_its_room_though_rows_agree_in_what_they_learn(bases, tmp_path):
    """The same greeting in every conversation is learnt in every row: it takes its room in every row."""
    same = [row([ANSWERS[0], f"{number}번째"], id=f"chat:{number}") for number in range(6)]
    rows, _ = encoded(bases("qwen2_5"), "all_answers", tmp_path, same)
    room = 2 * max(len(one["input_ids"]) for one in rows)
    passes = StepCollator(0, room, share=True)(rows)["passes"]
    assert len(passes) > 1
    assert max(one["input_ids"].numel() for one in passes) <= room


def test_control_tokens_in_texts_are_counted_and_said(bases, tmp_path, caplog):
    hostile = row(questions=["끝<|im_end|>", "나", "다"], id="chat:9")
    with caplog.at_level(logging.WARNING):
        rows, renderer = encoded(bases("qwen2_5"), "last_answer", tmp_path, [*examples(), hostile])
    assert len(rows) == 4
    [record] = caplog.records
    assert "<|im_end|>" in record.message and "chat:9" in record.message
    assert rows[3]["input_ids"].count(renderer.end_id) == 1 + 6  # the default system turn and six turns
    counter = TokenCounter(chat_recipe(bases("qwen2_5")))
    counter([*examples(), hostile])
    assert counter.escaped == {"chat:9": "<|im_end|>"}
    assert counter.label_spans == []
    with pytest.raises(ModelError) as caught:
        encoded(bases("qwen2_5"), "last_answer", tmp_path, [hostile], control_tokens="raise")
    assert caught.value.values["id"] == "chat:9"


def test_a_row_over_the_limit_is_refused_by_name(bases, tmp_path):
    with pytest.raises(DataError) as caught:
        encoded(bases("qwen2_5"), "all_answers", tmp_path, max_length_tokens=40)
    assert caught.value.values["id"] == "chat:1"


def test_what_the_recipe_teaches_reaches_the_token_counter(bases):
    assert TokenCounter(chat_recipe(bases("qwen2_5"), "all_answers")).renderer.loss_on == "all_answers"
    assert TokenCounter(chat_recipe(bases("qwen2_5"))).renderer.loss_on == "last_answer"
