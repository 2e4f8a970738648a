"""Token lengths of examples under the recipe's model: which rows fit, which must go, which labels collide."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

from dadeum.core.examples import Example
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.task import Decide, Retrieve
from dadeum.data.lengths.question_tokens import QuestionCounter
from dadeum.models import fresh
from dadeum.models.render import Fitted, Renderer, label_spans
from dadeum.models.seq2seq_render import Seq2SeqRenderer, load_renderer
from dadeum.tasks import decide


class TokenCounter:
    """Callable that fits examples into the token limit; loads the tokenizer once, no weights.

    A base that is made in the run (`fresh-bart`) is made by `learn`, in a folder that goes with this object.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        """With the folder of a base that was made in place of its name."""
        self.label_spans: list[list[int]] = []
        """Token ids that tell the labels apart, in the order of `task.labels`; empty where there are none."""
        self.escaped: dict[str, str] = {}
        """Rows (id) whose texts hold control tokens that are read as letters, with the first of them."""
        self.made: Path | None = None
        """The folder of the base that `learn` made; gone with this object."""
        self._renderer: Renderer | Seq2SeqRenderer | None = None
        if not fresh.is_fresh(recipe.model):
            self._open(recipe)

    def _open(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._renderer = load_renderer(recipe)
        task = recipe.task
        if isinstance(task, Decide) and isinstance(self._renderer, Renderer):
            self.label_spans = label_spans(self._renderer, decide.candidates(task))

    def learn(self, train: list[Example]) -> None:
        """Make the base from the training rows, where it is one that is made; called once, before any row is fitted."""
        if not fresh.is_fresh(self.recipe.model):
            return
        temporary = Path(tempfile.mkdtemp(prefix="dadeum-"))
        weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self.made = temporary / fresh.NAME
        fresh.make(self.recipe, _texts(train), self.made)
        self._open(fresh.placed(self.recipe, self.made))

    @property
    def is_ready(self) -> bool:
        """False for a base that is still to be made."""
        return self._renderer is not None

    @property
    def renderer(self) -> Renderer | Seq2SeqRenderer:
        if self._renderer is None:
            raise AssertionError("a base that is made in the run has no tokenizer before learn()")
        return self._renderer

    @property
    def notes(self) -> list[Message]:
        """What surprises users of this model."""
        return self._renderer.notes if self._renderer else []

    def count(self, text: str) -> int:
        """Tokens of a bare text, nothing added."""
        return len(self.renderer.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    def has_room(self, example: Example) -> bool:
        """Whether a row is within the token limit as it is."""
        if isinstance(self.renderer, Seq2SeqRenderer):
            return self.renderer.has_room(self.renderer.row(example))
        return len(self.renderer.render(example).input_ids) <= self.renderer.settings.max_length_tokens

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        """One Fitted per example; raises ModelError when `truncation: raise` meets a long row."""
        for example in examples:
            if tokens := self.renderer.control_tokens(example):
                self.escaped[example.id] = tokens[0]
        return [self.renderer.fit(example) for example in examples]


def counter_of(recipe: Recipe) -> TokenCounter | QuestionCounter:
    """What counts tokens for the recipe's task: of prompts and answers, or of questions and chunks."""
    return QuestionCounter(recipe) if isinstance(recipe.task, Retrieve) else TokenCounter(recipe)


def _texts(examples: list[Example]) -> Iterable[str]:
    for example in examples:
        yield from (turn["content"] for turn in (*example.prompt, *example.completion))
