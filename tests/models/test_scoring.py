"""Scores from packed trees equal those of rows one by one."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import torch
import transformers

from dadeum.models import scoring
from dadeum.models.scoring import Scorer

VOCABULARY = 120
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
WINDOWS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 12}
SPANS = {
    "one token": [[5], [7]],
    "two tokens": [[5, 6], [7, 8]],
    "mixed": [[5], [7, 8, 9], [7, 8, 5], [11, 12]],
    "begins alike": [[5, 6, 7], [5, 6, 8], [5, 9]],
}


def tiny(family: str):
    torch.manual_seed(1)
    config_class = getattr(transformers, "Gemma3TextConfig" if family == "Gemma3" else f"{family}Config")
    config = config_class(**COMMON, **({} if family == "Llama" else WINDOWS))
    model_class = getattr(transformers, f"{family}ForCausalLM")
    return model_class._from_config(config, attn_implementation="eager").eval()


def prompts(count: int = 7) -> list[list[int]]:
    """An instruction of 20 tokens, longer than the window, and mails of unlike lengths; two of them are the same."""
    random = torch.Generator().manual_seed(0)

    def tokens(size: int) -> list[int]:
        return torch.randint(1, VOCABULARY, (size,), generator=random).tolist()

    instruction = tokens(20)
    made = [instruction + tokens(3 * index + 1) for index in range(count - 1)]
    return [*made, made[2]]


def by_hand(model, rows, spans) -> np.ndarray:
    """Rows one by one: no padding, no cache, the model's own eager attention, all logits."""
    assert model.config._attn_implementation == "eager"
    found = []
    for row in rows:
        for span in spans:
            logits = model(input_ids=torch.tensor([row + span]), use_cache=False).logits[0].double().log_softmax(-1)
            found.append(sum(float(logits[len(row) + k - 1, token]) for k, token in enumerate(span)))
    return np.array(found).reshape(len(rows), len(spans))


def scored(model, rows, spans, batch_size=3) -> tuple[np.ndarray, bool]:
    """(scores, whether trees were used), the way Engine.score does it."""
    scorer, scores = Scorer(model, spans, pad_id=0), np.zeros((len(rows), len(spans)))
    with torch.inference_mode(), ExitStack() as stack:
        scorer.choose_path(rows, stack)
        for indices in scorer.parts(rows, batch_size):
            scores[indices] = scorer([rows[index] for index in indices])
    return scores, scorer.uses_trees


@pytest.mark.parametrize("spans", SPANS.values(), ids=SPANS)
@pytest.mark.parametrize("family", ["Llama", "Gemma3", "Exaone4"])
def test_trees_score_like_rows_one_by_one(family, spans, caplog):
    model, rows = tiny(family), prompts()
    with torch.inference_mode():
        wanted = by_hand(model, rows, spans)
    found, used_trees = scored(model, rows, spans)
    assert used_trees
    assert not caplog.records
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("spans", SPANS.values(), ids=SPANS)
def test_the_plain_path_scores_like_rows_one_by_one(spans, monkeypatch):
    model, rows = tiny("Gemma3"), prompts()
    monkeypatch.setattr(scoring, "_TRIED_ROWS", 100)
    with torch.inference_mode():
        wanted = by_hand(model, rows, spans)
    found, used_trees = scored(model, rows, spans)
    assert not used_trees
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_instruction_is_computed_once_a_pass():
    model, rows = tiny("Llama"), prompts()
    counted: list[int] = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: counted.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    scored(model, rows, SPANS["one token"], batch_size=100)
    assert counted[-1] <= 20 + sum(len(row) - 20 for row in rows)


def test_logits_have_a_limit(monkeypatch):
    model, rows = tiny("Llama"), prompts()
    scorer = Scorer(model, SPANS["two tokens"], pad_id=0)
    scorer.uses_trees = True
    monkeypatch.setattr(scoring, "_LOGIT_BYTES", 4 * VOCABULARY * 3 * 2)
    assert max(map(len, scorer.parts(rows, 100))) == 2  # three columns a prompt: its end and one token of each label


def test_no_branch_is_another_ones_beginning():
    branches, branch_of = scoring._branches(SPANS["mixed"])
    assert branches == [[7, 8], [11]]
    assert branch_of == [0, 0, 0, 1]
    assert scoring._branches([[3], [4]]) == ([[]], [0, 0])


def test_other_scores_are_noticed_and_not_used(monkeypatch, caplog):
    model, rows = tiny("Llama"), prompts()
    honest = Scorer._tree
    monkeypatch.setattr(Scorer, "_tree", lambda self, given: honest(self, given) + 0.5)
    found, used_trees = scored(model, rows, SPANS["two tokens"])
    assert not used_trees
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert model.config._attn_implementation == "eager"
    with torch.inference_mode():
        np.testing.assert_allclose(found, by_hand(model, rows, SPANS["two tokens"]), atol=1e-4)


def test_not_a_number_is_not_a_small_difference(monkeypatch, caplog):
    monkeypatch.setattr(Scorer, "_tree", lambda self, given: self._plain(given) * np.nan)
    found, used_trees = scored(tiny("Llama"), prompts(), SPANS["one token"])
    assert not used_trees
    assert np.isfinite(found).all()
    assert caplog.records


def test_a_label_that_is_ruled_out_is_no_difference():
    ruled_out = np.array([[-np.inf, -1.0]])
    assert scoring._largest_difference(ruled_out, ruled_out) == 0
    assert scoring._largest_difference(ruled_out, np.array([[-3.0, -1.0]])) == np.inf


def test_a_model_that_takes_no_tree_is_scored_all_the_same(caplog):
    """BLOOM adds ALiBi to its own attention and asks no registry."""
    torch.manual_seed(1)
    config = transformers.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    model, rows = transformers.BloomForCausalLM(config).eval(), prompts()
    found, used_trees = scored(model, rows, SPANS["mixed"])
    assert not used_trees
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "BloomForCausalLM" in caplog.text
    with torch.inference_mode():
        alone = np.concatenate([scored(model, [row], SPANS["mixed"])[0] for row in rows])
    np.testing.assert_allclose(found, alone, atol=1e-4)
