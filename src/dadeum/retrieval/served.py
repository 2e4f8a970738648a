"""What a run of task `retrieve` searches with: words, meaning or both, as its evaluation chose on validation questions.

Who builds test rows and who serves an index ask here, so that they find the same chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.run import Run, read_json
from dadeum.retrieval.hybrid import Fusion
from dadeum.retrieval.searching import By


@dataclass(frozen=True)
class Served:
    by: By
    fusion: Fusion
    """Of words and meaning; used where both are searched."""


def served_by(run: Run) -> Served | None:
    """None before the run was evaluated."""
    if not run.scores_path.is_file():
        return None
    scores = read_json(run.scores_path)
    fusion = Fusion(scores["hybrid_method"], float(scores["hybrid_weight"]))
    by: By = "meaning" if scores["served"] == "tuned" else "both" if fusion.weight > 0 else "words"
    return Served(by, fusion)
