from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dadeum.core.errors import ExportError
from dadeum.models.render import Renderer
from dadeum.serving.ollama import modelfile, read_layout
from tests.tiny import CHAT_TEMPLATE, decide_recipe, save_tokenizer

# Layouts of four families, with end tokens that the tiny tokenizer knows.
TEMPLATES = {
    "chatml": CHAT_TEMPLATE,
    "says something itself": (
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Qwen.<|im_end|>\n{% endif %}"
        + CHAT_TEMPLATE
    ),
    "system in the first user turn": (
        "{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}"
        "{% set turns = messages[1:] %}{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
        "{% for m in turns %}<|im_start|>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
        "{{ first if loop.first else '' }}{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
    ),
    "user turns without an end": (
        "{% for m in messages %}[|{{ m['role'] }}|]{{ m['content'] }}"
        "{{ '\n' if m['role'] == 'user' else '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}[|assistant|]{% endif %}"
    ),
}
CONVERSATIONS = ("u", "su", "uau", "suau", "suauau")
ROLES = {"s": "system", "u": "user", "a": "assistant"}


def turns(shape: str) -> Any:
    return [{"role": ROLES[letter], "content": f"내용 {number} {{x}}"} for number, letter in enumerate(shape)]


def written(tmp_path: Path, template: str | None, **changes: Any) -> tuple[str, Renderer]:
    recipe = decide_recipe("tiny-base", **changes)
    tokenizer = save_tokenizer(tmp_path, template)
    return modelfile(recipe, tokenizer, "tiny.gguf"), Renderer(tokenizer, recipe.render)


def template_of(content: str) -> str:
    return content.split('TEMPLATE """')[1].split('"""\n')[0]


@pytest.mark.parametrize("family", TEMPLATES)
def test_the_pieces_make_the_prompt_of_training(family: str, tmp_path: Path) -> None:
    _, renderer = written(tmp_path, TEMPLATES[family])
    layout = read_layout(renderer, "tiny")
    for shape in CONVERSATIONS:
        assert layout.prompt(turns(shape)) == renderer.prompt_text(turns(shape))


GO = """package main
import ("encoding/json"; "os"; "strings"; "text/template")
type Turn struct{ Role, Content string }
type Asked struct { Template string; Cases [][]Turn }
func main() {
  var asked Asked
  json.NewDecoder(os.Stdin).Decode(&asked)
  parsed := template.Must(template.New("").Option("missingkey=zero").Parse(asked.Template))
  written := []string{}
  for _, turns := range asked.Cases {
    system := []string{}
    for _, turn := range turns { if turn.Role == "system" { system = append(system, turn.Content) } }
    var text strings.Builder
    values := map[string]any{"System": strings.Join(system, "\\n\\n"), "Messages": turns}
    if err := parsed.Execute(&text, values); err != nil {
      panic(err)
    }
    written = append(written, text.String())
  }
  json.NewEncoder(os.Stdout).Encode(written)
}
"""


@pytest.mark.parametrize("family", TEMPLATES)
def test_go_itself_writes_the_same_prompt(family: str, tmp_path: Path) -> None:
    go = shutil.which("go") or pytest.skip("Go, whose templates Ollama uses, is not installed")
    content, renderer = written(tmp_path, TEMPLATES[family])
    (tmp_path / "main.go").write_text(GO)
    cases = [[{"Role": turn["role"], "Content": turn["content"]} for turn in turns(shape)] for shape in CONVERSATIONS]
    done = subprocess.run(
        [go, "run", "main.go"], cwd=tmp_path, input=json.dumps({"Template": template_of(content), "Cases": cases}),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [renderer.prompt_text(turns(shape)) for shape in CONVERSATIONS]


def test_the_modelfile_holds_weights_instruction_stop_words_and_greedy_settings(tmp_path: Path) -> None:
    content, _ = written(tmp_path, CHAT_TEMPLATE, render={"max_length_tokens": 3000})
    assert "FROM ./tiny.gguf\n" in content
    assert 'SYSTEM """Is this mail spam? Answer BLOCK or ALLOW as JSON."""' in content
    assert 'PARAMETER stop "<|im_end|>"' in content
    assert "PARAMETER temperature 0\n" in content and "PARAMETER num_ctx 3000\n" in content


def test_the_instruction_format_needs_no_chat_template(tmp_path: Path) -> None:
    content, renderer = written(tmp_path, None, render={"format": "instruction"})
    assert "### Instruction:" in template_of(content)
    assert read_layout(renderer, "tiny").prompt(turns("su")) == renderer.prompt_text(turns("su"))


def test_braces_of_a_template_are_not_go(tmp_path: Path) -> None:
    odd = "{{ '{{x}}' }}" + CHAT_TEMPLATE
    assert '{{ "{{" }}x}}<|im_start|>' in template_of(written(tmp_path, odd)[0])


COUNTS_TURNS = "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ loop.revindex }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"  # noqa: E501
WRITES_THE_DATE = "{% if false %}{{ strftime_now('%d %b') }}{% endif %}" + CHAT_TEMPLATE


@pytest.mark.parametrize("template", [COUNTS_TURNS, WRITES_THE_DATE], ids=["counts turns", "writes the date"])
def test_a_template_that_go_cannot_say_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        written(tmp_path, template)
    assert caught.value.key == "export.ollama.template" and "tiny-base" in str(caught.value)


def test_quotes_that_would_end_the_instruction_are_refused(tmp_path: Path) -> None:
    task = decide_recipe("x").task.model_dump() | {"instruction": 'Say """no"""'}
    with pytest.raises(ExportError) as caught:
        written(tmp_path, CHAT_TEMPLATE, task=task)
    assert caught.value.key == "export.ollama.quotes"
