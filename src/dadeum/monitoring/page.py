"""health.html: how the service did, whether its traffic drifts, what people said; one file that loads nothing.

Beside it health.json with every figure. Both languages stand in the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dadeum.core.pages import environment, printable, visible
from dadeum.core.run import write_json, write_text
from dadeum.core.words import Html, Words, number, percent
from dadeum.evaluation import charts
from dadeum.monitoring import plots, words
from dadeum.monitoring.summary import Health
from dadeum.monitoring.watch import Watched
from dadeum.monitoring.window import Window
from dadeum.monitoring.words import say

PAGE, RESULT = "health.html", "health.json"
_PACKAGE = "dadeum.monitoring"
_SECTIONS = ("verdict", "traffic", "answers", "drift", "feedback", "method")
_MOST_NAMES = 8


def write_health(found: Health, folder: Path) -> Path:
    """The page and health.json into a folder, which may be new; returns the page."""
    write_json(folder / RESULT, found.model_dump(mode="json"))
    html = environment(_PACKAGE, "monitoring", "health").get_template("health.html.j2").render(_context(found))
    write_text(folder / PAGE, printable(html))
    return folder / PAGE


def _context(found: Health) -> dict[str, Any]:
    zone = words.zone_of(found)
    local = [_local(window, zone) for window in found.days]
    return {
        "name": f"{_moment(found.since, zone)} – {_moment(found.until, zone)}",
        "kind": say("kind"),
        "sections": {name: say(f"section.{name}") for name in _SECTIONS},
        "found": found,
        "words": words,
        "visible": visible,
        "number": number,
        "percent": percent,
        "moment": lambda time: _moment(time, zone),
        "conclusion": words.conclusion(found),
        "alarms": [words.alarm(same, found, zone) for same in found.alarms],
        "cautions": words.cautions(found),
        "times": _times(found),
        "counted": _counted(found.total),
        "days": local,
        "volumes": plots.volumes("volumes", local, say("axis.requests")),
        "seconds": plots.times("seconds", local, say("axis.seconds")),
        "labels": _labels(found, local),
        "drifting": [_drifting(each, place, found, zone) for place, each in enumerate(_shown(found))],
        "reliability": _reliability(found),
    }


def _shown(found: Health) -> list[Watched]:
    """Alarms first, then what moved most."""

    def order(each: Watched) -> tuple[bool, float]:
        return not each.alarm, -(each.whole.psi.value if each.whole.psi else -1.0)

    return sorted(found.drift, key=order)


def _drifting(each: Watched, place: int, found: Health, zone: timezone) -> dict[str, Any]:
    rules = (found.rules.psi, found.rules.psi_large)
    has_chart = any(step.compared.psi for step in each.steps)
    return {
        "id": f"drift-{place}",
        "watched": each,
        "feature": words.feature_name(each.feature),
        "verdict": say(f"verdict.{'alarm' if each.alarm else each.whole.verdict}"),
        "chart": plots.drifting(f"drift-{place}", each, rules, say("axis.psi"), zone) if has_chart else None,
        "sides": plots.sides(f"sides-{place}", each.now, each.before, say("axis.share")),
    }


def _labels(found: Health, local: Sequence[Window]) -> list[tuple[str, Html]]:
    """A chart for every label but the last: of two, one says it."""
    names = list(found.total.labels)[:_MOST_NAMES]
    shown = names[:1] if len(names) == 2 else names
    return [(name, plots.shares(f"label-{place}", local, name, say("axis.share"))) for place, name in enumerate(shown)]


def _reliability(found: Health) -> Html | None:
    known = found.feedback.calibration
    if known is None:
        return None
    return charts.reliability("reliability", known.bins, (say("axis.confidence"), say("axis.right")))


def _times(found: Health) -> list[tuple[Words, list[str]]]:
    return [(say(f"time.{name}"), words.times_cells(times)) for name, times in found.total.times.items()]


def _counted(window: Window) -> list[tuple[Words, dict[str, int]]]:
    """Statuses, endings, routes, variants: what there is of each."""
    kinds: list[tuple[str, dict[Any, int]]] = [
        ("statuses", window.statuses),
        ("reasons", window.reasons),
        ("routes", window.routes),
        ("variants", window.variants),
    ]
    return [(say(f"counted.{name}"), {str(key): num for key, num in some.items()}) for name, some in kinds if some]


# -- times of day ---------------------------------------------------------------------------------
def _local(window: Window, zone: timezone) -> Window:
    return window.model_copy(update={name: getattr(window, name).astimezone(zone) for name in ("start", "end")})


def _moment(time: datetime, zone: timezone) -> str:
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M}"
