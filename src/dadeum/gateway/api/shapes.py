"""Requests and responses with OpenAI's names. A field that is not here is refused by name, never ignored.

What clients send for "nothing" in fields that are not supported (null, an empty list) is nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dadeum.gateway.api.complaints import unknown_field
from dadeum.gateway.api.faults import Fault

Logprob20 = Annotated[int, Field(ge=0, le=20)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_ANY_BOOL = (True, False)


class Body(BaseModel):
    """Of a request."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {}
    """Fields of OpenAI's that are refused by name, and the values that ask for nothing."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_unknown(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for name, value in raw.items():
            if name in known or (name in cls.unsupported and (value is None or value in cls.unsupported[name])):
                continue
            if name in cls.unsupported:
                raise Fault(400, "gateway.api.unsupported_field", name, code="unsupported_field", field=name)
            wanted = {field.alias or own for own, field in cls.model_fields.items() if field.is_required()}
            raise unknown_field(name[:100], sorted(known), sorted(wanted - raw.keys()))
        return {name: value for name, value in raw.items() if name in known}


class TextPart(Body):
    type: Literal["text"]
    text: str


class Message(Body):
    """One turn."""

    unsupported = {
        "name": (), "refusal": (), "annotations": ([],), "audio": (), "function_call": (), "tool_calls": ([],),
        "tool_call_id": (),
    }  # fmt: skip
    role: Literal["system", "developer", "user", "assistant"]
    """developer is another word for system."""
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    """A text, or parts of one; pictures and sound cannot be read."""

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, raw: Any) -> Any:
        parts = raw.get("content") if isinstance(raw, dict) else None
        for part in parts if isinstance(parts, list) else []:
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind != "text":
                raise Fault(400, "gateway.api.only_text", "messages", code="unsupported_content", kind=kind[:50])
        return raw

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Body):
    unsupported = {"include_obfuscation": (False,)}
    include_usage: bool = False
    """A last chunk with empty `choices` tells how many tokens there were."""


class JsonSchema(Body):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None
    """The schema is always kept to, whatever stands here."""


class PlainFormat(Body):
    type: Literal["text"]


class ObjectFormat(Body):
    type: Literal["json_object"]


class SchemaFormat(Body):
    type: Literal["json_schema"]
    json_schema: JsonSchema


Format = Annotated[PlainFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


class Writing(Body):
    """What chat and completions have in common."""

    model: Name
    """Name, `name@alias` or `name@version`."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Left out: the recipe's, which is 0 unless it says otherwise."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Not in OpenAI's API: tokens are drawn from so many likeliest."""
    stop: str | list[str] | None = None
    seed: Seed | None = None
    """Answer i of `n` is drawn with seed + i."""
    n: Annotated[int, Field(ge=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    """Stored as a keyed hash; whoever sends the same one stays with the same variant."""

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or [])


class ChatRequest(Writing):
    unsupported = {
        "tools": ([],), "tool_choice": ("none", "auto"), "functions": ([],), "function_call": ("none", "auto"),
        "parallel_tool_calls": _ANY_BOOL, "logit_bias": ({},), "audio": (), "modalities": (["text"], []),
        "prediction": (), "reasoning_effort": (), "service_tier": ("auto", "default"), "store": (False,),
        "verbosity": (), "web_search_options": (), "prompt_cache_key": (), "prompt_cache_retention": (),
        "moderation": (),
    }  # fmt: skip
    messages: Annotated[list[Message], Field(min_length=1)]
    """At most one system turn, first; then user and assistant in turns; a user turn last."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """The newer name of max_tokens."""
    logprobs: bool | None = None
    top_logprobs: Logprob20 | None = None
    response_format: Format | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    """The newer name of user."""
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    """Kept with the request in the log where the server keeps contents."""


class CompletionRequest(Writing):
    unsupported = {"logit_bias": ({},), "suffix": ("",), "echo": (False,), "best_of": (1,)}
    prompt: str | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """A text as it stands, without a chat template, or token ids."""
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None


class EmbeddingRequest(Body):
    model: Name
    input: str | Annotated[list[str], Field(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Only of a model that was trained to be cut (Matryoshka)."""
    input_type: Literal["query", "document"] = "query"
    """Not in OpenAI's API: what is searched for, or what is searched in."""
    user: Annotated[str, Field(max_length=512)] | None = None
