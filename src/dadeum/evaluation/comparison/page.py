"""write_comparison: comparison.html for people, comparison.md for a pull request, comparison.csv for a spreadsheet.

The page is one file that loads nothing, in both languages, in the look of the report.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from dadeum.core.measured import Measured
from dadeum.core.pages import environment, printable
from dadeum.core.run import write_text
from dadeum.core.words import Words, wording
from dadeum.evaluation.comparison import table, words
from dadeum.evaluation.comparison.several import Comparison

_PACKAGE = "dadeum.evaluation.comparison"
_MARKDOWN = {"\\": "\\\\", "&": "&amp;", "<": "&lt;", ">": "&gt;"} | {mark: f"\\{mark}" for mark in "|`[*~"}
_MOST_NAMES = 3


def write_comparison(found: Comparison, folder: Path) -> Path:
    """All three files into `folder`, which may be new; returns the path of the page."""
    context = _context(found)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "comparison.html"
    write_text(path, environment(_PACKAGE, "compare", "comparison").get_template("comparison.html.j2").render(context))
    plain = environment(_PACKAGE, "compare", "comparison", autoescape=False)
    plain.filters["cell"] = _markdown_cell
    write_text(folder / "comparison.md", plain.get_template("comparison.md.j2").render(context))
    # The mark at the start tells Excel that this is UTF-8.
    write_text(folder / "comparison.csv", "\ufeff" + as_csv(found))
    return path


def _context(found: Comparison) -> dict[str, Any]:
    names = [printable(each.name) for each in found.entrants]
    more = len(names) - _MOST_NAMES
    return {
        "name": " · ".join(names[:_MOST_NAMES]) + (f" +{more}" if more > 0 else ""),
        "kind": wording("compare.kind"),
        "sections": _sections(found),
        "found": found,
        "overview": table.overview(found),
        "figures": table.figures(found),
        "writing": table.writing(found),
        "writing_caption": wording(
            "compare.retrieve.caption" if found.task == "retrieve" else "compare.writing_caption"
        ),
        "conclusion": words.conclusion(found),
        "sentences": words.sentences(found),
        "cautions": words.cautions(found),
        "rule": words.rule(),
    }


def _sections(found: Comparison) -> dict[str, Words]:
    shown = ["verdict", "runs", "figures", *(["writing"] if table.writing(found) else []), "folders"]
    named = {name: wording(f"compare.section.{name}") for name in shown}
    return named | ({"writing": wording("compare.retrieve.section")} if found.task == "retrieve" else {})


def _markdown_cell(value: Any) -> str:
    """Text from data inside a Markdown table: no markup, no new cell, no new line."""
    said = value.ko if isinstance(value, Words) else str(value)
    for character, written in _MARKDOWN.items():
        said = said.replace(character, written)
    return " ".join(said.split())


# -- spreadsheet ----------------------------------------------------------------------------------
def as_csv(found: Comparison) -> str:
    """A line per run and per baseline, plain numbers; an empty cell was not measured."""
    lines = [_run_line(found, place) for place in table.order(found)]
    for each in found.baselines:
        name = table.baseline_name(found, each).en
        lines.append({"kind": "baseline", "name": name} | _figure_columns(found, each.figures))
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _run_line(found: Comparison, place: int) -> dict[str, Any]:
    each, against = found.entrants[place], found.against_best[place]
    line: dict[str, Any] = {
        "kind": "run", "name": each.name, "method": each.method, "adapter": each.adapter, "model": each.base,
    }  # fmt: skip
    line |= {name: "" if value is None else value for name, value in vars(each.cost).items()}
    pair = against.pair if against else None
    line |= {"main_figure": found.main, "standing": "best" if against is None else _standing(found, place)}
    line |= {name: _number(getattr(pair, part)) if pair else "" for name, part in _DIFFERENCE.items()}
    line["p_holm"] = _number(against.p_holm) if against else ""
    line["chosen"] = int(place == found.choice.chosen)
    line |= {f"generation.{name}": value for name, value in each.generation.items()}
    return line | _figure_columns(found, each.figures) | {"folder": str(each.folder)}


_DIFFERENCE = {
    "difference_to_best": "value", "difference_low": "low", "difference_high": "high", "p": "p", "num_pairs": "num_rows"
}  # fmt: skip


def _standing(found: Comparison, place: int) -> str:
    against = found.against_best[place]
    if against is None or against.p_holm is None:
        return "undecided"
    return "worse" if against.is_sure else "equal"


def _figure_columns(found: Comparison, figures: dict[str, Measured]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for metric in found.metrics:
        for end, name in (("value", metric), ("low", f"{metric}_low"), ("high", f"{metric}_high")):
            line[name] = _number(getattr(figures[metric], end)) if metric in figures else ""
    return line


def _number(value: float | None) -> str | float:
    return "" if value is None or math.isnan(value) else round(value, 6)
