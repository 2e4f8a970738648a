"""Judge the splits: run every file in `checks/`, write findings.jsonl, stop where training would be worthless."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from dadeum.core.errors import CheckBlocked, RecipeError
from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.findings import SEVERITIES, Finding, Hit, Severity
from dadeum.core.messages import Message
from dadeum.core.plugins import find, names
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.data.context import Context, Tokens, listed
from dadeum.data.engine import keeping_objects
from dadeum.data.lengths.token_lengths import TokenLengths
from dadeum.data.nearest import nearest
from dadeum.data.passages.corpus import Facts, Passages
from dadeum.data.results import write_results
from dadeum.data.texts.asked import statistics
from dadeum.data.texts.scanning import scan
from dadeum.documents.stored import read_chunks
from dadeum.models.fresh import in_run

_PACKAGE = "data.checks"


@dataclass(frozen=True)
class CheckResult:
    """What the checks found, worst first."""

    findings: list[Finding]
    num_checks: int
    """Checks that were run, silent ones included."""


def check_data(recipe: Recipe, run: Run, progress: Progress = silent, tokens: Tokens | None = None) -> CheckResult:
    """Check the split files of a run and write findings.jsonl, rows.parquet and findings.html.

    `tokens` None loads the tokenizer of the recipe's model. Raises CheckBlocked, after writing, when a check of
    `checks.block_on` fired, and RecipeError when `block_on` names no check.
    """
    started = time.perf_counter()
    refuse_unknown_checks(recipe)
    if tokens is None:
        from dadeum.data.lengths.tokens import counter_of

        tokens = counter_of(in_run(recipe, run))
    counted = run.manifest().get("data", {}).get("token_lengths")
    lengths = TokenLengths(**counted) if counted else None
    with keeping_objects():
        splits = {split: read_examples(run.require(run.split_path(split), "data build")) for split in SPLITS}
        context = context_of(recipe, splits, tokens, lengths, _passages(run))
        if context.asked:
            run.record("questions", statistics(context.asked, context.passages))
        findings = run_checks(context, progress)
    write_results(run.folder, context, findings, time.perf_counter() - started, recipe.name)
    for error in blocking(recipe, findings):
        raise error
    return CheckResult(findings, len(names(_PACKAGE)))


def find_problems(
    recipe: Recipe,
    examples: dict[str, list[Example]],
    tokens: Tokens | None = None,
    lengths: TokenLengths | None = None,
    passages: Passages | None = None,
) -> list[Finding]:
    """Findings on examples in memory, worst first. Without `tokens` and the like, checks that need them are silent."""
    refuse_unknown_checks(recipe)
    return run_checks(context_of(recipe, examples, tokens, lengths, passages))


def context_of(
    recipe: Recipe,
    splits: dict[str, list[Example]],
    tokens: Tokens | None = None,
    lengths: TokenLengths | None = None,
    passages: Passages | None = None,
) -> Context:
    """What checks see of a recipe's data."""
    return Context(
        splits, recipe.task.type, recipe, recipe.checks, tokens=tokens, lengths=lengths, passages=passages,
        seed=recipe.seed,
    )  # fmt: skip


def _passages(run: Run) -> Passages | None:
    """What the run's questions are asked about; None for tasks without documents."""
    path = run.split_path("chunks")
    return Passages(read_chunks(path), Facts()) if path.is_file() else None


def run_checks(context: Context, progress: Progress = silent, only: Sequence[str] | None = None) -> list[Finding]:
    """All checks (or `only` these) on one context, worst finding first."""
    checks = names(_PACKAGE) if only is None else only
    hits, looked_at = scan([example for _, example in context.placed])
    findings: list[Finding] = []
    for number, name in enumerate(checks, start=1):
        module = find(_PACKAGE, name)
        if name in hits:
            findings += judge_texts(module, context, hits[name], looked_at[name])
        else:
            findings += module.check(context)
        progress("data.progress.check", number, len(checks))
    judged = [_judged(finding, context.recipe) for finding in findings]
    return sorted(judged, key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))


def judge_texts(check: ModuleType, context: Context, hits: list[Hit], num_rows: int) -> list[Finding]:
    """What a text check says of its hits: its own `judge(context, hits, num_rows)`, or one Finding of its SEVERITY.

    A check with `WARN_SHARE` only informs where less than that share of the rows is concerned.
    """
    if hasattr(check, "judge"):
        findings: list[Finding] = check.judge(context, hits, num_rows)
        return findings
    kinds = Counter(hit.found["found"] for hit in hits if hit.found)
    share = len({hit.row for hit in hits}) / max(num_rows, 1)
    values = {"places": len(hits), "share": share, "kinds": listed(kinds) or "-"}
    severity: Severity = check.SEVERITY if share >= getattr(check, "WARN_SHARE", 0.0) else "info"
    return context.finding(check.CODE, check.NAME, severity, hits, values, num_rows)


def _judged(finding: Finding, recipe: Recipe | None) -> Finding:
    """The recipe, not the check, decides what blocks; without a recipe the check does."""
    if recipe is None:
        return finding
    if finding.name in recipe.checks.block_on:
        return replace(finding, severity="block")
    return replace(finding, severity="warn") if finding.severity == "block" else finding


def blocking(recipe: Recipe, findings: Sequence[Finding]) -> list[CheckBlocked]:
    """One error that holds all findings which stop a run; none when there are none."""
    blocked = [finding for finding in findings if finding.name in recipe.checks.block_on]
    if not blocked:
        return []
    details = _item(blocked[0])
    for finding in blocked[1:]:
        details = Message("data.blocked_items", {"first": details, "rest": _item(finding)})
    found = ", ".join(dict.fromkeys(finding.name for finding in blocked))
    return [CheckBlocked("data.check_blocked", num=len(blocked), names=found, details=details)]


def _item(finding: Finding) -> Message:
    values = {"count": finding.count, "total": finding.total} | finding.values
    title, action = (Message(f"checks.{finding.name}.{part}", values) for part in ("title", "action"))
    return Message("data.blocked_item", {"code": finding.code, "name": finding.name, "title": title, "action": action})


def refuse_unknown_checks(recipe: Recipe) -> None:
    """RecipeError when `checks.block_on` names a check that does not exist."""
    known = names(_PACKAGE)
    for name in recipe.checks.block_on:
        if name not in known:
            raise RecipeError("data.unknown_check", name=name, near=nearest(name, known), known=", ".join(known))
