"""People's text stays text: a control token inside a mail or a message opens no turn and ends no answer.

What looks like one is wrapped in two noncharacters before the template is rendered, and encoded past the
tokenizer's added tokens. Text without any is encoded exactly as if this module did not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_REASONING = {"<think>", "</think>", "<thought>", "</thought>"}
"""Answers may hold them: reasoning is taught that way."""


class ControlTokens:
    """The control tokens of one tokenizer: finds them, wraps them, encodes what is wrapped as letters.

    In an answer these are the special tokens and the family's turn tokens; in what people write, also every added
    token that the template uses.
    """

    def __init__(self, tokenizer: Any, turn_tokens: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self.tokenizer = tokenizer
        added = {str(one.content): bool(one.special) for one in tokenizer.added_tokens_decoder.values()}
        special = {token for token, is_special in added.items() if is_special} | set(tokenizer.all_special_tokens)
        special |= {token for token in turn_tokens if token in added}
        template = template_text(tokenizer)
        # An added token that is a plain word, such as `user`, is a word of people's too.
        used = {token for token in added if token in template and not token.isalnum()}
        everywhere = {token for token in special if not token.isspace()} - set(keep)
        people = everywhere | {token for token in used if not token.isspace()} - set(keep)
        self._people, self._answers = _pattern(people), _pattern(everywhere - _REASONING)
        wrapped = _pattern(people | {_OPEN, _CLOSE}).pattern
        self._wrapped = re.compile(f"{_OPEN}({wrapped}){_CLOSE}|[{_OPEN}{_CLOSE}]")
        self._after = re.compile(rf"\s*(?:{_pattern(everywhere).pattern})+")

    def found(self, role: str, text: str) -> list[str]:
        """The control tokens in a text, in their order."""
        return (self._answers if role == "assistant" else self._people).findall(text)

    def wrap(self, role: str, text: str) -> str:
        """The text with every control token between two noncharacters; those of the text itself are wrapped too."""
        pattern = self._answers if role == "assistant" else self._people
        if _OPEN in text or _CLOSE in text:
            pattern = re.compile(f"{pattern.pattern}|[{_OPEN}{_CLOSE}]")
        return pattern.sub(f"{_OPEN}\\g<0>{_CLOSE}", text)

    def unwrap(self, text: str) -> str:
        """The text as people wrote it."""
        return self._wrapped.sub(lambda match: match[1] or "", text) if _OPEN in text else text

    def at_start(self, text: str) -> str:
        """White space and the control tokens that a text begins with; empty where it begins otherwise."""
        match = self._after.match(text)
        return match[0] if match else ""

    def encode(self, text: str, continues: bool = False) -> list[int]:
        """Token ids of a wrapped text; `continues` says that other text stands before it."""
        if _OPEN not in text and _CLOSE not in text:
            return self._ids(text, continues)
        ids: list[int] = []
        # Odd pieces are wrapped tokens; None stands for a lone noncharacter that a template tore off its token.
        for number, piece in enumerate(self._wrapped.split(text)):
            if piece:
                inside = continues or bool(ids)
                ids += self._letters(piece, inside) if number % 2 else self._ids(piece, inside)
        return ids

    def _ids(self, text: str, continues: bool) -> list[int]:
        if continues and self._adds_space:
            return self._ids(f"\n{text}", False)[len(self._ids("\n", False)) :]
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    @cached_property
    def _adds_space(self) -> bool:
        """SentencePiece puts a space before every text: in the middle of a conversation it has no place."""
        line = self._ids("\n", False)
        return bool(line) and self._ids("\nx", False)[len(line) :] != self._ids("x", False)

    def _letters(self, token: str, continues: bool) -> list[int]:
        """Ids of the token's letters, never its own."""
        ids = self._plain(token, continues)
        if self.tokenizer.convert_tokens_to_ids(token) not in ids:
            return ids
        # Some vocabularies (Unigram) know the token as a word.
        return [one for number, letter in enumerate(token) for one in self._plain(letter, continues or number > 0)]

    def _plain(self, text: str, continues: bool) -> list[int]:
        if continues and self._adds_space:
            return self._plain(f"\n{text}", False)[len(self._plain("\n", False)) :]
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return list(self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        pieces = [text]
        if backend.pre_tokenizer is not None:
            pieces = [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
        return [token.id for piece in pieces for token in backend.model.tokenize(piece)]


def template_text(tokenizer: Any) -> str:
    """The source of the chat template, of all of them where there are several; empty where there is none."""
    template = tokenizer.chat_template or ""
    return template if isinstance(template, str) else "\n".join(template.values())


def _pattern(tokens: Iterable[str]) -> re.Pattern[str]:
    """Any of the tokens, the longest first; without tokens a pattern that matches nothing."""
    return re.compile("|".join(map(re.escape, sorted(tokens, key=lambda token: (-len(token), token)))) or "(?!)")
