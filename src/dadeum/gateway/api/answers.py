"""Responses with OpenAI's names."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

FinishReason = Literal["stop", "length"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="null")


class Problem(Shape):
    message: str
    """For people, in the language of Accept-Language."""
    type: Literal[
        "invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"
    ]
    param: str | None
    """The field that it is about."""
    code: str
    """For programs: stays the same whatever the message."""


class Refusal(Shape):
    """Of every status from 400 on."""

    error: Problem


class PromptDetails(Shape):
    cached_tokens: int = 0


class Usage(Shape):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails = Field(default_factory=PromptDetails)


class TopLogprob(Shape):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(Shape):
    content: list[TokenLogprob]
    refusal: None = None


class Answer(Shape):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(Shape):
    index: int
    message: Answer
    logprobs: ChoiceLogprobs | None = None
    """Of the tokens as they were drawn, before the recipe's finishing steps."""
    finish_reason: FinishReason


class ChatCompletion(Shape):
    id: str
    """Also x-request-id; /v1/feedback takes it."""
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str
    """The version that answered."""


class Delta(Shape):
    role: Literal["assistant"] | None = None
    content: str | None = None

    @model_serializer(mode="wrap")
    def _only_what_came(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Clients add deltas up: a null would be one too."""
        return {name: value for name, value in write(self).items() if value is not None}


class ChunkChoice(Shape):
    index: int
    delta: Delta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: FinishReason | None = None


class ChatChunk(Shape):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class CompletionLogprobs(Shape):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(Shape):
    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: FinishReason | None = None
    """null in chunks of a stream but the last."""


class Completion(Shape):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    system_fingerprint: str


class EmbeddingUsage(Shape):
    prompt_tokens: int
    total_tokens: int


class Embedding(Shape):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """base64 of little-endian float32 where that was asked for."""


class Embeddings(Shape):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Model(Shape):
    id: str
    object: Literal["model"] = "model"
    created: int
    """Seconds since 1970: when its run was made."""
    owned_by: str
    parent: str | None
    """Name of the base that it was trained on; null of a base."""
    root: str
    """The version that the name leads to."""
    task: str
    versions: list[str]
    aliases: dict[str, str]
    """champion, challenger … → version."""


class Models(Shape):
    object: Literal["list"] = "list"
    data: list[Model]


def plain(shape: Shape) -> dict[str, Any]:
    return shape.model_dump(mode="json")
