"""The policy with its value head: log probabilities, values and entropies of written answers.

The head reads the policy's last hidden state, in front of each token: one forward pass gives both. It starts at 0
and is never saved with the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dadeum.training.ppo.objective import entropy


def add_value_head(model: Any) -> None:
    """`model.value_head`, in fp32: its targets move by less than bf16 can hold."""
    head = nn.Linear(model.config.get_text_config().hidden_size, 1, dtype=torch.float32)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    model.value_head = head.to(model.device)


@dataclass(frozen=True)
class Texts:
    """Prompts and answers, padded: prompts to their left, answers to their right."""

    ids: Tensor
    """(rows, prompt + answer)"""
    mask: Tensor
    """1 at every token of a prompt or an answer."""
    written: Tensor
    """(rows, answer): 1 at tokens that the model wrote, its end token among them."""

    def __getitem__(self, rows: Any) -> Texts:
        return Texts(self.ids[rows], self.mask[rows], self.written[rows])


@dataclass(frozen=True)
class Seen:
    """What one forward pass tells of every answer token; each (rows, answer), 0 at padding but for `entropies`."""

    log_probs: Tensor
    values: Tensor
    entropies: Tensor


def padded_texts(prompts: list[list[int]], answers: list[list[int]], pad_id: int, device: Any) -> Texts:
    """Which tokens count is told by position, so a pad token that is also the end token does no harm."""
    left, right = max(map(len, prompts)), max(1, *map(len, answers))
    ids = torch.full((len(prompts), left + right), pad_id)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        both = torch.tensor([*prompt, *answer])
        start = left - len(prompt)
        ids[row, start : start + len(both)] = both
        mask[row, start : start + len(both)] = 1
    return Texts(ids.to(device), mask.to(device), mask[:, left:].to(device))


def see(model: Any, texts: Texts, temperature: float) -> Seen:
    """The policy's view of the answers, at the temperature that they were drawn with."""
    logits, hidden = _forward(model, texts)
    log_probs = _log_probs(logits / temperature, texts)
    with torch.no_grad():
        entropies = entropy(logits.detach() / temperature)
    values: Tensor = model.value_head(hidden.float()).squeeze(-1) * texts.written
    return Seen(log_probs, values, entropies)


def log_probs_of(model: Any, texts: Texts, temperature: float) -> Tensor:
    """Of the answers, by a model that needs no value head."""
    return _log_probs(_forward(model, texts)[0] / temperature, texts)


def _forward(model: Any, texts: Texts) -> tuple[Tensor, Tensor]:
    """Logits and last hidden states of the places in front of the answer tokens."""
    length = texts.written.shape[1]
    # Explicit positions: with padding on the left, a model would count the padding too.
    positions = (texts.mask.cumsum(-1) - 1).clamp(min=0)
    out = model(
        input_ids=texts.ids,
        attention_mask=texts.mask,
        position_ids=positions,
        use_cache=False,
        output_hidden_states=True,
        logits_to_keep=length + 1,
    )
    return out.logits[:, -length - 1 : -1].float(), out.hidden_states[-1][:, -length - 1 : -1]


def _log_probs(logits: Tensor, texts: Texts) -> Tensor:
    tokens = texts.ids[:, -texts.written.shape[1] :]
    chosen = logits.gather(-1, tokens[..., None]).squeeze(-1)
    return (chosen - logits.logsumexp(-1)) * texts.written
