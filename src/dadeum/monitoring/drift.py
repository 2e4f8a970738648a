"""Whether requests are still like those before: PSI and Jensen-Shannon on bins, with intervals, and a slow alarm.

Both are above 0 even where nothing changed: by about (bins − 1)(1/n + 1/m) for PSI (Yurdakul 2018) and an 8·ln 2th of
it for Jensen-Shannon in bits. That is taken off. A window is `shifted` where both intervals lie above what matters and
chance is unlikely after Benjamini-Hochberg over all its comparisons; the alarm wants that in PERSIST of LAST windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from dadeum.core.measured import Measured, Part

Verdict = Literal["few", "stable", "unclear", "shifted"]
LEAST = 100
"""Requests on either side; below, PSI of ten bins is off by 0.2 by chance alone."""
BINS = 10
PSI_MATTERS, PSI_LARGE = 0.1, 0.25
"""The customary bounds of credit scoring (Siddiqi 2006): below 0.1 no change worth a look, from 0.25 a large one."""
JS_MATTERS = 0.015
"""Bits; a small shift with PSI 0.1 has 0.1 / (8 ln 2) = 0.018. It doubts a PSI that one nearly empty bin made."""
FALSE_DISCOVERIES = 0.01
PERSIST, LAST = 2, 3
_SMOOTHING = 0.5
_SAMPLES = 1000
_JS_PER_PSI = 1 / (8 * math.log(2))


class Histogram(Part):
    """Counts of bins: numbers between edges (a value at an edge lies below it), or names."""

    edges: list[float] = Field(default_factory=list)
    names: list[str] = Field(default_factory=list)
    counts: list[int]

    @property
    def num(self) -> int:
        return sum(self.counts)


class Compared(Part):
    """Two histograms of one feature."""

    num: int
    num_before: int
    psi: Measured | None = None
    js: Measured | None = None
    """Bits, 0 to 1."""
    p_value: float | None = None
    q_value: float | None = None
    """After the correction for having looked at many."""
    verdict: Verdict = "few"


# -- bins -----------------------------------------------------------------------------------------
def bins_of(values: Sequence[float]) -> Histogram:
    """Tenths of these values; fewer where many are equal."""
    found = np.asarray(values, dtype=float)
    edges = np.unique(np.quantile(found, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    if edges[0] == found.min():
        # Many equal values at the lower end: smaller ones must not hide among them.
        edges = np.concatenate([[np.nextafter(edges[0], -np.inf)], edges])
    return into(edges.tolist(), values)


def into(edges: Sequence[float], values: Sequence[float]) -> Histogram:
    """Values counted between given edges."""
    bins = np.searchsorted(np.asarray(edges), np.asarray(values, dtype=float), side="left")
    return Histogram(edges=list(edges), counts=np.bincount(bins, minlength=len(edges) + 1).tolist())


def named(counts: Mapping[str, int]) -> Histogram:
    names = sorted(counts)
    return Histogram(names=names, counts=[counts[name] for name in names])


def _aligned(now: Histogram, before: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the same bins; those that are empty on both sides are left out."""
    if now.edges != before.edges:
        raise ValueError("histograms of different bins")
    if not now.names and not before.names:
        pair = np.array([now.counts, before.counts])
    else:
        names = sorted({*now.names, *before.names})
        sides = [dict(zip(side.names, side.counts, strict=True)) for side in (now, before)]
        pair = np.array([[side.get(name, 0) for name in names] for side in sides])
    pair = pair[:, pair.sum(0) > 0]
    return pair[0], pair[1]


# -- distances ------------------------------------------------------------------------------------
def compare(now: Histogram, before: Histogram, seed: int = 0) -> Compared:
    """Distances with 95 % intervals; without any where either side has too few."""
    told = Compared(num=now.num, num_before=before.num)
    if min(now.num, before.num) < LEAST:
        return told
    here, there = _aligned(now, before)
    random = np.random.default_rng(seed)
    drawn = [random.multinomial(side.sum(), side / side.sum(), _SAMPLES) for side in (here, there)]
    bias = (len(here) - 1) * (1 / here.sum() + 1 / there.sum())
    psi = _interval(_psi(here, there), _psi(*drawn), bias)
    js = _interval(_js(here, there), _js(*drawn), bias * _JS_PER_PSI)
    return told.model_copy(update={"psi": psi, "js": js, "p_value": _p_value(here, there)})


