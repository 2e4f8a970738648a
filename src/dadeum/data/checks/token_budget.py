"""What each tokenizer that was asked for makes of the rows; a warning where it would cut answers or knows no Korean."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context
from dadeum.data.lengths.budget import Budget

CODE = "DA503"
NAME = "token_budget"

MAX_CUT_SHARE = 0.01
"""Share of rows with a cut answer from which this is a warning: the same as token_length's."""
MAX_UNKNOWN_SHARE = 0.001
"""Share of unknown tokens from which the model cannot read the text: one or two in every page."""
MAX_TOKENS_PER_EOJEOL = 5.0
"""Korean vocabularies need 2 to 2.5 tokens per eojeol, multilingual ones 3 to 4; above it syllables fall into bytes."""
_FORMATS = {"chat": "chat template", "instruction": "### Instruction (no chat template)"}


def check(context: Context) -> list[Finding]:
    return [finding for budget in context.budgets for finding in _say(context, budget)]


def _say(context: Context, budget: Budget) -> list[Finding]:
    total = max(budget.num_rows + len(budget.refused), 1)
    values = {
        "tokenizer": budget.tokenizer, "format": _FORMATS[budget.format], "limit": budget.max_length_tokens,
        "looked": total, "rows": budget.num_total, "cut": len(budget.cut), "cut_share": len(budget.cut) / total,
        "lost": budget.num_lost, "refused": len(budget.refused), "median": budget.median, "p95": budget.p95,
        "longest": budget.longest, "tokens_per_eojeol": budget.tokens_per_eojeol, "unknown": budget.unknown_share,
    }  # fmt: skip
    hits = [Hit(row.row, found={"tokens": row.prompt + row.answer, "answer_tokens": row.answer}) for row in budget.cut]
    hits += [Hit(row, found={"refused_by": budget.tokenizer}) for row in budget.refused]
    # Who asks about a tokenizer is answered, even where nothing is wrong: the longest row then stands for all.
    hits = hits or [Hit(budget.longest_row, found={"tokens": budget.longest})]
    return context.finding(CODE, NAME, _severity(budget, total), hits, values, total) if context.num_rows else []


def _severity(budget: Budget, total: int) -> Severity:
    is_bad = (
        len(budget.cut) > MAX_CUT_SHARE * total
        or budget.refused
        or budget.unknown_share > MAX_UNKNOWN_SHARE
        or budget.tokens_per_eojeol > MAX_TOKENS_PER_EOJEOL
    )
    return "warn" if is_bad else "info"
