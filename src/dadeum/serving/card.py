"""The model card: what it is, what it learnt from, how it was judged, how to load it, under which terms.

Korean first, English below, with front matter that the hub reads. Of the data it tells counts, codes and shares,
never a row or a word of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dadeum.core.findings import SEVERITIES, read_findings
from dadeum.core.messages import LANGUAGES, text
from dadeum.core.model import NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json
from dadeum.core.task import Retrieve
from dadeum.models.fresh import is_fresh
from dadeum.models.licences import Licence, licence_of
from dadeum.models.load import ALIASES
from dadeum.serving.card_scores import read_figures, score_table, warnings_of
from dadeum.serving.card_tasks import is_encoder_decoder, retrieve_loading, task_block

_HUB_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit"}
"""Names that the hub knows; any other licence is `other` with its own name and link."""
_UNREAD = "models.licence.unverified"
"""Terms that we have not read: the text says so, and the hub is told nothing."""
_PACKAGED_EMBEDDERS = {"minilm-l6": "sentence-transformers/all-MiniLM-L6-v2"}
"""Where the same weights stand on the hub, by the card in the package."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NEEDS_REMOTE_CODE = ("lgai-exaone/exaone-3",)
"""Bases that we load under Llama's names and save under their own, which only remote code or vLLM knows."""
_PIPELINES = {
    "decide": "text-classification",
    "chat": "text-generation",
    "summarize": "summarization",
    "retrieve": "text-retrieval",
    "answer": "question-answering",
}


def public_base(base: str) -> str:
    """The hub id behind an alias; anything else unchanged."""
    return ALIASES[base].hub_id if base in ALIASES else _PACKAGED_EMBEDDERS.get(base, base)


def shown_base(base: str) -> str:
    """The base as the card names it: a folder of this machine only by its last part."""
    public = public_base(base)
    return Path(public).name if _is_local(public) else public


def _is_local(base: str) -> bool:
    return Path(base).exists() or not _HUB_ID.fullmatch(base)


def model_card(recipe: Recipe, run: Run, name: str, format: str) -> str:
    """README.md of an export; `name` is what people load it by (`owner/name` once it is on a hub)."""
    parts = [_front_matter(recipe, run, name, format)]
    for language in LANGUAGES:
        parts += [_section(recipe, run, name, format, language), ""]
    return "\n".join(parts)


