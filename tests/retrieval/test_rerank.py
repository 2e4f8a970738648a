from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dadeum.core.errors import ModelError
from dadeum.retrieval.rerank import CrossEncoderReranker, reranked
from dadeum.retrieval.searching import Hit


def hits(*texts: str) -> list[Hit]:
    return [Hit(f"c{at}", "d", 1, 1, 1.0 / at, text) for at, text in enumerate(texts, start=1)]


class Counting:
    """As many points as the text has letters."""

    name = "counting"

    def scores(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        return np.array([len(text) if text != "bad" else np.nan for _, text in pairs], dtype=float)


def save_cross_encoder(folder: Path, num_labels: int = 1, kind: str = "sequence") -> Path:
    """A random BERT of one layer over letters."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = sorted(set("월세는누가받나요전금리입니다청년"))
    core = Tokenizer(models.WordLevel({token: at for at, token in enumerate([*special, *letters])}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Split("", behavior="isolated")
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=64, **names).save_pretrained(str(folder))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(special) + len(letters), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, num_labels=num_labels, initializer_range=0.5,
    )  # fmt: skip
    model = BertForSequenceClassification(config) if kind == "sequence" else BertModel(config)
    model.save_pretrained(str(folder))
    return folder


def test_the_best_by_the_reranker_come_first_and_ties_stay_as_they_were() -> None:
    told: list[tuple[str, int, int]] = []
    found = reranked(Counting(), ["a", "b"], [hits("xx", "xxx", "yy"), []], 2, lambda *step: told.append(step))
    assert [(hit.chunk, hit.score) for hit in found[0]] == [("c2", 3.0), ("c1", 2.0)]
    assert found[1] == []
    assert told[-1] == ("retrieval.ask.progress.rerank", 2, 2)


def test_scores_that_are_no_numbers_are_told() -> None:
    with pytest.raises(ModelError, match="월세는 누가"):
        reranked(Counting(), ["월세는 누가 받나요?"], [hits("bad", "x")], 1)


def test_a_cross_encoder_scores_pairs_as_the_model_itself_does(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_cross_encoder(tmp_path / "model")
    question, texts = "월세는 누가 받나요", ["월세는 청년이 받는다", "전세 금리"]
    [found] = reranked(CrossEncoderReranker(str(folder)), [question], [hits(*texts)], 2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        read = tokenizer([question] * 2, texts, return_tensors="pt", padding=True)
        logits = model(**read).logits[:, 0].sigmoid().tolist()
    assert {hit.text: hit.score for hit in found} == pytest.approx(dict(zip(texts, logits, strict=True)), abs=1e-5)
    assert found[0].score > found[1].score


@pytest.mark.parametrize(("num_labels", "kind", "said"), [(3, "sequence", "num_labels 3"), (1, "bare", "BertModel")])
def test_what_is_no_reranker_is_refused(tmp_path: Path, num_labels: int, kind: str, said: str) -> None:
    folder = save_cross_encoder(tmp_path / "model", num_labels, kind)
    with pytest.raises(ModelError, match=said):
        CrossEncoderReranker(str(folder)).scores([("a", "b")])


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        CrossEncoderReranker(str(tmp_path / "nowhere")).scores([("a", "b")])
