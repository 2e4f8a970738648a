"""The test rows of a run as requests: each with the body that its recipe's input makes, and what came out offline."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dadeum.core.errors import RunError
from dadeum.core.examples import Example, read_examples
from dadeum.core.messages import Message
from dadeum.core.run import Run, file_hash, read_jsonl
from dadeum.core.task import Answer, Decide, Retrieve, Summarize
from dadeum.evaluation.answers.rows import shown_chunks
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.taught import Taught, taught
from dadeum.tasks import answer, decide, summarize


@dataclass(frozen=True)
class Row:
    id: str
    route: str
    body: dict[str, Any]
    expected: str
    """Label or text."""
    gold: str = ""
    label_key: str = ""
    probabilities: dict[str, float] | None = None
    """Of a decision."""

    def text_of(self, reply: Any) -> str:
        """Of a text, where the route says it."""
        if self.route == "/v1/chat/completions":
            return str(reply["choices"][0]["message"]["content"])
        return str(reply.get("summary", reply.get("answer", "")))


Replay = tuple[list[Row], dict[str, int], dict[str, float]]
"""Rows, why others are left out, figures of scores.json."""


def rows_of(model: ServedModel) -> Replay:
    """What can be asked again; RunError for scores that are not of this model."""
    knows = taught(model)
    assert knows is not None
    run, task = knows.run, model.recipe.task
    samples = {str(one["id"]): one for one in read_jsonl(run.require(run.samples_path, "evaluate"))}
    if not knows.scores:
        raise _stale(run, "trained_since")
    if knows.scores.get("test_hash") != file_hash(run.require(run.split_path("test"), "data build")):
        raise _stale(run, "other_rows")
    if isinstance(task, Retrieve):
        return [], {"vectors": len(samples)}, {}
    if not isinstance(task, Decide) and model.recipe.generation.temperature:
        return [], {"drawn": len(samples)}, {}
    if not isinstance(task, Decide) and model.recipe.evaluate.generate_rows == 0:
        return [], {"nothing_written": len(samples)}, {}
    examples = [one for one in read_examples(run.split_path("test")) if one.id in samples]
    made = [_row(model, knows, one, samples[one[0].id]) for one in _with_passages(run, task, examples)]
    rows = [one for one in made if isinstance(one, Row)]
    why = Counter(one for one in made if isinstance(one, str))
    # Figures are of all rows: with some left out they cannot be compared.
    system = {} if why else (knows.scores.get("systems") or {}).get("tuned", {})
    figures = {name: value["value"] if isinstance(value, dict) else value for name, value in system.items()
               if name in ("accuracy", "macro_f1", "brier") and value is not None}  # fmt: skip
    return rows, dict(why), figures


def _stale(run: Run, why: str) -> RunError:
    return RunError("gateway.verify.stale", folder=run.folder, why=Message(f"gateway.verify.why.{why}"))


def _with_passages(run: Run, task: Any, examples: list[Example]) -> list[tuple[Example, list[dict[str, Any]]]]:
    if not isinstance(task, Answer):
        return [(one, []) for one in examples]
    chunks = shown_chunks(run, examples)
    return [
        (one, [{"document": chunks[id_].document, "page": chunks[id_].first_page, "text": chunks[id_].text}
               for id_ in answer.shown(one)])
        for one in examples
    ]  # fmt: skip


def _row(
    model: ServedModel, knows: Taught, given: tuple[Example, list[dict[str, Any]]], sample: dict[str, Any]
) -> Row | str:
    """A row, or why its request cannot be made."""
    example, passages = given
    task, name = model.recipe.task, f"/v1/tasks/{model.name}"
    match task:
        case Decide():
            fields = _fields(example)
            if fields is None or decide.prompt(task, fields) != example.prompt:
                return "cut"
            return Row(example.id, name, fields | {"model": model.version}, sample["predicted"], sample["label"],
                       task.label_key, sample["probabilities"])  # fmt: skip
        case Summarize():
            dialogue = _dialogue(task, model, example)
            if dialogue is None or knows.cleaned(dialogue) != dialogue:
                return "cut"
            body: dict[str, Any] = {"dialogue": dialogue, "model": model.version}
            return Row(example.id, name, body, sample["answers"]["tuned"])
        case Answer():
            if not passages:
                return "cut"
            said = answer.split_citations(sample["answers"]["tuned"])[0]
            return Row(example.id, name, {"question": example.text, "passages": passages, "model": model.version}, said)
    body = {"model": model.version, "messages": example.prompt, "temperature": 0, "max_tokens": knows.max_new_tokens}
    return Row(example.id, "/v1/chat/completions", body, sample["answers"]["tuned"])


def _fields(example: Example) -> dict[str, Any] | None:
    """What the prompt shows; None for one that was cut, which is no JSON any more."""
    try:
        found = json.loads(example.prompt[-1]["content"])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _dialogue(task: Summarize, model: ServedModel, example: Example) -> str | None:
    content, form = example.prompt[-1]["content"], model.recipe.render.format
    asked = summarize.prompt(task, "", form)[-1]["content"]
    found = content.removeprefix(asked)
    return found if summarize.prompt(task, found, form) == example.prompt else None
