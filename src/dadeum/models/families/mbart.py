"""mBART: text, eos, code of the language on both sides; the decoder starts from the target's code.

mBART-50 writes code, text, eos and its decoder starts from eos: the tokenizer knows which of the two it belongs to.
"""

from __future__ import annotations

from dadeum.models.families.base import Family, Seq2Seq

FAMILY = Family("mBART", model_types=("mbart",), seq2seq=Seq2Seq(language_codes=True))
