from __future__ import annotations

from pathlib import Path

import torch

from dadeum.models.layout import laid_for_few_rows
from tests.tiny import save_llama


def test_weights_lie_by_columns_and_the_model_computes_the_same(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(save_llama(tmp_path)).eval()
    ids = torch.arange(24).reshape(2, 12)
    with torch.inference_mode():
        before = model(ids).logits
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    laid_for_few_rows(model)
    with torch.inference_mode():
        after = model(ids).logits
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    assert {name: weight.shape for name, weight in model.named_parameters()} == shapes
    assert model.model.layers[0].mlp.up_proj.weight.stride() == (1, 128)
    # The table of the embeddings is read by rows, and the head is tied to it.
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert model.lm_head.weight.is_contiguous()


def test_half_precision_stays_as_it_lies() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(4, 4)
            self.linear = torch.nn.Linear(4, 8).bfloat16()

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.table

    model = laid_for_few_rows(Model())
    assert model.linear.weight.is_contiguous()
