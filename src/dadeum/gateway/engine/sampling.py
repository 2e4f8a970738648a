"""One token drawn from one row of logits, by one number.

The same token as `models/answer_rules.draw` finds, without sorting a whole vocabulary: only what can matter is sorted.
A row is always computed by itself, so that who else is in the batch changes not even the last bit.
"""

from __future__ import annotations

import numpy as np

_REACH = (5.0, 10.0, np.inf)
"""How far below the likeliest token is looked, in natural-log units: nearly always the first is enough."""
_SIGN, _REST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_ROUNDING = 1e-12


def drawn(logits: np.ndarray, temperature: float, top_p: float, top_k: int | None, number: float) -> int:
    """Index of the token where the probabilities, summed likeliest first, reach the number in [0, 1).

    Only the `top_k` likeliest take part, and of these the fewest that together have `top_p`. By hand: probabilities
    .5 .3 .2 and top_p .7 leave .5 and .3; the number .6 of their .8 is .48, the first token; .7 is .56, the second.
    """
    below = (logits.astype(np.float64) - float(logits.max())) / temperature
    if top_k is not None and top_k < len(logits):
        least = np.partition(logits, -top_k)[-top_k]
        ordered = _likeliest_first(logits, np.flatnonzero(logits >= least))[:top_k]
        return int(ordered[_place_of_all(np.exp(below[ordered]), top_p, number)])
    whole = float(np.exp(below).sum())
    for reach in _REACH:
        near = np.flatnonzero(below >= -reach)
        ordered = _likeliest_first(logits, near)
        weights = np.exp(below[ordered])
        if len(near) == len(logits):
            return int(ordered[_place_of_all(weights, top_p, number)])
        place = _place_of_some(weights / whole, top_p, number)
        if place is not None:
            return int(ordered[place])
    raise AssertionError("the last reach takes every token")


def _likeliest_first(logits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places by falling logit, the first of equal ones first.

    Bits of the logit above, place below: numbers are sorted ten times as fast as places are by their logits.
    """
    bits = (logits[places].astype(np.float32, copy=False) + np.float32(0)).view(np.uint32)  # -0 and 0 are equal
    falling = np.where(bits & _SIGN, bits, _REST - bits)
    keys = (falling.astype(np.uint64) << np.uint64(32)) | places.astype(np.uint64)
    keys.sort()
    ordered: np.ndarray = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return ordered


def _place_of_all(weights: np.ndarray, top_p: float, number: float) -> int:
    """Place among the likeliest when nothing stands behind them."""
    total = weights.cumsum() / weights.sum()
    # One more than the tokens that together stay below top_p; rounding may leave the whole sum a little below 1.
    last = min(int(np.searchsorted(total, top_p - _ROUNDING)), len(total) - 1)
    return min(int(np.searchsorted(total, number * total[last], side="right")), last)


def _place_of_some(shares: np.ndarray, top_p: float, number: float) -> int | None:
    """The same by shares of the whole; None where the place may lie behind these tokens."""
    total = shares.cumsum()
    if top_p >= 1.0:
        place = int(np.searchsorted(total, number, side="right"))
        return place if place < len(total) else None
    last = int(np.searchsorted(total, top_p - _ROUNDING))
    if last == len(total):
        return None
    return min(int(np.searchsorted(total, number * total[last], side="right")), last)
