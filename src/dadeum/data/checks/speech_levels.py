"""One data set keeps one speech level, unless its system prompts say which; trained on a mix, a model uses either.

Human references of DialogSum-Ko are 71 % polite and 29 % plain; such a mix alone costs six points of ROUGE-2.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.speech import PLAIN, POLITE, Level, overall
from dadeum.data.context import Context
from dadeum.data.texts.sentences import Answer, Sentences

CODE = "KO102"
NAME = "speech_levels"

MIN_MINORITY = 0.10
"""Share of the rarer kind from which a data set counts as mixed; a polite chatbot file has 0.3 %."""
MIN_ROWS = 20
"""Rows with a decided level below which a share says nothing."""
MIN_ROWS_OF_PROMPT = 5
"""A system prompt with fewer rows cannot show that it settles the level."""
_LEVELS: tuple[Level, ...] = ("hapsyo", "haeyo", "hao", "hage", "hae", "haera", "nominal", "noun", "undecided")


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve"):  # nothing is written in words of its own
        return []
    found = context.sentences
    levels: dict[int, Level] = {row: _level(answers) for row, answers in found.by_row.items()}
    kinds: dict[int, str] = {row: kind for row, level in levels.items() if (kind := _kind(level))}
    counts = Counter(kinds.values())
    if len(kinds) < MIN_ROWS or _minority(counts) < MIN_MINORITY:
        return []
    by_prompt = _unexplained(context, kinds)
    # Bare texts are not yet what a model is taught to write.
    severity: Severity = "info" if by_prompt < MIN_MINORITY or context.task == "text" else "warn"
    usual = counts.most_common(1)[0][0]
    hits = _hits(found, levels, {row for row, kind in kinds.items() if kind != usual})
    by_level: Counter[str] = Counter(levels.values())
    values: dict[str, int | float] = {name: by_level[name] for name in _LEVELS}
    values |= {"polite": counts["polite"], "plain": counts["plain"], "rows": found.num_rows, "decided": len(kinds)}
    values |= {"minority": _minority(counts), "unexplained": by_prompt}
    return context.finding(CODE, NAME, severity, hits, values, found.num_sampled)


def _level(answers: list[Answer]) -> Level:
    return overall([sentence for answer in answers for sentence in answer.own])


def _kind(level: Level) -> str:
    if level in POLITE:
        return "polite"
    return "plain" if level in PLAIN else "nominal" if level == "nominal" else ""


def _minority(counts: Counter[str]) -> float:
    """Share of all kinds but the commonest."""
    return 1 - max(counts.values()) / counts.total() if counts else 0.0


def _unexplained(context: Context, kinds: dict[int, str]) -> float:
    """Share of rows whose kind is not the usual one under their own system prompt."""
    prompts: dict[str, list[str]] = defaultdict(list)
    for row, kind in kinds.items():
        prompt = context.placed[row][1].prompt
        prompts["\n".join(turn["content"] for turn in prompt if turn["role"] == "system")].append(kind)
    rare = [kind for found in prompts.values() if len(found) < MIN_ROWS_OF_PROMPT for kind in found]
    groups = [found for found in prompts.values() if len(found) >= MIN_ROWS_OF_PROMPT] + [rare]
    return sum(len(group) * _minority(Counter(group)) for group in groups) / len(kinds)


def _hits(found: Sentences, levels: dict[int, Level], rows: set[int]) -> list[Hit]:
    """For each of the rows its last sentence of the row's level."""
    hits = []
    for row in sorted(rows):
        for answer in reversed(found.by_row[row]):
            sentence = next((s for s in reversed(answer.own) if s.level == levels[row]), None)
            if sentence:
                hits.append(Hit(row, answer.part, sentence.start, sentence.end, {"level": levels[row]}))
                break
    return hits
