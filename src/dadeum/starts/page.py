"""starts.html: the verdict on how a model begins its answers, why, its figures beside the base's, and answers to read.

One self-contained file that loads nothing, in both languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dadeum.core.measured import Notice
from dadeum.core.pages import environment, printable, visible
from dadeum.core.run import write_json, write_text
from dadeum.core.words import Html, Words, number, wording
from dadeum.starts.result import Starts
from dadeum.starts.view import view

_PACKAGE = "dadeum.starts"
PAGE, RESULT = "starts.html", "starts.json"


def write_starts(found: Starts, folder: Path, model: str, adapter: str, told: Sequence[Notice] = ()) -> Path:
    """`starts.json` and the page into a folder, which may be new; returns the page. `told`: what was asked, and how."""
    write_json(folder / RESULT, found.model_dump(mode="json"))
    page = {
        "name": adapter or model,
        "kind": wording("starts.kind"),
        "sections": {name: wording(f"starts.section.{name}") for name in ("verdict", "figures", "tokens", "answers")},
        "facts": _facts(found, model, adapter),
        "found": view(found),
        "tokens": found.max_new_tokens,
        "told": [wording(notice.key, **notice.values) for notice in told],
    }
    html = environment(_PACKAGE, "starts", "start_page").get_template("start_page.html.j2").render(page)
    write_text(folder / PAGE, printable(html))
    return folder / PAGE


def _facts(found: Starts, model: str, adapter: str) -> list[tuple[Words, Html]]:
    facts = {"model": model, "adapter": adapter, "prompts": number(found.num_prompts)}
    facts |= {"answers": number(found.model.answers.num)}
    return [(wording(f"starts.card.{name}"), visible(value)) for name, value in facts.items() if value]
