"""BLEU and chrF++ of the corpus from counts per row: equal to sacrebleu's own, drawn again as a whole."""

from __future__ import annotations

import importlib.util
import unicodedata

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from dadeum.evaluation.answers.figures import Resampling, is_of_corpus, value_of
from dadeum.evaluation.metrics import bleu, chrf, chrf_pp
from tests.evaluation.metrics.summarizing import summarized

ANSWERS = ["고양이가 밥을 먹었다고 합니다.", "내일 서울역에서 만나기로 했습니다.", "", "비가 와서 경기가 취소되었다."]
FIRST = [
    "고양이가 물을 먹었다고 합니다.",
    "내일 아침 서울역에서 만나기로 합니다.",
    "표를 샀다.",
    "경기가 비 때문에 취소됐다.",
]
SECOND = ["고양이는 밥을 먹었습니다.", "서울역에서 만난다.", "표를 한 장 샀습니다.", "비가 와서 경기를 하지 못했다."]
NEEDS_MECAB = pytest.mark.skipif(not importlib.util.find_spec("mecab_ko"), reason="mecab-ko is not installed")


@NEEDS_MECAB
@pytest.mark.parametrize("columns", [[FIRST], [FIRST, SECOND]])
def test_bleu_is_that_of_sacrebleu(columns: list[list[str]]) -> None:
    asked = summarized(ANSWERS, list(zip(*columns, strict=True)))
    wanted = BLEU(tokenize="ko-mecab").corpus_score(ANSWERS, columns).score
    assert value_of("bleu", bleu.per_row(asked)["bleu"]) == pytest.approx(wanted / 100)
    assert 0.1 < wanted / 100 < 0.9
    signature = bleu.signature()
    assert signature is not None
    assert "ko-mecab" in signature


@pytest.mark.parametrize("columns", [[FIRST], [FIRST, SECOND]])
def test_chrf_pp_is_that_of_sacrebleu(columns: list[list[str]]) -> None:
    asked = summarized(ANSWERS, list(zip(*columns, strict=True)))
    wanted = CHRF(word_order=2).corpus_score(ANSWERS, columns).score
    assert value_of("chrf_pp", chrf_pp.per_row(asked)["chrf_pp"]) == pytest.approx(wanted / 100)


def test_rows_may_have_different_numbers_of_references() -> None:
    wanted = [[FIRST[0], SECOND[0]], [FIRST[1]]]
    both = chrf_pp.per_row(summarized(ANSWERS[:2], wanted))["chrf_pp"]
    for place, references in enumerate(wanted):
        alone = chrf_pp.per_row(summarized([ANSWERS[place]], [references]))["chrf_pp"]
        assert both[place].tolist() == alone[0].tolist()


def test_composed_and_decomposed_hangul_are_equal() -> None:
    nfd = unicodedata.normalize("NFD", FIRST[0])
    assert value_of("chrf_pp", chrf_pp.per_row(summarized([nfd], [[FIRST[0]]]))["chrf_pp"]) == pytest.approx(1)


def test_chrf_of_an_answer_is_sacrebleus_and_what_it_was_by_hand() -> None:
    assert chrf.chrf("가나", "가다") == pytest.approx(0.25)
    for answer, reference in zip(ANSWERS, FIRST, strict=True):
        assert chrf.chrf(answer, reference) == pytest.approx(CHRF().sentence_score(answer, [reference]).score / 100)


def test_a_corpus_figure_is_drawn_as_a_whole() -> None:
    """Every resample is the corpus figure of the rows drawn, worked out by sacrebleu itself for one of them."""
    asked = summarized(ANSWERS[:2] * 4, list(zip(FIRST[:2] * 4, strict=True)))
    counts = chrf_pp.per_row(asked)["chrf_pp"]
    found = Resampling([str(number) for number in range(8)], seed=1, samples=400).mean("chrf_pp", counts)
    assert found is not None
    one, other = (CHRF(word_order=2).corpus_score([ANSWERS[n]], [[FIRST[n]]]).score / 100 for n in range(2))
    assert min(one, other) - 1e-9 <= found.low < found.value < found.high <= max(one, other) + 1e-9
    assert found.value == pytest.approx(CHRF(word_order=2).corpus_score(ANSWERS[:2], [FIRST[:2]]).score / 100)


def test_a_paired_difference_of_a_corpus_figure() -> None:
    groups = Resampling([str(number) for number in range(8)], seed=1, samples=200)
    better = chrf_pp.per_row(summarized(FIRST[:2] * 4, list(zip(FIRST[:2] * 4, strict=True))))["chrf_pp"]
    worse = chrf_pp.per_row(summarized(SECOND[:2] * 4, list(zip(FIRST[:2] * 4, strict=True))))["chrf_pp"]
    found = groups.difference("chrf_pp", "higher", better, worse)
    assert found is not None
    assert found.value == pytest.approx(1 - CHRF(word_order=2).corpus_score(SECOND[:2], [FIRST[:2]]).score / 100)
    assert found.outcome == "better"
    assert groups.difference("chrf_pp", "higher", better, better) == found.model_copy(
        update={"value": 0.0, "low": 0.0, "high": 0.0, "outcome": "as_good"}
    )


def test_without_mecab_there_is_no_bleu_but_a_word_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bleu, "_scorer", lambda: None)
    asked = summarized(ANSWERS[:1])
    assert value_of("bleu", bleu.per_row(asked)["bleu"]) is None
    (notice,) = bleu.notices(asked)
    assert notice.key == "evaluate.metrics.bleu.no_package"
    assert bleu.signature() is None


def test_which_figures_are_of_the_corpus() -> None:
    assert is_of_corpus("bleu")
    assert is_of_corpus("chrf_pp")
    assert not is_of_corpus("rouge_l")
