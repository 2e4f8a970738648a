"""What every scores.json holds, whatever the task: bars of calibration, gates.

The rest of the shape belongs to the kind of answer: `decide/scores.py`, `answers/scores.py`.
"""

from __future__ import annotations

from dadeum.core.measured import Part


class Bin(Part):
    """One bar of the reliability diagram."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Gate(Part):
    metric: str
    condition: str
    value: float | None
    """None when these rows cannot give the figure (ROC of a test set of one class); such a gate has not passed."""
    target: float | None
    passed: bool
