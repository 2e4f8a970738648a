from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dadeum.core.tune import Range, Scalar
from dadeum.tuning.drawings import short_name
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.page import write_page
from dadeum.tuning.record import Search
from dadeum.tuning.strokes import Drawing, Scale, cut, scale_of, scale_of_values, wide
from tests.tuning.made_searches import F1, MEMORY, RATE, made_final, made_repeats, made_search
from tests.tuning.test_words import CASES

_EMPTY = {"meta", "link", "br", "input", "img", "hr"}


class Tags(HTMLParser):
    """Every element is closed by its own end."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def written(search: Search, folder: Path) -> str:
    html = write_page(search, SearchFolder(folder)).read_text(encoding="utf-8")
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    assert not re.search(r"(?:x|y|cx|cy|x1|y2)=\"(?:nan|inf|-inf)", html) and 'points="nan' not in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)
    assert len(re.findall("<script", html)) == 1
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    return html


def two_objectives() -> Search:
    search = made_search(24)
    tried = tuple(
        one.model_copy(update={"values": (*one.values, 2000.0 + 100 * (one.number % 5))} if one.values else {})
        for one in search.tried
    )
    return search.model_copy(update={"objectives": (F1, MEMORY), "tried": tried})


@pytest.mark.parametrize("name", CASES)
def test_every_outcome_has_its_page(name: str, tmp_path: Path) -> None:
    html = written(CASES[name], tmp_path)
    assert re.search(r'class="headline', html)


def test_the_page_of_a_whole_search(tmp_path: Path) -> None:
    search = made_search(20, final=made_final(), importances={RATE: 1.0})
    html = written(search.model_copy(update={"repeated": made_repeats(search, 0.02)}), tmp_path)
    for section in ("verdict", "settings", "tested", "repeats", "course", "keys", "trials", "method"):
        assert f'<section id="{section}"' in html
    for picture in ("history", "losses", "slice-0", "slice-1", "slice-2", "parallel", "repeats-picture"):
        assert f'role="img" aria-labelledby="{picture}"' in html
    assert html.count('class="line pruned"') == 3
    assert html.count('class="cross"') == 4  # once in the course, once for each of three settings
    assert "best.yaml" in html


def test_stairs_rise_to_the_best_value_and_no_further(tmp_path: Path) -> None:
    html = written(made_search(20), tmp_path)
    found = re.search(r'class="line best" points="([^"]+)"', html)
    assert found
    heights = [float(point.split(",")[1]) for point in found[1].split()]
    assert heights == sorted(heights, reverse=True) and heights[0] > heights[-1]


def test_several_objectives_are_drawn_with_their_front(tmp_path: Path) -> None:
    html = written(two_objectives(), tmp_path)
    assert '<section id="front"' in html and 'class="line front"' in html and 'class="dot beaten"' in html
    assert '<section id="front"' not in written(made_search(), tmp_path)


def test_a_search_half_done_shows_what_runs(tmp_path: Path) -> None:
    search = made_search(6, ended="running", winner=None)
    running = search.tried[-2].model_copy(update={"number": 6, "state": "running", "values": ()})
    html = written(search.model_copy(update={"tried": (*search.tried, running)}), tmp_path)
    assert "hollow running" in html and "line running" in html
    assert "dadeum run" not in html


def test_two_hundred_trials_with_an_outlier(tmp_path: Path) -> None:
    search = made_search(200)
    far = search.tried[17].model_copy(update={"values": (0.1,)})
    html = written(search.model_copy(update={"tried": (*search.tried[:17], far, *search.tried[18:])}), tmp_path)
    assert '<path class="dot" d="M' in html
    assert "<details>" in html.split('id="trials"')[1]


def test_what_comes_from_data_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    search = made_search(12)
    space: dict[str, Range | tuple[Scalar, ...]] = {
        f"stages.{evil}.x": (evil, "한국어 값", "다른 값"),
        RATE: (1e-4, 2e-4),
    }
    tried = tuple(
        one.model_copy(update={
            "params": {f"stages.{evil}.x": (evil, "한국어 값")[one.number % 2], RATE: 1e-4}, "reason": evil,
            "worker": evil,
        })
        for one in search.tried
    )  # fmt: skip
    final = made_final(sentences_ko=(evil,), sentences_en=(evil,), default_run=evil, tuned_run=evil)
    changes = {"name": evil, "study": evil, "pruner": evil, "space": space, "tried": tried, "final": final}
    repeated = tuple(one.model_copy(update={"failed": (evil,)}) for one in made_repeats(search, 0.01))
    html = written(search.model_copy(update=changes | {"repeated": repeated}), tmp_path / "a")
    assert "alert(1)</script>" not in html and "&lt;script&gt;alert(1)" in html and "한국어 값" in html


def test_the_page_is_the_same_bytes_again(tmp_path: Path) -> None:
    assert written(made_search(20), tmp_path) == written(made_search(20), tmp_path)


# -- scales ---------------------------------------------------------------------------------------
def test_a_logarithmic_axis_gives_powers_the_same_room() -> None:
    scale = scale_of(Range(low=1e-5, high=1e-3, log=True), [])
    low, middle, high = (scale.share(value) for value in (1e-5, 1e-4, 1e-3))
    assert low is not None and middle is not None and high is not None
    assert middle - low == pytest.approx(high - middle)
    assert [name for _, name in scale.marks()] == ["1e-05", "0.0001", "0.001"]


def test_an_axis_holds_own_values_outside_of_the_range() -> None:
    for over in (Range(low=1e-5, high=1e-3, log=True), Range(low=0, high=1)):
        share = scale_of(over, [5.0, None, "text"]).share(5.0)
        assert share is not None and 0 < share < 1
    assert scale_of(Range(low=1, high=2, log=True), [0.0]).share(0.0) is not None
    assert scale_of(("a", "b"), ["c", None]).names == ("a", "b", "c", "null")


def test_an_outlier_on_the_worse_side_does_not_flatten_the_rest() -> None:
    values = [0.90 + place / 1000 for place in range(20)]
    assert scale_of_values([*values, 0.1], 1).low > 0.8
    assert scale_of_values([*values, 0.1], -1).low < 0.1
    assert scale_of_values([*values, 5.0], -1).high < 1
    drawing = Drawing(Scale(0, 1), scale_of_values([*values, 0.1], 1))
    assert drawing.is_beyond(0.1) and drawing.at(0.5, 0.1) == (drawing.across(0.5), drawing.floor)


def test_whole_numbers_have_no_ticks_between_them() -> None:
    assert [name for _, name in scale_of(Range(low=1, high=3), []).marks(8)] == ["1", "2", "3"]


def test_one_value_has_an_axis() -> None:
    scale = scale_of_values([0.5])
    assert scale.low < 0.5 < scale.high and scale.marks()
    assert Scale(names=("a",)).share("b") is None


def test_long_names_are_cut_by_width() -> None:
    assert cut("short", 100) == "short"
    assert cut("한국어 코사인 스케줄러 이름", 60).endswith("…") and wide(cut("한국어 코사인 스케줄러 이름", 60)) <= 66


def test_a_short_name_tells_its_setting_from_the_others() -> None:
    space: dict[str, Range | tuple[Scalar, ...]] = {
        key: (1, 2) for key in ("stages.a.rate", "stages.b.rate", "model.r")
    }
    search = made_search(1, space=space)
    assert [short_name(key, search) for key in space] == ["a.rate", "b.rate", "r"]
