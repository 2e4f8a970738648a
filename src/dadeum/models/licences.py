"""Licence terms of base models that decide what may be done with a tuned one; shown by `plan`, kept by `export`.

A short list of facts with their source, not legal advice; an unknown base is said to be unknown, and one whose terms
nobody here has read is said to be unverified.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.messages import text
from dadeum.models.exaone import is_exaone_base


@dataclass(frozen=True)
class Licence:
    """Terms of a family of base models."""

    name: str
    url: str
    commercial: bool | None
    """None: depends on the model or on limits in the text."""
    required_prefix: str | None = None
    """How the name of a derived model must begin."""
    terms: tuple[str, ...] = ()
    """Message keys of the clauses that a user must know, most important first."""

    def clauses(self, language: str | None = None) -> list[str]:
        """The terms as sentences."""
        return [text(key, language) for key in self.terms]


_EXAONE = (
    "models.licence.research_only",
    "models.licence.no_commercial_output",
    "models.licence.no_other_models",
    "models.licence.exaone_copy",
    "models.licence.exaone_property",
)
_APACHE = ("models.licence.keep_notice",)
_UNVERIFIED = ("models.licence.unverified",)
_SMOLLM2 = Licence(
    "Apache-2.0",
    "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    commercial=True,
    terms=_APACHE,
)
_SILENT = ("models.licence.unverified", "plan.retrieve.licence_not_named")
_E5 = Licence("MIT", "https://huggingface.co/intfloat/multilingual-e5-large", commercial=True, terms=_APACHE)
_QWEN = "https://huggingface.co/Qwen"


def _unverified(owner: str) -> Licence:
    return Licence(f"{owner} (unverified)", f"https://huggingface.co/{owner}", commercial=None, terms=_UNVERIFIED)


_BY_PREFIX = {
    "lgai-exaone/exaone-3.5": Licence(
        "EXAONE AI Model License Agreement 1.1 - NC",
        "https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct/blob/main/LICENSE",
        commercial=False,
        required_prefix="EXAONE",
        terms=_EXAONE,
    ),
    "lgai-exaone/": Licence(
        "EXAONE AI Model License Agreement",
        "https://huggingface.co/LGAI-EXAONE",
        commercial=None,
        required_prefix="EXAONE",
        terms=("models.licence.exaone_version",),
    ),
    "google/gemma": Licence(
        "Gemma Terms of Use",
        "https://ai.google.dev/gemma/terms",
        commercial=None,
        terms=("models.licence.own_terms", "models.licence.gated"),
    ),
    "meta-llama/": Licence(
        "Llama Community License",
        "https://www.llama.com/llama-downloads/",
        commercial=None,
        required_prefix="Llama",
        terms=("models.licence.own_terms", "models.licence.gated"),
    ),
    "naver-hyperclovax/": Licence(
        "HyperCLOVA X SEED Model License Agreement",
        "https://huggingface.co/naver-hyperclovax",
        commercial=None,
        terms=("models.licence.own_terms", "models.licence.distillation"),
    ),
    "qwen/": Licence(
        "Apache-2.0 or Qwen licence, by size",
        _QWEN,
        commercial=None,
        terms=("models.licence.qwen_by_size",),
    ),
    "qwen/qwen2.5-3b": Licence(
        "Qwen Research License", _QWEN, commercial=False, terms=("models.licence.qwen_by_size",)
    ),
    "huggingfacetb/smollm2": _SMOLLM2,
    "smollm2-135m": _SMOLLM2,
    "eleutherai/polyglot-ko": Licence(
        "Apache-2.0", "https://huggingface.co/EleutherAI", commercial=True, terms=_APACHE
    ),
    "kakaobrain/kogpt": Licence("CC BY-NC-ND 4.0", "https://huggingface.co/kakaobrain/kogpt", commercial=False),
    # Embedding models, by what their cards say.
    "minilm-l6": Licence(
        "Apache-2.0", "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2", commercial=True, terms=_APACHE
    ),
    "jhgan/ko-sroberta": Licence(
        "not named on the card (unverified)",
        "https://huggingface.co/jhgan/ko-sroberta-multitask",
        commercial=None,
        terms=_SILENT,
    ),
    "baai/bge-m3": Licence("MIT", "https://huggingface.co/BAAI/bge-m3", commercial=True, terms=_APACHE),
    "nlpai-lab/koe5": Licence("MIT", "https://huggingface.co/nlpai-lab/KoE5", commercial=True, terms=_APACHE),
    "intfloat/multilingual-e5": _E5,
    "kakaocorp/": _unverified("kakaocorp"),
    "upstage/": _unverified("upstage"),
    "k-intelligence/": _unverified("K-intelligence"),
    "skt/": _unverified("skt"),
}


def licence_of(base: str) -> Licence | None:
    """Terms of the longest known prefix of a base's name, or None.

    A folder, or a copy under another owner, is known by its last part: terms go with the weights.
    """
    name = base.lower().rstrip("/")
    last = name.rpartition("/")[2]
    known = [prefix for prefix in _BY_PREFIX if name.startswith(prefix) or _begins(last, prefix.partition("/")[2])]
    if known:
        return _BY_PREFIX[max(known, key=len)]
    return _BY_PREFIX["lgai-exaone/"] if is_exaone_base(base) else None


def _begins(last: str, model: str) -> bool:
    return bool(model) and last.startswith(model)
