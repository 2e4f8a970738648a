"""Who writes drafts: a model behind an OpenAI-compatible endpoint, or one on this machine, which sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from dadeum.core.errors import DataError, MissingExtra
from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.data.builders.asking import Asking
from dadeum.models.endpoint import Endpoint, Reply, shown_url

MAX_NEW_TOKENS = 192
"""Of a model on this machine, for each question: Korean takes many tokens of most models."""
_BATCH_SIZE = 4


class Author(Protocol):
    """Writes a reply to each asking."""

    @property
    def name(self) -> str:
        """Model, as the drafts remember it."""
        ...

    @property
    def address(self) -> str:
        """Where the chunks are sent; empty for this machine."""
        ...

    @property
    def at_once(self) -> int:
        """Chunks whose drafts are written down together."""
        ...

    def write(self, askings: Sequence[Asking]) -> Iterator[tuple[int, Reply]]:
        """(index of the asking, reply), in any order."""
        ...

    def close(self) -> None: ...


class EndpointAuthor:
    at_once = 16

    def __init__(self, base_url: str, model: str, api_key_env: str, seed: int) -> None:
        self.name = model
        self.address = shown_url(base_url)
        self._endpoint = Endpoint(
            base_url, model, api_key_env, seed, MissingExtra("data.builders.missing_extra")
        )  # fmt: skip

    def write(self, askings: Sequence[Asking]) -> Iterator[tuple[int, Reply]]:
        return self._endpoint.ask(askings)

    def close(self) -> None:
        self._endpoint.close()


class LocalAuthor:
    """Greedy, so that the same chunk gives the same draft."""

    at_once = _BATCH_SIZE

    def __init__(self, base: str) -> None:
        # Imported here: only this needs torch.
        from dadeum.models.engines import load_engine

        self.name = base
        self.address = ""
        self._engine = load_engine(_recipe(base), None)

    def write(self, askings: Sequence[Asking]) -> Iterator[tuple[int, Reply]]:
        room = MAX_NEW_TOKENS * max(asking.number for asking in askings)
        answers = self._engine.generate([asking.turns for asking in askings], room, _BATCH_SIZE)
        for index, answer in enumerate(answers):
            yield index, Reply(answer)

    def close(self) -> None:
        self._engine.close()


def _recipe(base: str) -> Recipe:
    """What an engine is loaded by; nothing of it is trained."""
    from dadeum.models.load import load_tokenizer

    model = Model(base=base, adapter=NoAdapter(type="none"))
    form = "chat" if load_tokenizer(model).chat_template else "instruction"
    return Recipe.model_validate(
        {
            "name": "draft", "task": {"type": "chat"}, "model": model.model_dump(), "render": {"format": form},
            "data": {"sources": [{"path": "-"}]}, "stages": [{"name": "none", "method": "sft"}],
        }
    )  # fmt: skip


def author_of(
    base_url: str | None, model: str | None, api_key_env: str, local: str | None, seed: int
) -> Callable[[], Author]:
    """What opens the author that the user named. Raises DataError unless it is one, and one that is named in full."""
    if local is not None and base_url is None and model is None:
        return lambda: LocalAuthor(local)
    if base_url is not None and model is not None and local is None:
        return lambda: EndpointAuthor(base_url, model, api_key_env, seed)
    given = {"--base-url": base_url, "--model": model, "--local": local}
    raise DataError("data.builders.no_author", given=", ".join(name for name, value in given.items() if value) or "-")
