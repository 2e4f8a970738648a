"""Source and target of an encoder-decoder as token ids: what the encoder reads, what the decoder learns to write.

Begin and end tokens are put here and not by the tokenizer, because KoBART's adds none. Only ids leave this module:
the `token_type_ids` that some of these tokenizers make are refused by the models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.models.control_tokens import ControlTokens
from dadeum.models.families.base import recognise
from dadeum.models.render import IGNORED

Ids = list[int]


@dataclass(frozen=True)
class Seq2SeqRow:
    """One training row; the decoder reads `labels` shifted by the model itself."""

    input_ids: Ids
    labels: Ids


class Seq2SeqRenderer:
    """Renders texts for BART (KoBART), T5 and mBART; the same for training and for answering.

    `languages` are the codes of source and target where a family needs them (`ko_KR`); `keep` are special tokens that
    texts hold on purpose, such as `#Person1#`. All others are read as letters.
    """

    def __init__(
        self, tokenizer: Any, config: Any, languages: tuple[str, str] | None = None, keep: Iterable[str] = ()
    ) -> None:
        self.family = recognise(tokenizer, config.model_type)
        facts = self.family.seq2seq
        if facts is None:
            raise ModelError("models.families.no_seq2seq", model=tokenizer.name_or_path, model_type=config.model_type)
        if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
            raise ModelError("models.families.no_pad", model=tokenizer.name_or_path)
        self.tokenizer = tokenizer
        self.pad_id = int(tokenizer.pad_token_id)
        self.control = ControlTokens(tokenizer, keep=keep)
        self._forced: int | None = None
        end = [int(tokenizer.eos_token_id)]
        if facts.language_codes:
            source, target = self._codes(languages)
            self._source, self._target = _around(tokenizer, source), _around(tokenizer, target)
            # These models shift the last label to the front, and have no start token of their own.
            self.start_id = self._target[1][-1]
            self._forced = next(iter(self._target[0]), None)
        else:
            begin = [tokenizer.bos_token_id] if facts.source_has_bos and tokenizer.bos_token_id is not None else []
            self._source, self._target = (begin, end), ([], end)
            if config.decoder_start_token_id is None:
                raise ModelError("models.families.no_pad", model=tokenizer.name_or_path)
            self.start_id = int(config.decoder_start_token_id)
        self.stop_ids = tuple(end)

    def _codes(self, languages: tuple[str, str] | None) -> tuple[str, str]:
        known = list(getattr(self.tokenizer, "lang_code_to_id", {}))
        if languages is None or not set(languages) <= set(known):
            found, codes = ", ".join(languages or ("-",)), ", ".join(known) or "-"
            raise ModelError("models.families.no_language", family=self.family.name, known=codes, found=found)
        return languages

    def source_ids(self, text: str) -> Ids:
        """What the encoder reads."""
        return self._between(text, self._source)

    def target_ids(self, text: str) -> Ids:
        """What the decoder learns to write, its end included."""
        return self._between(text, self._target)

    def _between(self, text: str, around: tuple[Ids, Ids]) -> Ids:
        return [*around[0], *self.control.encode(self.control.wrap("user", text)), *around[1]]

    def render(self, source: str, target: str) -> Seq2SeqRow:
        """One training row, whatever its length."""
        return Seq2SeqRow(self.source_ids(source), self.target_ids(target))

    def batch(self, rows: list[Seq2SeqRow]) -> dict[str, Any]:
        """Tensors of `input_ids`, `attention_mask` and `labels`; labels are padded with -100, whatever pad is."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        def padded(lines: list[Ids], fill: int) -> torch.Tensor:
            return pad_sequence([torch.tensor(line) for line in lines], batch_first=True, padding_value=fill)

        return {
            "input_ids": padded([row.input_ids for row in rows], self.pad_id),
            "attention_mask": padded([[1] * len(row.input_ids) for row in rows], 0),
            "labels": padded([row.labels for row in rows], IGNORED),
        }

    @property
    def generation(self) -> dict[str, Any]:
        """Settings of `generate` that belong to the family: where the decoder starts and where it stops."""
        settings = {
            "decoder_start_token_id": self.start_id,
            "eos_token_id": list(self.stop_ids),
            "pad_token_id": self.pad_id,
        }
        return settings | ({"forced_bos_token_id": self._forced} if self._forced is not None else {})

    def decode(self, ids: Iterable[int]) -> str:
        """The text between start and end of what the decoder wrote."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def _around(tokenizer: Any, language: str) -> tuple[Ids, Ids]:
    """What the tokenizer puts before and after a text of this language; mBART and mBART-50 differ."""
    tokenizer.set_src_lang_special_tokens(language)
    return list(tokenizer.prefix_tokens), list(tokenizer.suffix_tokens)
