"""A conversation is one: system first, then user and assistant in turn, the last word the assistant's, no turn empty.

Templates differ in what they do with the rest: some raise, some write it down as if nothing were wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed
from dadeum.data.texts.asked import DOCUMENT
from dadeum.tasks.chat import misplaced

CODE = "DA105"
NAME = "roles"

BLOCK_SHARE = 0.5
"""Share of rows from which the file is not what it was taken for: columns or roles are mixed up throughout."""
_CONVERSATIONS = {"chat", "answer", "summarize", "prefer"}


def check(context: Context) -> list[Finding]:
    if context.task not in _CONVERSATIONS:
        return []
    found = []
    kinds: Counter[str] = Counter()
    names_documents = any(DOCUMENT in example.extra for _, example in context.placed)
    for row, (_, example) in enumerate(context.placed):
        if names_documents and not example.completion and DOCUMENT not in example.extra:
            continue  # a question that no document answers
        problems = dict(_problems(example))
        if problems:
            kinds.update(set(problems.values()))
            found += [Hit(row, part, found={"problem": problem}) for part, problem in problems.items()]
    share = len({hit.row for hit in found}) / max(context.num_rows, 1)
    severity: Severity = "block" if share > BLOCK_SHARE else "warn"
    return context.finding(CODE, NAME, severity, found, {"problems": listed(kinds), "share": share})


def _problems(example: Example) -> Iterator[tuple[str, str]]:
    """(name of the turn as in `examples.parts`, what is wrong with it). No prompt at all is `schema`'s."""
    if not example.prompt:
        return
    turns = [*example.prompt, *example.completion]
    speaking = sum(turn["role"] == "user" and bool(turn["content"].strip()) for turn in turns)
    for at, turn in enumerate(turns):
        problem = misplaced(turns, at)
        # Where no user says anything, the input is empty as a whole: `empty_field`'s, like an empty answer.
        if (
            not problem
            and speaking
            and at < len(turns) - 1
            and turn["role"] != "system"
            and not turn["content"].strip()
        ):
            problem = "empty_turn"
        if problem:
            yield f"{turn['role']}.{at + 1}", problem
