from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dadeum.serving.preflight import export_problems
from tests.tiny import decide_recipe, save_llama, save_tokenizer

QLORA = {"adapter": {"type": "qlora", "r": 4}}


def keys(recipe: Any) -> list[str]:
    return [problem.key for problem in export_problems(recipe)]


@pytest.mark.parametrize("format", ["adapter", "merged", "gguf", "ollama"])
def test_nothing_stands_against_a_plain_llama(format: str, tiny_llama: Path) -> None:
    assert keys(decide_recipe(tiny_llama, export={"format": format})) == []


def test_quantised_weights_are_not_merged(tiny_llama: Path) -> None:
    quantised = {"base": str(tiny_llama)} | QLORA
    assert keys(decide_recipe(tiny_llama, model=quantised, export={"format": "gguf"})) == ["export.merge_quantised"]
    assert keys(decide_recipe(tiny_llama, model=quantised)) == []


def test_the_name_is_checked_without_a_download() -> None:
    model = {"base": "LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct", "adapter": {"type": "lora"}}
    assert keys(decide_recipe("x", model=model, export={"name": "mine"})) == ["export.name_prefix"]


def test_another_architecture_is_known_from_its_configuration(tmp_path: Path) -> None:
    from transformers import GPTNeoXConfig

    save_tokenizer(tmp_path)
    GPTNeoXConfig(vocab_size=300).save_pretrained(str(tmp_path))
    recipe = decide_recipe(tmp_path, export={"format": "gguf"})
    assert keys(recipe) == ["export.gguf.architecture"]
    assert keys(decide_recipe(tmp_path, export={"format": "merged"})) == []


def test_a_template_that_ollama_cannot_say(tmp_path: Path) -> None:
    counts = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}{{ loop.revindex }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    save_llama(tmp_path, counts)
    assert keys(decide_recipe(tmp_path, export={"format": "ollama"})) == ["export.ollama.template"]
    assert keys(decide_recipe(tmp_path, export={"format": "gguf"})) == []
