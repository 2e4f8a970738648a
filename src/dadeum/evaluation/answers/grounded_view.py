"""Grounded answers made ready for the page: parts of the score, kinds of questions, chunks shown, and marks.

Numbers are marked where they stand: supported, or in neither chunks nor question; citations as right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dadeum.core.findings import Span
from dadeum.core.korean import nfc
from dadeum.core.korean_quantities import quantities
from dadeum.core.pages import visible
from dadeum.core.words import Html, Words, plain
from dadeum.documents.chunks import Chunk
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores, GroundedScores, OriginScores, ShownChunk
from dadeum.evaluation.answers.words import figure, figure_interval, metric_name
from dadeum.evaluation.cautions import notice_words
from dadeum.evaluation.metrics.unsupported import names, numbers
from dadeum.evaluation.report_words import say, say_or
from dadeum.tasks import answer

LONGEST_CHUNK = 1500
SLICES = 20
RIGHT = "answered_right"
_BY_KIND = {"answerable": RIGHT, "missed": "refused_right", "unanswerable": "refused_right"}
"""The figure that says whether a system did what this kind of question asks for."""


# -- tables -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """One line of a table: values in the order of the systems, each with its interval where there is one."""

    name: Words
    note: Words
    values: list[tuple[str, Words | None]]


def part_rows(scores: AnswerScores, found: GroundedScores, order: Sequence[str]) -> list[Row]:
    """The parts with their weights, the score, and what comes out at the end."""
    rows = [
        Row(say(f"grounded.parts.{part}"), plain(f"{found.weights[part]:g}"), _measured(scores, metric, order))
        for part, metric in found.parts.items()
    ]
    rows.append(Row(say("grounded.parts.score"), plain(""), _measured(scores, "system_score", order)))
    return [*rows, Row(say("grounded.parts.end_to_end"), plain(""), _measured(scores, RIGHT, order))]


def _measured(scores: AnswerScores, metric: str, order: Sequence[str]) -> list[tuple[str, Words | None]]:
    measured = [scores.systems[name].metrics.get(metric) for name in order]
    return [(figure(metric, one.value), figure_interval(metric, one)) if one else (figure(metric, None), None)
            for one in measured]  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """Rows that have something in common."""

    group: Words
    name: Words
    note: Words
    num: int
    metric: Words
    values: list[str]


def kind_rows(found: GroundedScores, order: Sequence[str]) -> list[Slice]:
    return [
        Slice(
            plain(""), say(f"grounded.kinds.{kind}"), say(f"grounded.kind_notes.{kind}"), part.num_rows,
            metric_name(metric), [figure(metric, part.systems[name].get(metric)) for name in order],
        )
        for kind, metric in _BY_KIND.items()
        if (part := found.by_kind.get(kind)) is not None
    ]  # fmt: skip


def slice_rows(found: GroundedScores, order: Sequence[str]) -> list[Slice]:
    """By difficulty, then by domain, those with most questions first."""
    return [
        *_slices("difficulty", found.by_difficulty, order),
        *_slices("domain", found.by_domain, order),
    ]


def _slices(kind: str, parts: Mapping[str, OriginScores], order: Sequence[str]) -> list[Slice]:
    return [
        Slice(
            say(f"grounded.slices.{kind}"), plain(label), plain(""), part.num_rows, metric_name(RIGHT),
            [figure(RIGHT, part.systems[name].get(RIGHT)) for name in order],
        )
        for label, part in list(parts.items())[:SLICES]
    ]  # fmt: skip


def hint_lines(found: GroundedScores) -> list[Words]:
    return [notice_words(hint) for hint in found.hints]


# -- one question -------------------------------------------------------------------------------
@dataclass(frozen=True)
class ChunkView:
    number: int
    document: str
    page: int
    is_gold: bool
    text: Html | None
    """None where the run has it no longer."""


def chunk_views(sample: AnswerSample, chunks: Mapping[str, Chunk]) -> list[ChunkView]:
    return [
        ChunkView(number, one.document, one.page, one.is_gold, _text(chunks.get(one.id)))
        for number, one in enumerate(sample.shown, start=1)
    ]


def _text(chunk: Chunk | None) -> Html | None:
    if chunk is None:
        return None
    return visible(chunk.text[:LONGEST_CHUNK] + ("…" if len(chunk.text) > LONGEST_CHUNK else ""))


def kind_name(kind: str) -> Words:
    return say_or(f"grounded.kinds.{kind}", kind)


def source_text(sample: AnswerSample, chunks: Mapping[str, Chunk]) -> str:
    """What an answer to this question may say, as the metrics read it."""
    shown = [chunks[one.id] for one in sample.shown if one.id in chunks]
    return "\n".join([*(f"{chunk.document}\n{chunk.text}" for chunk in shown), sample.question])


def marked(text: str, source: str, shown: Sequence[ShownChunk]) -> Html:
    """The answer with its numbers, the names it makes up, and its citations marked."""
    said, cited = answer.split_citations(text)
    said = nfc(said)
    parts: list[str] = []
    at = 0
    for span in _spans(said, source):
        parts += [visible(said[at : span.start]), f'<mark class="{span.found}">', visible(said[span.start : span.end])]
        parts.append("</mark>")
        at = span.end
    parts.append(visible(said[at:]))
    for number in cited:
        is_right = 1 <= number <= len(shown) and shown[number - 1].is_gold
        parts.append(f' <span class="cited {"right" if is_right else "wrong"}">[{number}]</span>')
    return Html("".join(parts))


def _spans(text: str, source: str) -> list[Span]:
    """In order and apart: what is not supported, and numbers that are."""
    wrong = [*numbers(text, source), *names(text, source)]
    starts = {span.start for span in wrong}
    right = [Span(each.start, each.end, "supported") for each in quantities(text) if each.start not in starts]
    kept: list[Span] = []
    for span in sorted([*wrong, *right]):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept
