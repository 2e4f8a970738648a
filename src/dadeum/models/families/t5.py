"""T5 and its multilingual relatives: text, eos on both sides; there is no bos."""

from __future__ import annotations

from dadeum.models.families.base import Family, Seq2Seq

FAMILY = Family("T5", model_types=("t5", "mt5", "umt5", "longt5"), seq2seq=Seq2Seq())
