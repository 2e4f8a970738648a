"""SOLAR 10.7B Instruct: turns have titles in plain letters, and nothing stands after an answer.

The renderer adds eos to the last answer, so that the model learns to stop; earlier answers have none.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "SOLAR",
    marks=("### User:", "### Assistant:"),
    notes=("models.families.end_not_in_template",),
)
