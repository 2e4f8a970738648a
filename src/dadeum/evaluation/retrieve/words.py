"""Names of figures and of ways to join words and meaning, in both languages."""

from __future__ import annotations

from dadeum.core.pages import printable
from dadeum.core.words import Words, plain
from dadeum.evaluation.report_words import say, say_or
from dadeum.evaluation.retrieve.scores import Hybrid

_NAMES = {"mrr": "MRR", "ndcg": "nDCG", "map": "MAP", "f1": "F1"}


def metric_name(metric: str) -> Words:
    """`recall@5` → 재현율@5; `tuned.recall@5` says that it is of meaning alone."""
    system, _, figure = metric.rpartition(".")
    name, _, k = figure.partition("@")
    said = plain(_NAMES[name]) if name in _NAMES else say_or(f"retrieve.figures.{name}", name)
    whole = Words(f"{said.ko}@{k}", f"{said.en}@{k}")
    return say("retrieve.of_tuned", name=whole) if system else whole


def metric_meaning(metric: str) -> Words:
    """In one sentence."""
    name, _, k = metric.partition("@")
    return say(f"retrieve.meaning.{name}", k=k)


def joined(how: Hybrid) -> Words:
    """In what way words and meaning are one ranking: 순위로 합침, 뜻 0.3."""
    return say("retrieve.words_alone") if how.weight == 0 else say(f"retrieve.joined.{how.method}", weight=how.weight)


def part_name(way: str, value: str) -> Words:
    """Of a value of `parts`; data keep their own."""
    if way == "seen":
        return say(f"retrieve.{value}")
    return plain(printable(value)) if value else say("retrieve.no_value")


def count(num: int) -> Words:
    """Of questions: 1,910개 (ko), 1,910 (en)."""
    return say("retrieve.count", num=num)
