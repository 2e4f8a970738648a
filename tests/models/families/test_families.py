"""Which family a tokenizer belongs to, and what follows from it."""

from __future__ import annotations

import pytest

from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.core.plugins import find, names
from dadeum.core.recipe import Render
from dadeum.models.families.base import UNKNOWN, recognise
from dadeum.models.render import Renderer
from tests.models.families.build import SPECS
from tests.tiny import NO_SYSTEM_TEMPLATE, save_tokenizer

FAMILIES = {
    "exaone3_5": "EXAONE 3.5",
    "exaone4": "EXAONE 4",
    "qwen2_5": "Qwen2.5",
    "qwen3": "Qwen3",
    "gemma2": "Gemma",
    "gemma3": "Gemma",
    "llama3": "Llama 3",
    "llama3_2": "Llama 3",
    "smollm2": "SmolLM2",
    "hyperclovax": "HyperCLOVA X",
    "solar": "SOLAR",
    "polyglot": "Polyglot-Ko",
}
STOPS = {
    "exaone3_5": {"[|endofturn|]"},
    "exaone4": {"[|endofturn|]"},
    "qwen2_5": {"<|im_end|>", "<|endoftext|>"},
    "qwen3": {"<|im_end|>", "<|endoftext|>"},
    "gemma2": {"<end_of_turn>", "<eos>"},
    "gemma3": {"<end_of_turn>", "<eos>"},
    "llama3": {"<|eot_id|>", "<|end_of_text|>"},
    "llama3_2": {"<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"},
    "smollm2": {"<|im_end|>", "<|endoftext|>"},
    "hyperclovax": {"<|im_end|>", "<|endofturn|>", "<|stop|>"},
    "solar": {"</s>"},
    "polyglot": {"<|endoftext|>"},
}


@pytest.mark.parametrize("name", SPECS)
def test_every_family_is_recognised_by_its_tokenizer(tokenizers, name):
    assert recognise(tokenizers(name)).name == FAMILIES[name]


@pytest.mark.parametrize("name", SPECS)
def test_an_answer_ends_at_every_token_that_the_family_ends_with(tokenizers, name):
    tokenizer = tokenizers(name)
    render = Render(format="chat" if tokenizer.chat_template else "instruction")
    assert set(tokenizer.convert_ids_to_tokens(list(Renderer(tokenizer, render).stop_ids))) == STOPS[name]


def test_a_model_that_nobody_described_follows_its_template(tmp_path):
    tokenizer = save_tokenizer(
        tmp_path, "{{ messages[-1].content }}<|im_end|>{% if add_generation_prompt %}>{% endif %}"
    )
    assert recognise(tokenizer) is UNKNOWN
    assert recognise(tokenizer, "exaone").name == "EXAONE 3.5"
    assert recognise(save_tokenizer(tmp_path, NO_SYSTEM_TEMPLATE)).name == "ChatML"


def test_a_base_model_that_was_given_a_template_is_a_chat_model(tokenizers):
    import copy

    tokenizer = copy.deepcopy(tokenizers("polyglot"))
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>\n{% endfor %}"
    assert recognise(tokenizer) is UNKNOWN
    assert recognise(tokenizer, "gpt_neox").name == "Polyglot-Ko"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("qwen2_5", ["models.families.default_system"]),
        ("gemma3", ["models.families.system_in_user_turn"]),
        ("llama3", []),
        ("llama3_2", ["models.families.date_in_prompt"]),
        ("solar", ["models.families.end_not_in_template"]),
    ],
)
def test_what_surprises_is_said(tokenizers, name, said):
    assert [note.key for note in Renderer(tokenizers(name), Render()).notes] == said
    assert Renderer(tokenizers(name), Render(format="instruction")).notes == []


def test_every_note_is_a_sentence_and_no_two_families_share_a_name():
    families = [find("models.families", name).FAMILY for name in names("models.families")]
    assert len({family.name for family in families}) == len(families) >= 14
    assert all(family.marks or family.model_types for family in families)
    for note in {note for family in families for note in family.notes}:
        assert all("{family}" in catalogue(language)[note] for language in LANGUAGES)
