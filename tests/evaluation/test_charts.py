import re

import pytest

from dadeum.core.measured import Measured
from dadeum.core.words import Words
from dadeum.evaluation import charts
from dadeum.evaluation.charts import Plot
from dadeum.evaluation.scores import Bin

TITLES = (Words("가로", "across"), Words("세로", "up"))


def points(svg: str, style: str) -> list[tuple[float, float]]:
    """Coordinates of the polyline with exactly this class."""
    found = re.search(rf'<polyline class="{style}" points="([^"]*)"', svg)
    assert found, f"no {style} in {svg}"
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_plot_turns_data_into_coordinates() -> None:
    # 100 wide with 10 left and right of it: 80 for 0..4; 60 high with 10 above and 20 below: 30 for 0..3.
    plot = Plot((0, 4), (0, 3), width=100, height=60, left=10, right=10, top=10, bottom=20)
    assert (plot.x(0), plot.x(1), plot.x(4)) == (10, 30, 90)
    assert (plot.y(0), plot.y(1), plot.y(3)) == (40, 30, 10)


def test_plot_of_a_single_value_draws_in_the_middle() -> None:
    assert Plot((5, 5), (0, 1), width=100, left=0, right=0).x(5) == 50


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 200, [0, 50, 100, 150, 200]),
        (0, 2.5, [0, 0.5, 1, 1.5, 2, 2.5]),
        (0, 0.03, [0, 0.01, 0.02, 0.03]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "expected"), [(2.31, 2.5), (0.9, 1.0), (1, 1.0), (0, 1.0), (137, 150)])
def test_an_axis_ends_at_a_tick_above_the_largest_value(value: float, expected: float) -> None:
    assert charts.round_up(value) == pytest.approx(expected)


def test_learning_curve_by_hand() -> None:
    svg = charts.learning_curve("c", [(0, 2.0), (100, 1.0)], [(50, 1.5), (100, 0.5)], (100, 0.5), TITLES)
    # 520 × 300, margins 44 10 12 44: x = 44 + 466 · step / 100, y = 256 − 244 · loss / 1.5.
    # The first loss, 2.0, is above the end of the axis.
    assert points(svg, "line train") == [(44.0, 12.0), (510.0, 93.3)]
    assert points(svg, "line tuned") == [(277.0, 12.0), (510.0, 174.7)]
    assert '<circle class="ring" cx="510.0" cy="174.7"' in svg
    assert "0.500" in svg
    assert 'role="img" aria-labelledby="c"' in svg


def test_the_first_tenth_does_not_flatten_the_rest_of_the_curve() -> None:
    train = [(step, 3.0 if step <= 10 else 0.2) for step in range(1, 101)]
    assert charts.loss_top(train, [(50, 0.18)]) == charts.round_up(0.2)
    assert charts.loss_top(train, [(50, 0.9)]) == charts.round_up(0.9)
    assert charts.loss_top([(1, 2.0)], []) == charts.round_up(2.0)
    svg = str(charts.learning_curve("c", train, [(50, 0.18)], None, TITLES))
    heights = [float(pair.split(",")[1]) for pair in re.findall(r"[\d.]+,[\d.]+", svg)]
    assert min(heights) >= 0


def test_learning_curve_without_a_single_log() -> None:
    svg = charts.learning_curve("c", [], [], None, TITLES)
    assert "polyline" not in svg
    assert "ring" not in svg


def test_roc_curve_by_hand() -> None:
    svg = charts.curve("c", [("tuned", [(0, 0), (0.5, 1), (1, 1)]), ("tfidf", [(0, 0), (1, 1)])], TITLES, "diagonal")
    # 360 × 330: x = 44 + 306 · rate, y = 286 − 274 · rate.
    assert points(svg, "line tuned") == [(44.0, 286.0), (197.0, 12.0), (350.0, 12.0)]
    assert '<line class="chance" x1="44.0" y1="286.0" x2="350.0" y2="12.0"/>' in svg
    assert svg.index("line tfidf") < svg.index("line tuned"), "the tuned model is drawn on top"


def test_precision_of_guessing_is_a_level_line() -> None:
    svg = charts.curve("c", [("tuned", [(0, 1), (1, 0.5)])], TITLES, "0.5")
    assert '<line class="chance" x1="44.0" y1="149.0" x2="350.0" y2="149.0"/>' in svg


def test_reliability_draws_only_bins_with_rows() -> None:
    bins = [
        Bin(low=0.8, high=0.9, count=0, confidence=0, accuracy=0),
        Bin(low=0.9, high=1.0, count=1234, confidence=0.95, accuracy=0.5),
    ]
    svg = charts.reliability("c", bins, TITLES)
    # 360 × 330, top 22: x = 44 + 306 · c, y = 286 − 264 · a; bars keep 1.5 free on each side.
    assert svg.count('class="bar"') == 1
    assert '<rect class="bar" x="320.9" y="154.0" width="27.6" height="132.0"/>' in svg
    assert '<line class="stated" x1="320.9" y1="35.2" x2="348.5" y2="35.2"/>' in svg
    assert ">1,234<" in svg


def test_interval_is_drawn_in_per_cent_of_its_box() -> None:
    svg = charts.interval(Measured(value=0.5, low=0.25, high=0.875), "tuned")
    assert 'x1="25.0%" x2="87.5%"' in svg
    assert 'cx="50.0%"' in svg


def test_interval_without_ends_is_a_dot() -> None:
    svg = charts.interval(Measured(value=0.5, low=float("nan"), high=float("nan")), "tuned")
    assert 'x1="50.0%" x2="50.0%"' in svg
    assert "nan" not in svg


def test_thinned_joins_neighbours_and_keeps_short_series() -> None:
    assert charts.thinned([(1, 2), (2, 4)]) == [(1, 2), (2, 4)]
    assert charts.thinned([(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0), (5, 1.0)], limit=3) == [
        (1.5, 3.0), (3.5, 7.0), (5, 1.0),
    ]  # fmt: skip
    assert len(charts.thinned([(step, 0.0) for step in range(100_000)])) <= 300
    assert charts.thinned([]) == []


def test_titles_stand_in_both_languages_and_are_escaped() -> None:
    svg = charts.curve("c", [], (Words("<가로>", "<across>"), TITLES[1]), "diagonal")
    assert '<tspan lang="ko">&lt;가로&gt;</tspan><tspan lang="en">&lt;across&gt;</tspan>' in svg
    assert "<across>" not in svg


def test_bar_never_leaves_its_box() -> None:
    assert 'width="100.0%" height="10"' in charts.bar(1.7)
    assert 'width="0.0%" height="10"' in charts.bar(-1)
