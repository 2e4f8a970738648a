"""The shape of evaluation/scores.json and samples.jsonl of retrieval: written by `evaluate`, read by `report`.

Systems: `tuned` (meaning alone), `tuned_hybrid` (with BM25), and of the baselines `bm25`, `base_model`, `base_hybrid`.
All figures lie in 0..1 and higher is better; intervals are 95 % percentile bootstrap over groups of questions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dadeum.core.measured import Measured, Notice, Part
from dadeum.evaluation.answers.scores import Better, Difference
from dadeum.evaluation.scores import Gate

Method = Literal["ranks", "scores"]
Served = Literal["tuned", "tuned_hybrid"]
Verdict = Literal["better", "as_good", "worse", "undecided", "no_baseline"]
MAIN = "mrr@10"
"""What fusion is chosen by, on validation questions, and what the verdict rests on, on test questions."""
SHOWN = (MAIN, "recall@1", "recall@3", "recall@5", "recall@10", "ndcg@10", "map@10")
"""Figures that stand in the first table; the others say the same where every question has one right chunk."""


class SystemRanking(Part):
    metrics: dict[str, Measured]
    """`recall@5` and the like."""
    seconds: float | None = None
    """Wall time to answer all test questions, the chunks being ready."""


class Tried(Part):
    method: Method
    weight: float
    figure: float
    """MRR@10 on validation questions."""


class Hybrid(Part):
    """How words and meaning were joined."""

    method: Method
    weight: float
    """Of meaning beside words 1; 0: words alone, so that the hybrid is BM25."""
    num_questions: int
    """Validation questions that it was chosen on; 0: it could not be chosen and is the usual 1 to 1."""
    words: float | None = None
    """MRR@10 of words alone on them."""
    meaning: float | None = None
    """MRR@10 of meaning alone on them."""
    chosen: float | None = None
    """MRR@10 of what was chosen on them; words alone unless another is above by more than one standard error."""
    is_meaning_better: bool = False
    """Whether meaning alone is above that by more than one standard error."""
    tried: list[Tried] = Field(default_factory=list)


class Comparison(Part):
    """One system against another on the same questions."""

    system: str
    baseline: str
    differences: dict[str, Difference]


class PartScores(Part):
    """Some of the questions: of one domain, of one difficulty."""

    num_rows: int
    systems: dict[str, dict[str, float]]
    difference: Difference | None = None
    """MRR@10 of the system beside BM25 less that of BM25, on these questions."""


class Cut(Part):
    """Texts that are longer than what the model reads: their ends are in no vector."""

    limit: int
    chunks: int
    questions: int
    gold: int
    """Test questions one of whose right chunks is cut."""


class RetrievalScores(Part):
    task: Literal["retrieve"]
    metrics: dict[str, Better]
    """Every figure, in the order of the report."""
    num_rows: dict[str, int]
    """Questions per split: train, validation, test."""
    num_groups: int
    """Groups that the test questions belong to (documents): what intervals are drawn over."""
    num_chunks: int
    num_documents: int
    judged_by: dict[str, int]
    """Test questions by what their right answer is: `chunk`, or `document` (any of its chunks is right)."""
    systems: dict[str, SystemRanking]
    hybrids: dict[str, Hybrid]
    """`tuned_hybrid` and `base_hybrid`."""
    hybrid_method: Method
    hybrid_weight: float
    """Of the tuned model, as `hybrids` has them: what an index takes over."""
    served: Served
    """The better one on validation questions: what verdict and gates judge, and what is to be used."""
    comparisons: list[Comparison]
    parts: dict[str, dict[str, PartScores]] = Field(default_factory=dict)
    """`domain`, `difficulty`, `origin`, `seen` → value → figures."""
    matryoshka: dict[int, dict[str, Measured]] = Field(default_factory=dict)
    """First so many dimensions of the tuned vectors → figures of meaning alone."""
    dimensions: int
    cut: Cut | None = None
    """None where the model has no limit."""
    model_name: str
    model_revision: str
    """Of the tuned encoder: changes whenever its vectors do."""
    seconds_chunks: float | None = None
    """Wall time to make the vectors of all chunks."""
    seed: int
    gates: list[Gate]
    verdict: Verdict
    """The served system against BM25 by MRR@10."""
    test_hash: str
    """sha256 of test.parquet."""
    asked_hash: str
    """Of the questions, their answers and what is right for them."""
    corpus_hash: str
    """Of ids and texts of all chunks: `compare` refuses runs that searched another corpus."""
    warnings: list[Notice] = Field(default_factory=list)

    @property
    def beside_bm25(self) -> Served:
        """Whom question by question is set against BM25."""
        return beside_bm25(self.served, self.hybrid_weight)


def beside_bm25(served: Served, weight: float) -> Served:
    """What is served; the tuned model where that is BM25 itself, which would differ nowhere."""
    return "tuned" if weight == 0 else served


class FoundChunk(Part):
    document: str
    pages: tuple[int, int]
    beginning: str


class RetrievalSample(Part):
    """One test question in samples.jsonl."""

    id: str
    source: str
    origin: str
    group: str
    question: str
    gold: list[str]
    """Chunk ids, or document ids where `judged_by` is document."""
    judged_by: Literal["chunk", "document"]
    domain: str = ""
    difficulty: str = ""
    behind_bm25: float | None = None
    """Reciprocal rank of BM25 less that of the system beside it: the worst losses have the largest."""
    ranks: dict[str, list[int]]
    """System → places of what is right among the best hundred, from 1."""
    found: dict[str, list[str]]
    """System → ids of the best five chunks."""
    chunks: dict[str, FoundChunk]
    """Those chunks, and the right ones."""
