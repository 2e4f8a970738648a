"""BART and KoBART: the encoder reads bos, text, eos; the decoder writes text, eos.

KoBART's tokenizer adds neither; version 2 says that its bos is `</s>`, version 1 `<s>`: the tokenizer's word counts.
"""

from __future__ import annotations

from dadeum.models.families.base import Family, Seq2Seq

FAMILY = Family("BART", model_types=("bart",), seq2seq=Seq2Seq(source_has_bos=True))
