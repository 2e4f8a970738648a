"""Text that can be shown: whole syllables, no beginning of a stop text, and together what `decode` reads."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.gateway.engine.choosing import Chosen
from dadeum.gateway.engine.pieces import Pieces
from dadeum.gateway.engine.work import Piece
from dadeum.models.precision import cache_folder
from dadeum.models.token_bytes import token_bytes
from tests.models.families.build import save_tokenizer

FAMILIES = ("qwen2_5", "llama3", "gemma2", "solar", "polyglot", "exaone3_5")
TEXT = "안녕하세요. 꽃잎이 흩날려요! 힣뷁쀏 (광고) 123\n\n  a  b — 🙂👨‍👩‍👧 漢字 ｶﾅ"
SMOLLM = cache_folder() / "models" / "smollm2-135m"


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from transformers import AutoTokenizer

    folders = {name: save_tokenizer(tmp_path_factory.mktemp(name), name) for name in FAMILIES}
    return {name: AutoTokenizer.from_pretrained(str(folder)) for name, folder in folders.items()}


def ids_of(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return found


def run(tokenizer: Any, ids: Iterable[int], stops: Sequence[str] = ()) -> list[Piece]:
    pieces = Pieces(tokenizer, stops)
    found = [pieces.add(Chosen(token, -0.5)) for token in ids]
    return [piece for piece in [*found, pieces.rest()] if piece]


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pieces_together_are_what_decode_reads(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    ids = ids_of(tokenizer, TEXT)
    pieces = run(tokenizer, ids)
    assert text_of(pieces) == tokenizer.decode(ids, skip_special_tokens=True)
    assert "\ufffd" not in text_of(pieces)
    assert len(pieces) < len(ids)  # syllables of several tokens came whole
    assert sum(piece.num_tokens for piece in pieces) == len(ids)


@pytest.mark.parametrize("family", ["qwen2_5", "polyglot"])
def test_any_bytes_of_a_byte_level_model_read_as_decode_reads_them(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    numbers = random.Random(3)
    for _ in range(300):
        ids = [numbers.randrange(len(tokenizer)) for _ in range(12)]
        assert text_of(run(tokenizer, ids)) == tokenizer.decode(ids, skip_special_tokens=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.sampled_from("가나힣 다.진aA\n🙂é▁漢") | st.characters(codec="utf-8"), max_size=20))
def test_any_text_comes_through_whole(tokenizers: dict[str, Any], text: str) -> None:
    for family in ("qwen2_5", "gemma2"):
        ids = ids_of(tokenizers[family], text)
        assert text_of(run(tokenizers[family], ids)) == tokenizers[family].decode(ids)


@pytest.mark.skipif(not SMOLLM.is_dir(), reason="SmolLM2-135M is not on this machine")
def test_the_pieces_of_smollm2_are_what_decode_reads() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(SMOLLM))
    ids = ids_of(tokenizer, TEXT * 3)
    assert text_of(run(tokenizer, ids)) == tokenizer.decode(ids) == TEXT * 3
    numbers = random.Random(5)
    for _ in range(200):
        ids = [numbers.randrange(17, len(tokenizer)) for _ in range(20)]
        assert text_of(run(tokenizer, ids)) == tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("family", ["qwen2_5", "gemma2", "solar"])
def test_no_half_syllable_is_shown_and_a_broken_one_is_one_mark(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    ids = ids_of(tokenizer, "뷁")
    assert len(ids) >= 3
    pieces = Pieces(tokenizer, ())
    assert all(pieces.add(Chosen(token)) is None for token in ids[:-1])
    assert pieces.rest() == Piece("\ufffd", len(ids) - 1)
    pieces = Pieces(tokenizer, ())
    shown = [pieces.add(Chosen(token)) for token in ids]
    assert shown[-1] == Piece("뷁", len(ids)) and pieces.rest() is None
    # What follows a broken syllable is whole again.
    letter = ids_of(tokenizer, "뷁a")[-1]
    assert text_of(run(tokenizer, [*ids[:-1], letter])).endswith("\ufffda")


def test_a_decomposed_syllable_comes_whole(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    text = unicodedata.normalize("NFD", "회의록")
    texts = [piece.text for piece in run(tokenizer, ids_of(tokenizer, text))]
    assert texts == [unicodedata.normalize("NFD", one) for one in "회의록"]


@pytest.mark.parametrize("family", ["qwen2_5", "gemma2"])
def test_a_stop_text_and_its_beginning_are_never_shown(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    for text, stops, expected in [
        ("네, 그만할게요. 더", ["그만"], "네, "),
        ("가나가나다", ["가나다"], "가나"),  # a beginning that came to nothing
        ("가나", ["가나다"], "가나"),  # shown at the end
        ("a\n\nb", ["\n\n"], "a"),
        ("aaab", ["aab"], "a"),
        ("둘 하나", ["하나", "둘 "], ""),  # the first in the text, not in the list
        ("그대로", ["", "없음"], "그대로"),
    ]:
        assert text_of(run(tokenizer, ids_of(tokenizer, text), stops)) == expected, (text, stops)


def test_what_could_still_become_a_stop_text_waits(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    pieces = Pieces(tokenizer, ["가나다"])
    given_away = [pieces.add(Chosen(token)) for token in ids_of(tokenizer, "가나")]
    assert given_away == [None] * len(given_away) and not pieces.ended
    last = [pieces.add(Chosen(token)) for token in ids_of(tokenizer, "다 더")]
    assert last == [None] * len(last) and pieces.ended and pieces.rest() is None


def test_a_stop_text_inside_a_token(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    token = max(range(256, len(tokenizer)), key=lambda one: len(tokenizer.decode([one]).strip("\ufffd")))
    text = tokenizer.decode([token])
    assert len(text) > 3
    pieces = Pieces(tokenizer, [text[1:3]])
    assert pieces.add(Chosen(token)) == Piece(text[0], 1) and pieces.ended


def test_log_probabilities_come_with_their_text_and_bytes(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    ids = ids_of(tokenizer, "뷁그만")
    other = ids_of(tokenizer, "a")[0]
    pieces = Pieces(tokenizer, ["그만"])
    found = [pieces.add(Chosen(token, -0.25, ((token, -0.25), (other, -2.0)))) for token in ids]
    shown = [piece for piece in found if piece]
    told = [one for piece in shown for one in piece.logprobs]
    assert text_of(shown) == "뷁" and pieces.ended
    # Every byte of the syllable, none of the stop text.
    assert bytes(byte for one in told for byte in one.bytes).decode() == "뷁"
    assert told[0].token == "\ufffd" and told[0].logprob == -0.25
    assert told[0].top[1] == ("a", (97,), -2.0)


@pytest.mark.parametrize("family", ["solar", "gemma2"])
def test_the_first_token_has_the_space_that_decode_gives_it(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    vocabulary = tokenizer.get_vocab()
    ids = [vocabulary["▁진"], vocabulary["▁진"]]
    pieces = run(tokenizer, ids)
    assert text_of(pieces) == tokenizer.decode(ids) == ("진 진" if family == "solar" else " 진 진")
    assert "".join(one.token for piece in pieces for one in piece.logprobs) == tokenizer.decode(ids)


def test_marks_for_the_model_are_no_text(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    mark = tokenizer.get_vocab()["<|im_start|>"]
    ids = ids_of(tokenizer, "네.")
    assert text_of(run(tokenizer, [mark, *ids, mark])) == "네."
    pieces = Pieces(tokenizer, ())
    assert pieces.add(Chosen(ids[0], ended="stop", closes=True)) is None and pieces.rest() is None
    # An id behind the vocabulary: heads are wider than tokenizers.
    assert run(tokenizer, [len(tokenizer) + 7])[0].text == ""


def test_a_decoder_that_we_cannot_read_is_asked_again_and_again() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = {"[UNK]": 0, "ab": 1, "##cd": 2, "ef": 3, ".": 4, "�": 5}
    core = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    core.decoder = decoders.WordPiece()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    assert not token_bytes(tokenizer).is_exact
    pieces = run(tokenizer, [1, 2, 3, 3])
    assert text_of(pieces) == tokenizer.decode([1, 2, 3, 3]) == "abcd ef ef" and len(pieces) == 4
    assert pieces[1].logprobs[0].bytes == tuple(tokenizer.decode([2]).encode())


def test_a_tokenizer_is_not_kept_by_its_bytes(tmp_path: Path) -> None:
    import gc
    import weakref

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(save_tokenizer(tmp_path, "qwen2_5")))
    text_of(run(tokenizer, ids_of(tokenizer, "네")))
    gone = weakref.ref(tokenizer)
    del tokenizer
    gc.collect()
    assert gone() is None
