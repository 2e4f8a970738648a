"""A small corpus with questions about it, a tiny embedding model, and run folders that need no data layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SUBJECTS = (
    "도서관",
    "수영장",
    "주차장",
    "체육관",
    "미술관",
    "식물원",
    "보건소",
    "박물관",
    "공연장",
    "캠핑장",
    "시장",
    "역사관",
)


def documents() -> dict[str, str]:
    """Document id → text of three sentences; every number belongs to one document."""
    return {
        f"doc-{number:02d}": f"{name} 이용 안내입니다. {name} 입장료는 {number}천 원입니다. "
        f"{name} 문은 오전 {number}시에 엽니다. 전화는 {number:02d}00번입니다."
        for number, name in enumerate(SUBJECTS, start=1)
    }


def questions() -> list[dict[str, Any]]:
    """Three per document, in the guide's form; `relevant_chunks` names the document."""
    found = []
    for number, name in enumerate(SUBJECTS, start=1):
        asked = [
            (f"{name} 입장료는 얼마인가요?", f"{number}천 원입니다.", "easy"),
            (f"{name} 문은 몇 시에 여나요?", f"오전 {number}시에 엽니다.", "easy"),
            (f"{name}에 전화하려면 몇 번으로 걸어야 하나요?", f"{number:02d}00번입니다.", "hard"),
        ]
        found += [
            {"question": question, "answer": answer, "relevant_chunks": [f"doc-{number:02d}"]}
            | {"domain": "시설" if number % 2 else "문화", "difficulty": difficulty}
            for question, answer, difficulty in asked
        ]
    return found


def write_files(folder: Path) -> tuple[Path, Path]:
    """(corpus.json, questions.jsonl) in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, asked = folder / "corpus.json", folder / "questions.jsonl"
    corpus.write_text(json.dumps(documents(), ensure_ascii=False), encoding="utf-8")
    asked.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in questions()), encoding="utf-8")
    return corpus, asked


def recipe_on(folder: Path, base: Path | str, task: dict[str, Any], **changes: Any) -> Any:
    """A recipe about the files that `write_files(folder)` made; `changes` replace whole sections."""
    from dadeum.core.recipe import Recipe

    corpus, asked = write_files(folder)
    method = "contrastive" if task["type"] == "retrieve" else "sft"
    raw: dict[str, Any] = {
        "name": "tiny",
        "task": task,
        "model": {"base": str(base), "adapter": {"type": "none"}, "precision": "fp32"},
        "data": {"corpus": {"sources": [str(corpus)], "size_tokens": None}, "sources": [{"path": str(asked)}]},
        "stages": [{"name": "only", "method": method, "epochs": 1, "learning_rate": 1e-3, "batch_size": 8}],
        "evaluate": {"similarity_model": None, "bootstrap_samples": 100},
    }
    return Recipe.model_validate(raw | changes)


RETRIEVE: dict[str, Any] = {"type": "retrieve"}
ANSWER: dict[str, Any] = {
    "type": "answer",
    "instruction": "다음은 문서의 내용입니다:\n\n{chunks}\n\n질문: {question}\n\n답변:",
    "refusal": "문서에서 답을 찾을 수 없습니다.",
}


def chunks_of_corpus() -> list[Any]:
    """One chunk per document, as `data.corpus` with `size_tokens: null` cuts them."""
    from dadeum.documents.chunks import Chunk

    return [
        Chunk(f"{name}#p1-001-{at:08x}", name, text, 1, 1, len(text))
        for at, (name, text) in enumerate(documents().items())
    ]


def built_run(recipe: Any, folder: Path) -> Any:
    """A run whose rows and chunks are written: documents 1-8 to train, 9-10 to validation, 11-12 to test."""
    import pyarrow.parquet as pq

    from dadeum.core.examples import Example, to_table
    from dadeum.core.run import Run
    from dadeum.documents.stored import write_chunks
    from dadeum.tasks import answer, retrieve

    run = Run.create(recipe, folder)
    chunks = chunks_of_corpus()
    write_chunks(run.split_path("chunks"), chunks)
    by_document = {chunk.document: chunk for chunk in chunks}
    rows: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for number, asked in enumerate(questions()):
        document = asked["relevant_chunks"][0]
        gold = by_document[document]
        place = chunks.index(gold)
        extra = {retrieve.RELEVANT: retrieve.as_extra([gold.id])} | {
            key: asked[key] for key in (retrieve.DOMAIN, retrieve.DIFFICULTY)
        }
        prompt, completion = retrieve.prompt(asked["question"]), [{"role": "assistant", "content": asked["answer"]}]
        if recipe.task.type == "answer":
            shown = [chunks[(place + 1) % len(chunks)], gold]
            prompt = answer.prompt(recipe.task, asked["question"], shown)
            completion = answer.completion(recipe.task, asked["answer"], [2])
            extra |= {answer.SHOWN: retrieve.as_extra([one.id for one in shown]), answer.KIND: "answerable"}
        split = "train" if place < 8 else "validation" if place < 10 else "test"
        rows[split].append(
            Example(
                id=f"questions:{number + 1}",
                source="questions",
                origin=document,
                group=document,
                text=asked["question"],
                prompt=prompt,
                completion=completion,
                label="",
                extra=extra,
            )
        )
    for split, examples in rows.items():
        pq.write_table(to_table(examples), run.split_path(split))
    return run


def save_embedder(folder: Path, seed: int = 0) -> Path:
    """A random BERT of two layers as a sentence-transformers folder; its tokens are single letters of the corpus."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = sorted({letter for text in (*documents().values(), *(row["question"] for row in questions()))
                      for letter in text if not letter.isspace()})  # fmt: skip
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: at for at, token in enumerate([*special, *letters])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split("", behavior="isolated")]
    )
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=128,
    )  # fmt: skip
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=128,
    )  # fmt: skip
    inner = folder / "inner"
    inner.mkdir(parents=True)
    BertModel(config).save_pretrained(str(inner))
    tokenizer.save_pretrained(str(inner))
    transformer = Transformer(str(inner))
    transformer.max_seq_length = 128
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"
