"""What a recipe says of the model: base, adapter, what training goes on from, arithmetic, where it lies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dadeum.core.section import Section

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class NoAdapter(Section):
    """Full fine-tuning: every weight of the base model is trained and saved."""

    type: Literal["none"]


class Lora(Section):
    """Low-rank adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685)."""

    type: Literal["lora"]
    r: Annotated[int, Field(ge=1)] = 16
    """Rank of the update."""
    alpha: Annotated[int, Field(ge=1)] = 32
    """The update is scaled by alpha / r."""
    dropout: Fraction = 0.0
    """Dropout on the adapter's input."""
    targets: Literal["attention", "all-linear"] | tuple[str, ...] = "all-linear"
    """Layers by role, resolved per architecture, or module names; a name that matches nothing is an error."""


class QLora(Lora):
    """LoRA on a quantised base (https://arxiv.org/abs/2305.14314)."""

    type: Literal["qlora"]  # type: ignore[assignment]
    bits: Literal[4, 8] = 4
    """4: NF4 with double quantisation. 8: LLM.int8(), twice the memory, closer to the base."""


Adapter = Annotated[NoAdapter | Lora | QLora, Field(discriminator="type")]


class Model(Section):
    base: str
    """Hub id, local folder, or an alias of `dadeum models list` (`smollm2-135m`)."""
    revision: str | None = None
    """Commit or tag on the hub; None takes the newest and records which it was."""
    adapter: Adapter
    start: str | None = None
    """What the first stage goes on from: a run folder, an adapter, or full weights; `--adapter` sets it."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the frozen base; auto measures what this machine does faster. Adapters stay fp32."""
    device_map: Literal["single", "auto"] = "single"
    """single: the whole model on one device. auto: layers over all GPUs, then CPU memory, then disk; slower."""
    attention: Literal["sdpa", "auto", "eager"] = "sdpa"
    """auto: flash-attention where its package is there and can be used, else SDPA; which one is said."""
    trust_remote_code: bool = False
    """Run Python that comes with the model. Off: nothing from a hub is executed."""
