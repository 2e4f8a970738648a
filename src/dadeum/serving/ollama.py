"""A Modelfile for Ollama: the model's own prompt format as a Go template, stop words, and greedy settings.

Ollama ignores the Jinja template inside a GGUF, so the format is measured from the renderer that training used: a
conversation of marked turns shows what stands around each of them. A format that such pieces cannot express is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dadeum.core.errors import ExportError
from dadeum.core.examples import Turn
from dadeum.core.recipe import Recipe
from dadeum.core.task import Answer, Retrieve
from dadeum.models.render import Renderer

_LEAST_CONTEXT = 2048
_MARKS = [f"turn{number}mark" for number in range(6)]


@dataclass(frozen=True)
class Layout:
    """What stands around the turns of a conversation."""

    begin: str
    """Before the first user turn where there is no system turn; some templates say something of their own here."""
    begin_system: str
    after_system: str
    user_to_assistant: str
    """Also what the model writes after."""
    assistant_to_user: str

    def prompt(self, turns: list[Turn]) -> str:
        """The whole prompt, as the Go template writes it."""
        written, started = "", False
        for turn in turns:
            if turn["role"] == "system":
                written += self.begin_system + turn["content"] + self.after_system
                started = True
            elif turn["role"] == "user":
                before = self.begin if not written else self.assistant_to_user if not started else ""
                written, started = written + before + turn["content"], False
            else:
                written += self.user_to_assistant + turn["content"]
        return written + self.user_to_assistant


def modelfile(recipe: Recipe, tokenizer: Any, weights: str) -> str:
    """The Modelfile for `weights`, a GGUF file beside it; ExportError where Ollama would prompt differently."""
    renderer = Renderer(tokenizer, recipe.render)
    layout = read_layout(renderer, recipe.model.base)
    lines = [
        f"# {recipe.name}: ollama create {recipe.name} -f Modelfile && ollama run {recipe.name}",
        f"FROM ./{weights}",
        f'TEMPLATE """{_template(_without_bos(layout, tokenizer))}"""',
    ]
    instruction = _system(recipe)
    if instruction:
        lines.append(f'SYSTEM """{_quoted(instruction, recipe.model.base)}"""')
    lines += [f"PARAMETER stop {_stop(word)}" for word in _stop_words(renderer)]
    # Greedy and without a penalty, because that is how the figures on the card were measured.
    lines += ["PARAMETER temperature 0", "PARAMETER repeat_penalty 1"]
    lines.append(f"PARAMETER num_ctx {max(_LEAST_CONTEXT, recipe.render.max_length_tokens)}")
    return "\n".join(lines) + "\n"


def _system(recipe: Recipe) -> str | None:
    """What stands before every conversation; an answerer's instruction is filled with chunks by who asks."""
    task = recipe.task
    assert not isinstance(task, Retrieve)
    return task.system if isinstance(task, Answer) else task.instruction


def read_layout(renderer: Renderer, model: str) -> Layout:
    """Measure the pieces on one conversation, prove them on longer ones."""
    system, first, answer, second = _conversation("system", "user", "assistant", "user")
    text = renderer.prompt_text([system, first, answer, second])
    marks = [turn["content"] for turn in (system, first, answer, second)]
    if "strftime_now" in str(renderer.tokenizer.chat_template):
        # It writes the day of the conversation; a Modelfile would keep the day of the export.
        raise ExportError("export.ollama.template", model=model)
    pieces = _between(text, marks)
    alone = _between(renderer.prompt_text([first]), [first["content"]])
    if pieces is None or alone is None:
        raise ExportError("export.ollama.template", model=model)
    layout = Layout(alone[0], pieces[0], pieces[1], pieces[2], pieces[3])
    proofs = (
        ("user",),
        ("user", "assistant", "user"),
        ("system", "user"),
        ("system", "user", "assistant", "user"),
        ("system", "user", "assistant", "user", "assistant", "user"),
    )
    for roles in proofs:
        turns = _conversation(*roles)
        if layout.prompt(turns) != renderer.prompt_text(turns):
            raise ExportError("export.ollama.template", model=model)
    return layout


def _conversation(*roles: str) -> list[Turn]:
    return [{"role": role, "content": mark} for role, mark in zip(roles, _MARKS, strict=False)]


def _between(text: str, marks: list[str]) -> list[str] | None:
    """Text before, between and after the marks; None unless each stands there once, in order."""
    pieces = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found or mark in text:
            return None
        pieces.append(before)
    return [*pieces, text]


def _without_bos(layout: Layout, tokenizer: Any) -> Layout:
    """Where the tokenizer puts its begin token before every text, Ollama does too: once is enough."""
    plain, full = (tokenizer("x", add_special_tokens=flag).input_ids for flag in (False, True))
    begin = tokenizer.bos_token
    if full == plain or not begin:
        return layout
    return Layout(
        layout.begin.removeprefix(begin), layout.begin_system.removeprefix(begin), layout.after_system,
        layout.user_to_assistant, layout.assistant_to_user,
    )  # fmt: skip


def _template(layout: Layout) -> str:
    """Go: Ollama gives `.System` and `.Messages`; whether a user turn opens the conversation is kept in a variable."""
    first = (
        f"{{{{ if .System }}}}{_go(layout.begin_system)}{{{{ .System }}}}{_go(layout.after_system)}"
        f'{{{{ else }}}}{_go(layout.begin)}{{{{ end }}}}{{{{ $open := true }}}}{{{{ $role := "" }}}}'
    )
    turns = (
        '{{ range .Messages }}{{ if eq .Role "user" }}'
        f"{{{{ if not $open }}}}{_go(layout.assistant_to_user)}{{{{ end }}}}{{{{ .Content }}}}{{{{ $open = false }}}}"
        f'{{{{ else if eq .Role "assistant" }}}}{_go(layout.user_to_assistant)}{{{{ .Content }}}}'
        "{{ end }}{{ $role = .Role }}{{ end }}"
    )
    return first + turns + f'{{{{ if eq $role "user" }}}}{_go(layout.user_to_assistant)}{{{{ end }}}}'


def _go(text: str) -> str:
    """A literal inside the template: braces and the quotes of the Modelfile must not be taken for syntax."""
    return text.replace("{{", '{{ "{{" }}').replace('"""', '{{ "\\"\\"\\"" }}')


def _quoted(text: str, model: str) -> str:
    if '"""' in text:
        raise ExportError("export.ollama.quotes", model=model)
    return text


def _stop_words(renderer: Renderer) -> list[str]:
    words = [str(renderer.tokenizer.decode([number])) for number in renderer.stop_ids]
    return list(dict.fromkeys(word for word in words if word.strip()))


def _stop(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
