"""What the training benchmarks train on: rows as token ids, and the shape of the model.

spam: one instruction before every mail, a short JSON answer. vocab: a vocabulary of 151,936 words, random weights.
chat: questions and answers that share nothing. Every row is {input_ids, labels, weights}, the same for all contestants.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "shared" / "data"
SEED = 7
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
ALL_LINEAR = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
INSTRUCTION = "다음 이메일 메타데이터를 분석하여 스팸 여부를 판정하고 JSON 형식으로만 답하세요."
REASONS = {"BLOCK": "제목이 광고 문구와 같음", "ALLOW": "업무 공지로 보임"}
SYNTHETIC = {
    "BLOCK": ("(광고) {n}월 보험료 반값 혜택 안내드립니다", "[당첨] 상품권 {n}만원 지금 수령하세요"),
    "ALLOW": ("{n}월 정기 회의록 송부드립니다", "제{n}차 장학생 선발 공고 및 제출 서류 안내"),
}
WORDS = (
    "오늘", "날씨", "점심", "주말", "영화", "친구", "회사", "공부", "여행", "커피", "운동", "음악", "저녁", "산책",
    "약속", "기분", "생각", "시간",
)  # fmt: skip

Row = dict[str, list[Any]]
Turn = dict[str, str]

QWEN2: dict[str, Any] = {
    "model_type": "qwen2", "vocab_size": 151_936, "hidden_size": 896, "num_hidden_layers": 8,
    "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4864, "tie_word_embeddings": True,
}  # fmt: skip
TINY: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 2048, "hidden_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "tie_word_embeddings": True,
}  # fmt: skip


@dataclass
class Workload:
    name: str
    rows: list[Row]
    targets: tuple[str, ...]
    """Modules that get a LoRA adapter."""
    source: str
    """Where the rows come from, in words."""
    model: str | None = None
    """Folder of the model and its tokenizer; None: random weights of `config`."""
    config: dict[str, Any] = field(default_factory=dict)
    texts: list[list[Turn]] = field(default_factory=list)
    """The rows as conversations, for a contestant that takes nothing else; [] where the rows are random ids."""

    def describe(self) -> str:
        lengths = sorted(len(row["input_ids"]) for row in self.rows)
        answers = sorted(answer_tokens(row) for row in self.rows)
        return (
            f"{self.source}: {len(self.rows)} rows of {lengths[0]}-{lengths[-1]} tokens, "
            f"{shared_tokens(self.rows)} of them the same in all, answers of {answers[0]}-{answers[-1]}"
        )


def answer_tokens(row: Row) -> int:
    return sum(label != -100 for label in row["labels"])


def shared_tokens(rows: list[Row]) -> int:
    """What all rows begin with."""
    low, high = min(row["input_ids"] for row in rows), max(row["input_ids"] for row in rows)
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))


def row_of(prompt: list[int], answer: list[int]) -> Row:
    return {
        "input_ids": prompt + answer,
        "labels": [-100] * len(prompt) + answer,
        "weights": [0.0] * len(prompt) + [1.0] * len(answer),
    }


def make_workload(name: str, num_rows: int, model: str | None = None) -> Workload:
    if name == "spam":
        return spam(num_rows, model)
    if name == "chat":
        return chat(num_rows, model)
    if name == "vocab":
        rows = random_rows(num_rows, QWEN2["vocab_size"], shared=200, own=(40, 40), answer=(4, 4))
        return Workload(name, rows, ALL_LINEAR, "random ids, Qwen2 shape with random weights", config=QWEN2)
    rows = random_rows(num_rows, TINY["vocab_size"], shared=24, own=(4, 12), answer=(2, 4))
    return Workload(name, rows, ATTENTION, "random ids, a tiny Llama", config=TINY)


def random_rows(
    num_rows: int, vocabulary: int, shared: int, own: tuple[int, int], answer: tuple[int, int]
) -> list[Row]:
    source = random.Random(SEED)

    def ids(count: int) -> list[int]:
        return [source.randrange(3, vocabulary) for _ in range(count)]

    before = ids(shared)
    return [row_of(before + ids(source.randint(*own)), ids(source.randint(*answer))) for _ in range(num_rows)]


def spam(num_rows: int, model: str | None) -> Workload:
    """Titles of the real list where it lies beside the repository; labels alternate, as the recipe balances them."""
    source = random.Random(SEED)
    real = (SHARED / "spam" / "postal_block_list.csv").exists()
    titles = {"BLOCK": _blocked(), "ALLOW": _allowed()} if real else {label: _synthetic(label) for label in SYNTHETIC}
    for pool in titles.values():
        source.shuffle(pool)
    texts = [_mail(source, titles, ("BLOCK", "ALLOW")[number % 2], number // 2) for number in range(num_rows)]
    source.shuffle(texts)
    folder, tokenizer = _tokenizer(model)
    rows = [_encode(tokenizer, turns) for turns in texts]
    return Workload("spam", rows, ATTENTION, "real titles" if real else "synthetic titles", folder, texts=texts)


def _mail(source: random.Random, titles: dict[str, list[str]], label: str, number: int) -> list[Turn]:
    received = (
        f"2025-{source.randint(1, 9):02}-{source.randint(10, 28)} {source.randint(10, 23)}:{source.randint(10, 59)}"
    )
    mail = {"subject": titles[label][number % len(titles[label])], "attachments": [], "received_at": received}
    answer = {"action": label, "reason": REASONS[label], "confidence": round(source.uniform(0.8, 0.99), 2)}
    return [
        {"role": "system", "content": INSTRUCTION},
        {"role": "user", "content": json.dumps(mail, ensure_ascii=False)},
        {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
    ]


def _blocked() -> list[str]:
    with (SHARED / "spam" / "postal_block_list.csv").open(encoding="utf-8-sig", newline="") as file:
        return [row["제목"] for row in csv.DictReader(file)]


def _allowed() -> list[str]:
    lines = (SHARED / "spam" / "notice_allow_titles.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["title"] for line in lines if line.strip()]


def _synthetic(label: str) -> list[str]:
    return [pattern.format(n=number) for number in range(1, 400) for pattern in SYNTHETIC[label]]


def chat(num_rows: int, model: str | None) -> Workload:
    path = SHARED / "chat" / "ChatbotData.csv"
    source = random.Random(SEED)
    pairs = list(_conversations(path)) if path.exists() else list(_synthetic_conversations(source))
    source.shuffle(pairs)
    texts = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in (pairs * (num_rows // len(pairs) + 1))[:num_rows]
    ]
    folder, tokenizer = _tokenizer(model)
    rows = [_encode(tokenizer, turns) for turns in texts]
    return Workload("chat", rows, ATTENTION, "real chat" if path.exists() else "synthetic chat", folder, texts=texts)


def _conversations(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["Q"], row["A"]


def _synthetic_conversations(source: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(2000):
        yield (
            " ".join(source.choices(WORDS, k=source.randint(2, 8))),
            " ".join(source.choices(WORDS, k=source.randint(2, 9))),
        )


def _tokenizer(model: str | None) -> tuple[str, Any]:
    from transformers import AutoTokenizer

    from dadeum.models.load import resolve_base

    folder = resolve_base(model or "smollm2-135m")
    return folder, AutoTokenizer.from_pretrained(folder)


def _encode(tokenizer: Any, turns: list[Turn]) -> Row:
    """The tokenizer's own template, without the system turn that ChatML ones make up where a row has none."""
    prompt = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    if turns[0]["role"] != "system":
        prompt = prompt[max(prompt.find(f"<|im_start|>{turns[0]['role']}"), 0) :]
    ids = tokenizer(prompt, add_special_tokens=False).input_ids
    answer = tokenizer(turns[-1]["content"], add_special_tokens=False).input_ids
    return row_of(ids, [*answer, tokenizer.eos_token_id])
