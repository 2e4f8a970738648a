"""Chunks and an encoder that reads nothing: small enough to check by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from dadeum.core.progress import Progress, silent
from dadeum.documents.chunks import Chunk

TEXTS = {
    "주거": ["청년 월세 지원은 만 19세부터 34세까지 신청합니다.", "전세 자금 대출의 금리는 연 2%입니다."],
    "건강": ["암 환자 의료비를 지원합니다.", "건강검진은 2년마다 무료로 받습니다.", "치매 검사는 보건소에서 합니다."],
}


class FakeEncoder:
    """A vector of random numbers per text, the same in every run; counts what it was asked for."""

    def __init__(self, name: str = "fake", revision: str = "1", dimensions: int = 16) -> None:
        self.name, self.revision, self.dimensions = name, revision, dimensions
        self.read: list[str] = []

    def encode_questions(self, texts: list[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        return np.stack([self._vector(text) for text in texts])

    def encode_chunks(self, texts: list[str], progress: Progress = silent) -> np.ndarray:
        self.read += texts
        return self.encode_questions(texts)

    def _vector(self, text: str) -> np.ndarray:
        seed = int(hashlib.sha256(f"{self.revision}{text}".encode()).hexdigest()[:8], 16)
        vector = np.random.default_rng(seed).normal(size=self.dimensions)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def chunks_of(document: str, texts: Sequence[str] | None = None) -> list[Chunk]:
    return [
        Chunk(f"{document}#p{number}", document, text, number, number, len(text))
        for number, text in enumerate(texts or TEXTS[document], 1)
    ]