def _shares(counts: np.ndarray) -> np.ndarray:
    smooth = counts + _SMOOTHING
    shares: np.ndarray = smooth / smooth.sum(-1, keepdims=True)
    return shares


def _psi(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Σ (p − q) ln(p / q) over bins. By hand: (0.6, 0.4) against (0.5, 0.5) is 0.1·ln 1.2 − 0.1·ln 0.8 = 0.0405."""
    p, q = _shares(now), _shares(before)
    found: np.ndarray = ((p - q) * np.log(p / q)).sum(-1)
    return found


def _js(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits: 0 for the same, 1 for distributions that share nothing (Lin 1991)."""
    p, q = _shares(now), _shares(before)
    middle = (p + q) / 2
    found: np.ndarray = ((p * np.log2(p / middle)).sum(-1) + (q * np.log2(q / middle)).sum(-1)) / 2
    return found


def _interval(value: np.ndarray, draws: np.ndarray, bias: float) -> Measured:
    """Draws are drawn from what was drawn: they carry the bias twice."""
    low, high = (max(0.0, float(end)) for end in np.quantile(draws - 2 * bias, [0.025, 0.975]))
    return Measured(value=max(0.0, float(value) - bias), low=low, high=high)


def _p_value(now: np.ndarray, before: np.ndarray) -> float:
    """Chi-square test that both come from one distribution (Pearson, without continuity correction)."""
    if len(now) < 2:
        return 1.0
    # Not scipy.stats, which takes seconds to import.
    from scipy.special import chdtrc

    seen = np.array([now, before])
    expected = seen.sum(1, keepdims=True) * seen.sum(0) / seen.sum()
    return float(chdtrc(len(now) - 1, ((seen - expected) ** 2 / expected).sum()))


# -- judging --------------------------------------------------------------------------------------
def judged(compared: Sequence[Compared]) -> list[Compared]:
    """All comparisons of one window with their verdicts: the false discovery rate holds over them together."""
    places = [place for place, each in enumerate(compared) if each.p_value is not None]
    values = adjusted([compared[place].p_value or 0.0 for place in places])
    found = list(compared)
    for place, q_value in zip(places, values, strict=True):
        found[place] = found[place].model_copy(
            update={"q_value": q_value, "verdict": _verdict(compared[place], q_value)}
        )
    return found


def _verdict(each: Compared, q_value: float) -> Verdict:
    assert each.psi is not None
    assert each.js is not None
    if q_value < FALSE_DISCOVERIES and each.psi.low > PSI_MATTERS and each.js.low > JS_MATTERS:
        return "shifted"
    return "unclear" if each.psi.high > PSI_MATTERS and each.psi.value > PSI_MATTERS / 2 else "stable"


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg 1995. By hand: 0.01, 0.02, 0.5 become 0.03, 0.03, 0.5."""
    if not p_values:
        return []
    found = np.asarray(p_values, dtype=float)
    order = np.argsort(found)
    raised = found[order] * len(found) / np.arange(1, len(found) + 1)
    least = np.minimum.accumulate(raised[::-1])[::-1].clip(max=1.0)
    result = np.empty_like(least)
    result[order] = least
    return [float(value) for value in result]


def stands(verdicts: Sequence[Verdict]) -> tuple[int, int | None]:
    """How many of the LAST windows with a verdict are shifted, and where the alarm that stands now began, or None.

    By hand: stable, shifted, few, shifted, shifted gives 3 of 3 and 1.
    """
    judged = [place for place, verdict in enumerate(verdicts) if verdict != "few"]
    num, began = 0, None
    for end in range(1, len(judged) + 1):
        shifted = [place for place in judged[max(0, end - LAST) : end] if verdicts[place] == "shifted"]
        num = len(shifted)
        if num < PERSIST:
            began = None
        elif began is None:
            began = shifted[0]
    return num, began
