"""Source and target of an encoder-decoder as token ids: what the encoder reads, what the decoder learns to write.

Begin and end tokens are put here and not by the tokenizer, because KoBART's adds none. Only ids leave this module:
the `token_type_ids` that some of these tokenizers make are refused by the models. Masks such as `#Person1#` are kept:
one token where the tokenizer has one, letters where not, and in what is written the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example, Turn
from dadeum.core.korean import MASK
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe, Render
from dadeum.models.control_tokens import ControlTokens
from dadeum.models.families.base import recognise
from dadeum.models.load import is_seq2seq, load_config, load_tokenizer
from dadeum.models.render import IGNORED, Fitted, Renderer, loss_on, shortened

Ids = list[int]
KOREAN = ("ko_KR", "ko_KR")
"""Source and target of mBART, whose codes name a language and a country."""
_BETWEEN = "\n\n"


def load_renderer(recipe: Recipe) -> Renderer | Seq2SeqRenderer:
    """The renderer that the recipe's model needs, with its tokenizer; loads no weights."""
    tokenizer = load_tokenizer(recipe.model)
    try:
        config = load_config(recipe.model)
    except ModelError:  # a tokenizer may stand alone; whoever needs the model says what is wrong with it
        config = None
    if config is None or not is_seq2seq(config):
        return Renderer(tokenizer, recipe.render, loss_on(recipe))
    return Seq2SeqRenderer(tokenizer, config, KOREAN, settings=recipe.render)


@dataclass(frozen=True)
class Seq2SeqRow:
    """One training row; the decoder reads `labels` shifted by the model itself."""

    input_ids: Ids
    labels: Ids


class Seq2SeqRenderer:
    """Renders texts for BART (KoBART), T5 and mBART; the same for training and for answering.

    `languages` are the codes of source and target where a family needs them (`ko_KR`). Special tokens that look like a
    mask (`#Person1#`) stay tokens; all others are read as letters.
    """

    def __init__(
        self,
        tokenizer: Any,
        config: Any,
        languages: tuple[str, str] | None = None,
        settings: Render = Render(),  # noqa: B008
    ) -> None:
        self.family = recognise(tokenizer, config.model_type)
        facts = self.family.seq2seq
        if facts is None:
            raise ModelError("models.families.no_seq2seq", model=tokenizer.name_or_path, model_type=config.model_type)
        if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
            raise ModelError("models.families.no_pad", model=tokenizer.name_or_path)
        self.tokenizer = tokenizer
        self.settings = settings
        self.pad_id = int(tokenizer.pad_token_id)
        added = tokenizer.added_tokens_decoder
        special = {number for number, one in added.items() if one.special} | set(tokenizer.all_special_ids)
        masks = {number for number, one in added.items() if MASK.fullmatch(str(one.content))}
        self.control = ControlTokens(tokenizer, keep=[str(added[number].content) for number in masks])
        self._unwritten = special - masks
        self.positions: int | None = getattr(config, "max_position_embeddings", None)
        """Most tokens on either side that the model has places for; None: as many as memory holds (T5)."""
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

    @property
    def limit(self) -> int:
        """Most tokens of a source, and of a target."""
        return min(self.settings.max_length_tokens, self.positions or self.settings.max_length_tokens)

    @property
    def notes(self) -> list[Message]:
        """What surprises users of this model."""
        if self.limit == self.settings.max_length_tokens:
            return [Message("models.seq2seq.limit_each", {"limit": self.limit})]
        values = {"positions": self.limit, "limit": self.settings.max_length_tokens}
        return [Message("models.seq2seq.fewer_positions", values)]

    def has_room(self, row: Seq2SeqRow) -> bool:
        """Whether source and target are within the limit."""
        return max(len(row.input_ids), len(row.labels)) <= self.limit

    def prompt_ids(self, turns: list[Turn]) -> Ids:
        """What the encoder reads: all turns as one text."""
        return self.source_ids(_BETWEEN.join(turn["content"] for turn in turns))

    def answer_ids(self, answer: str) -> Ids:
        """What the decoder learns to write, its end included."""
        return self.target_ids(answer)

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

    def row(self, example: Example) -> Seq2SeqRow:
        """One training row, whatever its length."""
        if self.settings.control_tokens == "raise" and (found := self.control_tokens(example)):
            raise ModelError("models.families.control_token", id=example.id, token=found[0])
        return Seq2SeqRow(self.prompt_ids(example.prompt), self.answer_ids(example.completion[0]["content"]))

    def control_tokens(self, example: Example) -> list[str]:
        """Control tokens that people wrote into a row's texts: read as letters, or refused, as the recipe says."""
        turns = [*example.prompt, *example.completion]
        return [token for turn in turns for token in self.control.found("user", turn["content"])]

    def fit(self, example: Example) -> Fitted:
        """The token limit, on source and target each: `drop`, `raise` or `cut_input` as the recipe says.

        Only the source is ever cut: a row whose target is too long goes.
        """
        row = self.row(example)
        source, target = len(row.input_ids), len(row.labels)
        if self.has_room(row):
            return Fitted(example, source, target)
        if self.settings.truncation == "raise":
            raise ModelError("models.seq2seq.too_long", id=example.id, source=source, target=target, limit=self.limit)
        if self.settings.truncation == "cut_input" and target <= self.limit:
            turns = shortened(example.prompt, self.limit, self.prompt_ids)
            if turns:
                return Fitted(replace(example, prompt=turns), len(self.prompt_ids(turns)), target, was_cut=True)
        return Fitted(None, source, target)

    def batch(self, rows: list[Seq2SeqRow]) -> dict[str, Any]:
        """Tensors of `input_ids`, `attention_mask` and `labels`; labels are padded with -100, whatever pad is."""
        return {
            "input_ids": _padded([row.input_ids for row in rows], self.pad_id),
            "attention_mask": _padded([[1] * len(row.input_ids) for row in rows], 0),
            "labels": _padded([row.labels for row in rows], IGNORED),
        }

    def training_batch(self, rows: list[Seq2SeqRow]) -> dict[str, Any]:
        """The same with what the decoder reads: models that are given no labels would shift the source instead."""
        return self.batch(rows) | {"decoder_input_ids": _padded([self.decoder_ids(row) for row in rows], self.pad_id)}

    def decoder_ids(self, row: Seq2SeqRow) -> Ids:
        """What the decoder reads while it learns the row's target."""
        return [self.start_id, *row.labels[:-1]]

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
        """The text between start and end of what the decoder wrote, masks included."""
        written = [number for one in ids if (number := int(one)) not in self._unwritten]
        return str(self.tokenizer.decode(written, skip_special_tokens=False)).strip()


def _padded(lines: list[Ids], fill: int) -> Any:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence([torch.tensor(line) for line in lines], batch_first=True, padding_value=fill)


def _around(tokenizer: Any, language: str) -> tuple[Ids, Ids]:
    """What the tokenizer puts before and after a text of this language; mBART and mBART-50 differ."""
    tokenizer.set_src_lang_special_tokens(language)
    return list(tokenizer.prefix_tokens), list(tokenizer.suffix_tokens)
