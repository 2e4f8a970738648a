"""What a training method is given, and what it hands back: the contract between `train.py` and `methods/<method>.py`.

A method module has `CONFIG`, (package, class) of its trainer's settings, and `ready(work)`, a context manager that
yields a `Ready`. Seeds, folders, checkpoints, logging and saving are the spine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError, first_line
from dadeum.core.model import NoAdapter
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, fingerprint
from dadeum.core.stages import AnyStage
from dadeum.models.kept import is_keeping
from dadeum.models.load import add_adapter, load_base, load_trained, published_as
from dadeum.models.precision import Precision
from dadeum.training.out_of_memory import is_out_of_memory


@dataclass(frozen=True)
class Work:
    """One stage of one run."""

    recipe: Recipe
    run: Run
    stage: Any
    """The stage's section of the recipe, of the class that its method has (core/stages.py)."""
    folder: Path
    """`stages/<n>-<name>`; the method may keep files of its own here, such as the pairs that it made."""
    before: Path | None
    """Weights that the stage begins with; None: the untuned model."""
    reward_model: Path | None
    """What the last `reward` stage before this one trained; None without one."""
    precision: Precision
    progress: Progress

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"


@dataclass(frozen=True)
class Told:
    """What only the method knows once training is over."""

    tokens: int
    """Prompt and answer tokens of all rows that were trained on, as often as they were."""
    tokens_computed: int
    """Tokens that really went through the model, padding included."""
    choices: dict[str, Any] = field(default_factory=dict)
    """How it was computed: `training/choices.py` for sft, settings of its own for others."""
    figures: dict[str, float] = field(default_factory=dict)
    """What the method measured: pairs left out, reward before and after, divergence."""


@dataclass(frozen=True)
class Ready:
    """A trainer that only needs to be told to train, with the model on it."""

    trainer: Any
    """A `transformers.Trainer`, or what has its `train`, `model`, `state`, `args`, `accelerator`, `add_callback`."""
    tokenizer: Any
    num_rows: int
    told: Callable[[], Told]
    save: Callable[[Path], None] | None = None
    """Writes what was trained into an empty folder, where `models/save.py` is not the way."""


def trainable_model(work: Work) -> Any:
    """The model that the stage goes on with: the stage before's or `model.start`'s, or a new adapter on the base."""
    recipe = work.recipe
    if work.before is not None:
        checkpointed = work.stage.gradient_checkpointing
        return load_trained(recipe.model, work.precision, work.before, True, checkpointed)
    base = load_base(recipe.model, work.precision, trainable=True)
    if isinstance(recipe.model.adapter, NoAdapter):
        return base
    return add_adapter(base, recipe.model.adapter, work.stage.gradient_checkpointing)


def untrained(work: Work) -> tuple[Any, ...] | None:
    """Equal for stages that begin with the same numbers, new adapter included; None where nobody can say or asks."""
    if work.before is not None or not is_keeping():
        return None
    model = work.recipe.model
    return published_as(model), fingerprint([model.model_dump(mode="json"), work.recipe.seed])


@contextmanager
def enough_memory(stage: AnyStage) -> Iterator[None]:
    """What is loaded and tried before the first step cannot be made smaller; a lack of memory is told with advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError("train.memory.before_training", stage=stage.name, detail=first_line(error)) from error
