"""Log likelihood of taught answers, teacher-forced: how probable a model finds what people wrote.

Plain padded batches; only the columns that predict an answer go through the head, within a bound on its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_LOGIT_BYTES = 256 * 2**20
"""Most logits of one pass, fp32; a single row may need more."""

Ids = list[int]


class Labelled(NamedTuple):
    """Token ids of one row, and the same with -100 wherever no loss is taken."""

    input_ids: Ids
    labels: Ids


class Likelihood(NamedTuple):
    """Natural-log probability of the labelled tokens of one row, and how many they are."""

    log_prob: float
    num_tokens: int


def log_likelihoods(
    model: Any, rows: list[Labelled], batch_size: int, pad_id: int, progress: Callable[[int], None]
) -> list[Likelihood]:
    """One Likelihood per row, in the order of `rows`; call it inside inference mode."""
    found = [Likelihood(0.0, 0)] * len(rows)
    for indices in _parts(model, rows, batch_size):
        sums = _sums(model, [rows[index] for index in indices], pad_id)
        for index, log_prob in zip(indices, sums, strict=True):
            found[index] = Likelihood(log_prob, sum(label != -100 for label in rows[index].labels))
        progress(len(indices))
    return found


def _parts(model: Any, rows: list[Labelled], batch_size: int) -> Iterator[list[int]]:
    """Indices of rows of like length, longest first, so that a lack of memory shows at once."""
    from dadeum.models.token_budget import cut_padded

    ids = [row.input_ids for row in rows]
    budget = batch_size * max(map(len, ids), default=1)
    columns = _LOGIT_BYTES // (4 * model.config.get_text_config().vocab_size)
    for part in cut_padded(ids, budget)[::-1]:
        most = max(1, columns // max(_num_kept(rows[index]) for index in part))
        yield from (part[start : start + most] for start in range(0, len(part), most))


def _num_kept(row: Labelled) -> int:
    """Columns from the one that predicts the first labelled token to the end."""
    first = next((place for place, label in enumerate(row.labels) if label != -100), len(row.labels))
    return len(row.labels) - max(first, 1) + 1


def _sums(model: Any, rows: list[Labelled], pad_id: int) -> list[float]:
    import torch
    from torch.nn import functional

    from dadeum.models.scoring import padded

    ids, mask = padded([row.input_ids for row in rows], pad_id, model.device)
    kept = max(_num_kept(row) for row in rows)
    # Explicit positions: with padding on the left, a model would count the padding too.
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=kept)
    longest = ids.shape[1]
    labels = torch.tensor([[-100] * (longest - len(row.labels)) + row.labels for row in rows], device=ids.device)
    wanted = labels[:, longest - kept + 1 :]
    losses = functional.cross_entropy(
        out.logits[:, -kept:-1].float().flatten(0, 1), wanted.flatten(), ignore_index=-100, reduction="none"
    )
    sums: list[float] = (-losses.double().view(wanted.shape).sum(1)).tolist()
    return sums
