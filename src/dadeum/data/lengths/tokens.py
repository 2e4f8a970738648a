"""Token lengths of examples under the recipe's model: which rows fit, which must go, which labels collide."""

from __future__ import annotations

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Fitted, Renderer, label_spans
from dadeum.tasks import decide


class TokenCounter:
    """Callable that fits examples into the token limit; loads the tokenizer once, no weights."""

    def __init__(self, recipe: Recipe) -> None:
        self.renderer = Renderer(load_tokenizer(recipe.model), recipe.render)
        self.label_spans = label_spans(self.renderer, decide.candidates(recipe.task))
        """Token ids that tell the labels apart, in the order of `task.labels`."""

    def __call__(self, examples: list[Example]) -> list[Fitted]:
        """One Fitted per example; raises ModelError when `truncation: raise` meets a long row."""
        return [self.renderer.fit(example) for example in examples]
