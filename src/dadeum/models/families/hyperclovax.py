"""HyperCLOVA X SEED: ChatML with a tool list before the system turn; an answer ends with two tokens.

`<|im_end|>` closes the block, `<|endofturn|>` the turn: both are taught. `<|stop|>` waits for a tool.
"""

from __future__ import annotations

from dadeum.models.families.base import Family

FAMILY = Family(
    "HyperCLOVA X",
    model_types=("hyperclovax",),
    marks=("<|im_start|>", "<|im_end|>", "<|endofturn|>"),
    turn_tokens=("<|im_start|>", "<|im_end|>", "<|endofturn|>", "<|stop|>"),
    stop_tokens=("<|im_end|>", "<|endofturn|>", "<|stop|>"),
    notes=("models.families.two_end_tokens",),
)
