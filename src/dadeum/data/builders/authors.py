"""Who writes what is asked for: a model behind an OpenAI-compatible endpoint, or one here, which sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from dadeum.core.errors import DataError, MissingExtra
from dadeum.core.examples import Turn
from dadeum.core.generation import Generation
from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.models.endpoint import Endpoint, Question, Reply, shown_url

MAX_NEW_TOKENS = 192
"""Of a model on this machine, for each question: Korean takes many tokens of most models."""
TOP_P = 0.95
"""Of a model on this machine that is asked to vary: the unlikeliest tokens break the JSON."""
_BATCH_SIZE = 4


class Request(Question, Protocol):
    """One thing to ask for: a draft about a chunk, conversations like some examples."""

    @property
    def turns(self) -> list[Turn]:
        """The whole prompt, for a model on this machine."""
        ...

    @property
    def number(self) -> int:
        """How many are asked for; each has its room in the reply."""
        ...


class Author(Protocol):
    """Writes a reply to each request."""

    @property
    def name(self) -> str:
        """Model, as what it wrote remembers it."""
        ...

    @property
    def address(self) -> str:
        """Where requests are sent; empty for this machine."""
        ...

    @property
    def at_once(self) -> int:
        """Requests whose replies are written down together."""
        ...

    def write(self, askings: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        """(index of the request, reply), in any order."""
        ...

    def close(self) -> None: ...


class EndpointAuthor:
    at_once = 16

    def __init__(self, base_url: str, model: str, api_key_env: str, seed: int, temperature: float = 0.0) -> None:
        self.name = model
        self.address = shown_url(base_url)
        missing = MissingExtra("data.builders.missing_extra")
        self._endpoint = Endpoint(base_url, model, api_key_env, seed, missing, temperature=temperature)

    def write(self, askings: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        return self._endpoint.ask(askings)

    def close(self) -> None:
        self._endpoint.close()


class LocalAuthor:
    """Greedy unless told otherwise, so that the same chunk gives the same draft."""

    at_once = _BATCH_SIZE

    def __init__(self, base: str, seed: int = 42, temperature: float = 0.0, tokens_each: int | None = None) -> None:
        # Imported here: only this needs torch.
        from dadeum.models.engines import load_engine

        self.name = base
        self.address = ""
        self._seed = seed
        self._tokens_each = tokens_each or MAX_NEW_TOKENS
        self._generation = Generation(temperature=temperature, top_p=TOP_P if temperature else 1.0)
        self._engine = load_engine(_recipe(base), None)

    def write(self, askings: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        room = self._tokens_each * max(asking.number for asking in askings)
        prompts = [asking.turns for asking in askings]
        written = self._engine.write(prompts, room, _BATCH_SIZE, generation=self._generation, seed=self._seed)
        for index, answer in enumerate(written):
            yield index, Reply(answer.text)

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
    base_url: str | None,
    model: str | None,
    api_key_env: str,
    local: str | None,
    seed: int,
    temperature: float = 0.0,
    tokens_each: int | None = None,
) -> Callable[[], Author]:
    """What opens the author that the user named. Raises DataError unless it is one, and one that is named in full.

    Above a temperature of 0 it varies what it writes; `tokens_each` is the room for each of what is asked for.
    """
    if local is not None and base_url is None and model is None:
        return lambda: LocalAuthor(local, seed, temperature, tokens_each)
    if base_url is not None and model is not None and local is None:
        return lambda: EndpointAuthor(base_url, model, api_key_env, seed, temperature)
    given = {"--base-url": base_url, "--model": model, "--local": local}
    raise DataError("data.builders.no_author", given=", ".join(name for name, value in given.items() if value) or "-")
