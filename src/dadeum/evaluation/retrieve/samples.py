"""samples.jsonl: every test question, where each system found what is right, and what it showed instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dadeum.evaluation.retrieve.figures import reciprocal
from dadeum.evaluation.retrieve.questions import Questions
from dadeum.evaluation.retrieve.scores import FoundChunk, RetrievalSample
from dadeum.retrieval.ranking import NOTHING, Ranking
from dadeum.tasks.retrieve import DIFFICULTY, DOMAIN, relevant

SHOWN = 5
_BEGINNING = 160


def samples(
    questions: Questions, systems: Mapping[str, tuple[Ranking, list[list[int]]]], beside: str
) -> Iterator[RetrievalSample]:
    """In file order."""
    corpus, test = questions.corpus, questions.test
    for at, row in enumerate(test.rows):
        best = {
            name: [place for place in ranking.positions[at, :SHOWN].tolist() if place != NOTHING]
            for name, (ranking, _) in systems.items()
        }
        ranks = {name: found[at] for name, (_, found) in systems.items()}
        right = [corpus.places[name] for name in relevant(row) if name in corpus.places]
        yield RetrievalSample(
            id=row.id,
            source=row.source,
            origin=row.origin,
            group=row.group,
            question=row.text,
            gold=relevant(row),
            judged_by="document" if test.by_document[at] else "chunk",
            domain=row.extra.get(DOMAIN, ""),
            difficulty=row.extra.get(DIFFICULTY, ""),
            behind_bm25=reciprocal(ranks["bm25"]) - reciprocal(ranks[beside]) if "bm25" in ranks else None,
            ranks=ranks,
            found={name: [corpus.chunks[place].id for place in places] for name, places in best.items()},
            chunks={
                corpus.chunks[place].id: _shown(questions, place)
                for place in dict.fromkeys([*right, *(place for places in best.values() for place in places)])
            },
        )


def _shown(questions: Questions, place: int) -> FoundChunk:
    chunk = questions.corpus.chunks[place]
    # What a chunk repeats of the one before says nothing of its own.
    text = " ".join(chunk.text[chunk.repeated :].split() or chunk.text.split())
    beginning = text[:_BEGINNING] + ("…" if len(text) > _BEGINNING else "")
    return FoundChunk(document=chunk.document, pages=(chunk.first_page, chunk.last_page), beginning=beginning)
