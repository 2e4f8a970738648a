"""What people get from the same figures: a second person's answer judged against the other people's.

No model can be asked for more. Only rows that have several references tell, and only figures that need one.
"""

from __future__ import annotations

import json
from dataclasses import replace

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.evaluation.answers.figures import WITH_REFERENCE, rate, value_of
from dadeum.evaluation.answers.rows import Rows
from dadeum.tasks import summarize


def another_person(recipe: Recipe, rows: Rows) -> tuple[dict[str, float], int]:
    """Figures of the second reference against the others, and how many rows have one."""
    several = [row for row in rows.answered if len(summarize.references(row)) > 1]
    if recipe.task.type != "summarize" or not recipe.evaluate.generate_rows or not several:
        return {}, 0
    second = [summarize.references(row)[1] for row in several]
    asked = rows.asked(recipe, second, [_without_second(row) for row in several])
    found = {name: value_of(name, values) for name, values in rate(asked, lambda done, total: None).items()}
    return {name: value for name, value in found.items() if value is not None and name in WITH_REFERENCE}, len(several)


def _without_second(row: Example) -> Example:
    first, _, *more = summarize.references(row)
    rest = {name: value for name, value in row.extra.items() if name != summarize.REFERENCES}
    extra = rest | ({summarize.REFERENCES: json.dumps(more, ensure_ascii=False)} if more else {})
    return replace(row, completion=summarize.completion(first), extra=extra)
