"""What a search leaves behind: tune.json, from which the page, the terminal and best.yaml are made.

Everything is measured on validation rows but `Final`, which is measured on test rows, once.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dadeum.core.measured import Measured, Notice, Part
from dadeum.core.tune import Range, Scalar

Params = dict[str, Scalar]
"""Key of the recipe → its value."""
State = Literal["complete", "pruned", "failed", "running"]


class Objective(Part):
    """A figure that the search improves."""

    name: str
    direction: Literal["maximize", "minimize"]


class Look(Part):
    """A validation loss on the way."""

    percent: int
    """How much of the training was done, 1 to 100."""
    loss: float


class Tried(Part):
    """One trial."""

    number: int
    """As optuna counts, from 0; the recipe's own settings are the first."""
    params: Params
    state: State
    values: tuple[float, ...] = ()
    """One per objective; none unless complete."""
    looks: tuple[Look, ...] = ()
    seconds: float | None = None
    peak_memory_mb: float | None = None
    reason: str = ""
    """Why it failed or was stopped, in the user's language at that time."""
    worker: str = ""
    """host:process that ran it."""
    is_default: bool = False
    """The recipe's own settings."""
    same_training_as: int | None = None
    """The trial whose weights it was judged with: only how answers are written differs."""
    retries: int | None = None
    """The trial that a dead worker left, which this one does again."""


class Repeated(Part):
    """One setting, run again with other seeds."""

    number: int
    """Trial."""
    seeds: tuple[int, ...]
    """The first is the trial's own."""
    values: tuple[float, ...]
    """Of the first objective, one per seed that came through."""
    mean: float
    spread: float
    """Standard deviation over the seeds (n - 1)."""
    failed: tuple[str, ...] = ()
    """Why seeds did not come through."""


class Tested(Part):
    """One figure of the test rows: the recipe as it was against the one that was found."""

    metric: str
    default: Measured
    tuned: Measured
    difference: Measured
    """tuned - default, paired by row."""
    direction: Literal["maximize", "minimize"]
    verdict: Literal["better", "worse", "unclear"]
    """Better or worse only where the interval of the difference leaves out 0."""


class Final(Part):
    """Both recipes trained on the same rows and tested once, on rows that no trial has seen."""

    default_run: str
    """Folder, relative to the search's."""
    tuned_run: str
    num_test: int
    tested: tuple[Tested, ...]
    """The objective first, where it is a figure of the evaluation."""
    sentences_ko: tuple[str, ...] = ()
    """What `dadeum compare` says of the two."""
    sentences_en: tuple[str, ...] = ()
    reproduced: float | None = None
    """The winner's first objective on validation rows after training it again; None: not measured."""


class Search(Part):
    """One search, as far as it has come."""

    name: str
    """The recipe's."""
    study: str
    storage: Literal["sqlite", "postgresql", "other"]
    objectives: tuple[Objective, ...]
    space: dict[str, Range | tuple[Scalar, ...]]
    defaults: Params
    """What the recipe says where it was not searched; a value may lie outside the space."""
    trials: int
    """How many were asked for."""
    timeout_minutes: float | None
    pruner: str
    workers: int
    num_validation: int
    num_train: int
    seconds: float
    """Wall clock of all sessions together."""
    ended: Literal["trials", "timeout", "exhausted", "failing", "interrupted", "running"]
    """exhausted: every setting of the space was tried. failing: trial after trial failed."""
    duplicates: int
    """Settings that were proposed again, and not run again."""
    tried: tuple[Tried, ...]
    front: tuple[int, ...] = ()
    """With several objectives: trials than which none is better in all."""
    importances: dict[str, float] = Field(default_factory=dict)
    """Share of the first objective's variation among complete trials that a key explains; empty below ten of them."""
    repeated: tuple[Repeated, ...] = ()
    winner: int | None = None
    """Trial that was taken; None: none came through."""
    winner_is_default: bool = False
    final: Final | None = None
    """None until the winner is tested; absent where the recipe's own settings won."""
    notices: tuple[Notice, ...] = ()
    """What limits the figures: messages under `tune.notice`."""
