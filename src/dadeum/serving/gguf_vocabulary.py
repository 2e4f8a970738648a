"""A tokenizer as llama.cpp reads it: tokens, kinds, merges, and the name of the rule that cuts text before merging.

A wrong rule is silent: everything loads, and numbers or Korean are cut elsewhere than in training. So the rule is not
guessed from a model's name but found by structure, and the vocabulary is rebuilt from the file to cut Korean again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dadeum.core.errors import ExportError
from dadeum.serving.gguf_sentencepiece import (
    CONTROL,
    NORMAL,
    UNUSED,
    USER_DEFINED,
    Pieces,
    is_sentencepiece,
    read_pieces,
)

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_QWEN2 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}"
_LLAMA3 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}"

PROBES: tuple[str, ...] = tuple(
    json.loads(resources.files("dadeum.serving").joinpath("cut_probes.json").read_text(encoding="utf-8"))
)
"""Texts that the rules cut differently: digits, spaces, line ends, contractions, Korean next to all of them."""


@dataclass(frozen=True)
class Rule:
    """How text is cut into pieces, and what llama.cpp calls it (llama-vocab.cpp)."""

    name: str
    pattern: str
    digits_first: bool = False
    """Every digit is a piece of its own before the pattern is applied."""
    ignore_merges: bool = False
    """A piece that is a token as a whole is taken without merging."""


RULES = (
    Rule("gpt-2", _GPT2),
    Rule("smollm", _GPT2, digits_first=True),
    Rule("qwen2", _QWEN2),
    Rule("llama-bpe", _LLAMA3, ignore_merges=True),
    Rule("smaug-bpe", _LLAMA3),
)


@dataclass(frozen=True)
class Vocabulary:
    tokens: list[str]
    kinds: list[int]
    adds_bos: bool
    rule: Rule | None = None
    """Of a byte-level vocabulary; None where pieces are merged by their scores over the whole text."""
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


def read_vocabulary(tokenizer: Any, num_rows: int, model: str) -> Vocabulary:
    """The vocabulary of a fast tokenizer, filled up to the rows of the embedding; refuses what cannot be exact."""
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    plain, full = (tokenizer("x", add_special_tokens=flag).input_ids for flag in (False, True))
    if full not in (plain, [tokenizer.bos_token_id, *plain]):
        raise ExportError("export.gguf.tokenizer", model=model, found="post_processor", detail=str(full))
    if is_sentencepiece(spec):
        tokens, kinds, scores = read_pieces(spec, num_rows, model)
        return Vocabulary(tokens, kinds, full != plain, scores=tuple(scores))
    rule = _rule_of(spec, model)
    tokens, kinds = [f"[PAD{number}]" for number in range(num_rows)], [UNUSED] * num_rows
    for token, number in spec["model"]["vocab"].items():
        tokens[number], kinds[number] = token, NORMAL
    for added in spec["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    merges = tuple(merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"])
    return Vocabulary(tokens, kinds, full != plain, rule, merges)


def _rule_of(spec: dict[str, Any], model: str) -> Rule:
    if spec["model"].get("type") != "BPE":
        raise ExportError("export.gguf.tokenizer", model=model, found="model", detail=spec["model"].get("type"))
    normalizer = (spec.get("normalizer") or {}).get("type")
    if normalizer not in (None, "NFC"):
        raise ExportError("export.gguf.tokenizer", model=model, found="normalizer", detail=normalizer)
    cut = _cut_of(spec.get("pre_tokenizer") or {})
    for rule in RULES:
        same_merging = bool(spec["model"].get("ignore_merges")) == rule.ignore_merges
        if cut == (rule.digits_first, rule.pattern) and same_merging:
            return rule
    detail = json.dumps(spec.get("pre_tokenizer"), ensure_ascii=False)[:200]
    raise ExportError("export.gguf.tokenizer", model=model, found="pre_tokenizer", detail=detail)


def _cut_of(spec: dict[str, Any]) -> tuple[bool, str] | None:
    """(digits apart first, pattern) of a tokenizer.json; None for a shape that no rule here describes."""
    steps = spec["pretokenizers"] if spec.get("type") == "Sequence" else [spec]
    digits_first = bool(steps and steps[0].get("type") == "Digits" and steps[0].get("individual_digits"))
    steps = steps[1:] if digits_first else steps
    if not steps or steps[-1].get("type") != "ByteLevel" or steps[-1].get("add_prefix_space"):
        return None
    if len(steps) == 1:
        return (digits_first, _GPT2) if steps[0].get("use_regex", True) else None
    split = steps[0]
    sound = split.get("type") == "Split" and split.get("behavior") == "Isolated" and not split.get("invert")
    if len(steps) != 2 or not sound or steps[1].get("use_regex", True):
        return None
    return digits_first, split["pattern"].get("Regex", "")


# -- read back ----------------------------------------------------------------------------------
def rebuilt(file: Path) -> Callable[[str], list[int]]:
    """Text → ids by nothing but the GGUF file, cutting as llama.cpp does under the rule that it names."""
    from gguf import GGUFReader

    fields = GGUFReader(file).fields
    if fields["tokenizer.ggml.model"].contents() == "llama":
        return Pieces(file).encode
    core = _byte_level(fields)
    return lambda text: list(core.encode(text, add_special_tokens=False).ids)


def _byte_level(fields: Any) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    tokens, kinds = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    named = fields["tokenizer.ggml.pre"].contents()
    rule = next(rule for rule in RULES if rule.name == named)
    vocab = {token: number for number, token in enumerate(tokens)}
    core = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=rule.ignore_merges))
    steps: list[Any] = [pre_tokenizers.Split(Regex(r"\p{N}"), "isolated")] if rule.digits_first else []
    steps += [pre_tokenizers.Split(Regex(rule.pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    core.pre_tokenizer = pre_tokenizers.Sequence(steps)
    core.decoder = decoders.ByteLevel()
    for token, kind in zip(tokens, kinds, strict=True):
        if kind in (CONTROL, USER_DEFINED):
            core.add_tokens([AddedToken(token, normalized=False, special=kind == CONTROL)])
    return core


def check_vocabulary(file: Path, tokenizer: Any, model: str) -> None:
    """Both cut every probe alike, or ExportError."""
    again = rebuilt(file)
    turns = [{"role": "user", "content": PROBES[0]}, {"role": "assistant", "content": PROBES[2].strip()}]
    templated = [tokenizer.apply_chat_template(turns, tokenize=False)] if tokenizer.chat_template else []
    for text in (*PROBES, *templated):
        ours, theirs = again(text), tokenizer(text, add_special_tokens=False).input_ids
        if ours != theirs:
            raise ExportError(
                "export.gguf.cuts_differently", model=model, text=text[:60], found=ours[:20], wanted=theirs[:20]
            )