# -- front matter -------------------------------------------------------------------------------
def _front_matter(recipe: Recipe, run: Run, name: str, format: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    figures = read_figures(run).get("tuned", {})
    results = [
        EvalResult(
            task_type=_PIPELINES.get(recipe.task.type, "text-generation"),
            dataset_type="private",
            dataset_name=f"{recipe.name} (test rows of the run)",
            dataset_split="test",
            metric_type=metric,
            metric_value=round(figure["value"], 4),
        )
        for metric, figure in figures.items()
    ]
    data = ModelCardData(
        language="ko",
        library_name=_library(recipe, format),
        tags=["dadeum", recipe.task.type, *_method_tags(recipe)],
        pipeline_tag=_pipeline(recipe),
        model_name=name.rpartition("/")[2],
        eval_results=results or None,
        **_base_fields(recipe, format),
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _library(recipe: Recipe, format: str) -> str:
    if isinstance(recipe.task, Retrieve):
        return "sentence-transformers"
    return {"adapter": "peft", "merged": "transformers"}.get(format, "gguf")


def _pipeline(recipe: Recipe) -> str:
    if isinstance(recipe.task, Retrieve):
        return "sentence-similarity"
    return "summarization" if is_encoder_decoder(recipe) else "text-generation"


def _base_fields(recipe: Recipe, format: str) -> dict[str, Any]:
    """What the hub can link: the base where it is on a hub, and its licence where it is known."""
    base = public_base(recipe.model.base)
    fields: dict[str, Any] = {}
    if not _is_local(base):
        is_adapter = format == "adapter" and not isinstance(recipe.task, Retrieve)
        relation = "adapter" if is_adapter else "finetune"
        fields |= {"base_model": base, "base_model_relation": relation}
    licence = licence_of(recipe.model.base)
    if licence and licence.name in _HUB_LICENCES:
        fields["license"] = _HUB_LICENCES[licence.name]
    elif licence and _UNREAD not in licence.terms:
        slug = re.sub(r"[^a-z0-9.]+", "-", licence.name.lower()).strip("-")
        fields |= {"license": "other", "license_name": slug, "license_link": licence.url}
    return fields


def _method_tags(recipe: Recipe) -> list[str]:
    adapter = recipe.model.adapter
    kind = "full-fine-tuning" if isinstance(adapter, NoAdapter) else "qlora" if isinstance(adapter, QLora) else "lora"
    return [kind, *dict.fromkeys(stage.method for stage in recipe.stages if stage.method != "sft")]


# -- text ---------------------------------------------------------------------------------------
def _section(recipe: Recipe, run: Run, name: str, format: str, language: str) -> str:
    def say(key: str, **values: object) -> str:
        return text(key, language, **values)

    base = shown_base(recipe.model.base)
    blocks = [
        say("export.card.title", name=name.rpartition("/")[2]),
        say("export.card.intro", base=base, task=say(f"export.card.task.{recipe.task.type}")),
        *task_block(recipe, run, say),
        say("export.card.data"),
        *_data_block(run, say),
        say("export.card.scores"),
        *_score_block(run, say, language),
        say("export.card.limits"),
        _limits(recipe, run, say, language),
        say("export.card.load"),
        *_load_block(recipe, name, format, say),
        say("export.card.licence"),
        say("export.card.fresh") if is_fresh(recipe.model) else _licence_block(licence_of(recipe.model.base), say),
        say("export.card.made"),
        _made_block(recipe, run, say),
    ]
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def _data_block(run: Run, say: Callable[..., str]) -> list[str]:
    data = run.manifest().get("data")
    if data is None:
        return [say("export.card.no_data")]
    splits = ", ".join(f"{split} {count:,}" for split, count in data["used"].items())
    removed = ", ".join(f"{reason} {count:,}" for reason, count in data["removed"].items()) or "0"
    blocks = [say("export.card.rows", rows_in=f"{data['rows_in']:,}", used=splits, removed=removed)]
    return [*blocks, _findings_block(run, say)]


def _findings_block(run: Run, say: Callable[..., str]) -> str:
    """Severity, code and counts of each finding: its sentence could quote what stands in the rows."""
    if not run.findings_path.exists():
        return say("export.card.not_checked")
    findings = read_findings(run.findings_path)
    if not findings:
        return say("export.card.no_findings")
    ordered = sorted(findings, key=lambda found: SEVERITIES.index(found.severity))
    rows = []
    for found in ordered:
        severity = say(f"page.severity.{found.severity}")
        rows.append(f"| {severity} | {found.code} | {found.name} | {found.count:,} / {found.total:,} |")
    return "\n".join([say("export.card.findings"), "", say("export.card.findings_head"), "|---|---|---|---:|", *rows])


def _score_block(run: Run, say: Callable[..., str], language: str) -> list[str]:
    table = score_table(run, language)
    if table is None:
        return [say("export.card.not_evaluated")]
    blocks = [say("export.card.scores_intro"), table]
    if gates := read_json(run.scores_path).get("gates"):
        lines = [
            say(
                "export.card.gate_passed" if gate["passed"] else "export.card.gate_failed",
                metric=gate["metric"],
                condition=gate["condition"],
                value="-" if gate["value"] is None else f"{gate['value']:.3f}",
            )
            for gate in gates
        ]
        blocks.append("\n".join(lines))
    return blocks


def _limits(recipe: Recipe, run: Run, say: Callable[..., str], language: str) -> str:
    test_rows = (run.manifest().get("data") or {}).get("used", {}).get("test")
    lines = [say("export.card.limit_test", num=f"{test_rows:,}")] if test_rows else []
    lines += [f"- {warning}" for warning in warnings_of(run, language)]
    lines.append(say(f"export.card.limit_{recipe.task.type}"))
    if not isinstance(recipe.task, Retrieve):
        lines.append(say("export.card.limit_same_prompt"))
    return "\n".join(line.strip("\n") for line in lines)


def _load_block(recipe: Recipe, name: str, format: str, say: Callable[..., str]) -> list[str]:
    """The lines that load it, and what they need where transformers has no class of its own for the base."""
    if isinstance(recipe.task, Retrieve):
        return retrieve_loading(recipe.task, name, say)
    if is_encoder_decoder(recipe):
        is_whole = format == "merged" or isinstance(recipe.model.adapter, NoAdapter)
        code = "export.card.load_seq2seq_merged" if is_whole else "export.card.load_seq2seq_adapter"
        return [say(code, name=name), say("export.card.seq2seq_ends")]
    remote = recipe.model.base.lower().startswith(_NEEDS_REMOTE_CODE) and format in ("adapter", "merged")
    return [say(f"export.card.load_{format}", name=name), *([say("export.card.load_remote_code")] if remote else [])]


def _licence_block(licence: Licence | None, say: Callable[..., str]) -> str:
    if licence is None:
        return say("export.card.unknown_licence")
    commercial = {True: "yes", False: "no", None: "depends"}[licence.commercial]
    lines = [say("export.card.licence_terms", licence=licence.name, url=licence.url)]
    lines.append(say(f"export.card.commercial.{commercial}"))
    if licence.required_prefix:
        lines.append(say("export.card.prefix", prefix=licence.required_prefix))
    lines += [f"- {say(key)}" for key in licence.terms]
    return "\n".join(line.strip("\n") for line in lines)


def _made_block(recipe: Recipe, run: Run, say: Callable[..., str]) -> str:
    """How to make it again: adapter, stages, seed and versions."""
    adapter = recipe.model.adapter
    kind = adapter.type if isinstance(adapter, NoAdapter) else f"{adapter.type} r={adapter.r} alpha={adapter.alpha}"
    versions = run.manifest().get("versions", {})
    shown = ", ".join(
        f"{package} {versions[package]}"
        for package in ("dadeum", "transformers", "peft", "torch")
        if package in versions
    )
    embeds = isinstance(recipe.task, Retrieve)
    lines = [
        say("export.retrieve.made", adapter=kind, seed=recipe.seed)
        if embeds
        else say("export.card.adapter", adapter=kind, format=recipe.render.format, seed=recipe.seed)
    ]
    for stage in recipe.stages:
        batch = stage.batch_size * stage.accumulation_steps
        lines.append(
            say("export.card.stage", name=stage.name, epochs=stage.epochs, rate=stage.learning_rate, batch=batch)
        )
    return "\n".join(
        [*(line.strip("\n") for line in lines), say("export.card.versions", versions=shown or "-").strip("\n")]
    )
