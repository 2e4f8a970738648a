"""Token lengths of examples under the recipe's model: which rows fit, which must go, which labels collide."""

from __future__ import annotations

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.core.task import Decide
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Fitted, Renderer, label_spans, loss_on
from dadeum.tasks import decide


class TokenCounter:
    """Callable that fits examples into the token limit; loads the tokenizer once, no weights."""

    def __init__(self, recipe: Recipe) -> None:
        self.renderer = Renderer(load_tokenizer(recipe.model), recipe.render, loss_on(recipe))
        task = recipe.task
        self.label_spans = label_spans(self.renderer, decide.candidates(task)) if isinstance(task, Decide) else []
        """Token ids that tell the labels apart, in the order of `task.labels`; empty where there are none."""
        self.escaped: dict[str, str] = {}
        """Rows (id) whose texts hold control tokens that are read as letters, with the first of them."""

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        """One Fitted per example; raises ModelError when `truncation: raise` meets a long row."""
        for example in examples:
            if tokens := self.renderer.control_tokens(example):
                self.escaped[example.id] = tokens[0]
        return [self.renderer.fit(example) for example in examples]
