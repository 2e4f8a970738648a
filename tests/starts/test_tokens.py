from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.recipe import Render
from dadeum.models.render import Renderer
from dadeum.starts.first_tokens import bits, divergence, measured
from dadeum.starts.tokens import KINDS, kind_of_text, kinds, shown


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("정확한", "hangul"), (" 네", "hangul"), ("3", "digit"), ("Sure", "foreign"), ("我", "foreign"),
        ("…", "mark"), ("• • •", "mark"), (". 정확한", "mark"), ("!!", "mark"), ("⚠️ 주의", "mark"), ('"…', "mark"),
        ("**정답**은", "opening"), ("'가'는", "opening"), ("```python", "opening"), ("- 하나", "opening"),
        ("#Person1#은", "opening"), ("#", "opening"), ("\n", "space"), ("", "space"),
    ],
)  # fmt: skip
def test_marks_are_what_opens_nothing(text, kind):
    assert kind_of_text(text) == kind


def test_first_bytes_of_hangul_are_no_foreign_letters(tiny_llama):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_llama))
    renderer = Renderer(tokenizer, Render())
    found = kinds(renderer, len(tokenizer) + 5)
    assert len(found) == len(tokenizer) + 5
    of = {token: KINDS[found[number]] for token, number in tokenizer.get_vocab().items()}
    # GPT-2 writes the bytes EC, 80, E2 and E9 as these letters.
    assert of["ì"] == "partial"
    assert of["Ģ"] == "torn"
    assert of["â"] == "mark"
    assert of["é"] == "other"
    assert of["<|im_end|>"] == "end"
    assert of["<|im_start|>"] == "torn"
    assert of["A"] == "foreign" and of["."] == "mark" and of["{"] == "opening"
    assert set(found[len(tokenizer) :]) == {KINDS.index("other")}
    assert shown(tokenizer, tokenizer.get_vocab()["ì"]) == "<EC>"
    assert shown(tokenizer, tokenizer.get_vocab()["Ċ"]) == "\\n"


def test_bits_by_hand():
    assert bits(np.array([0.25] * 4)) == 2
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0, 0.0])) == pytest.approx(1)
    assert divergence(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


def test_a_share_has_its_interval_over_prompts():
    found = measured([True] * 10 + [False] * 30, seed=0)
    # Binomial with n 40 and p 1/4: standard deviation 0.068.
    assert found.value == 0.25
    assert found.low == pytest.approx(0.125, abs=0.03) and found.high == pytest.approx(0.4, abs=0.03)
    assert measured([1.0] * 5, seed=0).low == 1
    assert measured([], seed=0).high == 0


def test_first_token_probabilities_equal_an_unbatched_pass(tiny_llama):
    import torch

    from dadeum.models.engines import load_engine
    from dadeum.models.first_token import first_token_log_probs
    from tests.starts.conftest import recipe_of, turns

    engine = load_engine(recipe_of(tiny_llama), None)
    # Long enough a common beginning to be computed once, and lengths that need padding.
    prompts = [
        [{"role": "system", "content": "친절하게 답하세요. " * 3}, *turn]
        for turn in turns(["가", "나 다", "라 마 바", "사", "아자", "차"])
    ]
    seen = []
    for indices, log_probs in first_token_log_probs(engine, prompts, 4):
        assert not torch.is_inference_mode_enabled()
        for index, row in zip(indices, log_probs, strict=True):
            with torch.inference_mode():
                ids = torch.tensor([engine.renderer.prompt_ids(prompts[index])])
                alone = engine.model(ids).logits[0, -1].log_softmax(-1).numpy()
            np.testing.assert_allclose(row, alone, atol=1e-4)
            seen.append(index)
    assert sorted(seen) == list(range(6))
