"""How weights lie in memory: columns first, a CPU multiplies them with a handful of rows a quarter faster.

A decoding step has one row per answer and reads every weight once; the numbers stay what they are.
"""

from __future__ import annotations

from typing import Any

import torch


def laid_for_few_rows(model: Any) -> Any:
    """The same model; linear layers in fp32 on a CPU lie transposed behind the same shape.

    Heads stay: a table that also embeds tokens is read by rows. For inference only: an optimizer or a file would copy.
    """
    table = model.get_input_embeddings().weight
    for layer in model.modules():
        if type(layer) is not torch.nn.Linear or layer.weight is table:
            continue
        weight = layer.weight
        if weight.device.type == "cpu" and weight.dtype == torch.float32:
            weight.data = weight.data.t().contiguous().t()
    return model
