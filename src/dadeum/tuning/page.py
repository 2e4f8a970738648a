"""tune.html: what a search found and how sure that is, with its course, its settings and its trials.

One file that loads nothing, in both languages and the look of the report; written while the search goes on, too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from dadeum.core.pages import environment, printable, visible
from dadeum.core.run import write_text
from dadeum.core.words import MISSING, Words, duration, number, plain
from dadeum.tuning import choices, drawings, numbers, words
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.record import Search, Tried
from dadeum.tuning.words import say

_PACKAGE = "dadeum.tuning"
_MOST_OPEN = 12
_WARNING = ("worse", "none", "better_within_noise", "untested_within_noise")


def write_page(search: Search, folder: SearchFolder) -> Path:
    """The page of a search, over the one that may be there."""
    html = environment(_PACKAGE, "tune.page", "tune").get_template("tune.html.j2").render(_context(search, folder))
    write_text(folder.page_path, printable(html))
    return folder.page_path


def _context(search: Search, folder: SearchFolder) -> dict[str, Any]:
    return {
        "name": printable(search.name),
        "kind": say("kind"),
        "sections": {name: _heading(name, search) for name in _sections(search)},
        "search": search,
        "words": words,
        "visible": visible,
        "number": number,
        "duration": duration,
        "verdict": words.verdict(search),
        "is_warning": words.verdict(search) in _WARNING,
        "conclusion": words.conclusion(search),
        "sentences": words.sentences(search),
        "cautions": words.cautions(search),
        "best": numbers.trial(search, search.winner) or numbers.best(search),
        "gain": numbers.gain(search),
        "counted": Counter(one.state for one in search.tried),
        "folder": folder,
        "names": [drawings.short_name(key, search) for key in search.space],
        "least": numbers.LEAST_FOR_IMPORTANCES,
        "is_open": len(search.tried) <= _MOST_OPEN,
        "rows": [_row(one, search) for one in _ordered(search)],
    } | _drawn(search)  # fmt: skip


def _sections(search: Search) -> list[str]:
    """What there is to show of this search."""
    there = {
        "verdict": True,
        "settings": True,
        "tested": search.final is not None,
        "repeats": bool(search.repeated),
        "front": len(search.objectives) > 1 and bool(numbers.complete(search)),
        "course": bool(search.tried),
        "keys": bool(numbers.complete(search)),
        "trials": bool(search.tried),
        "method": True,
    }
    return [name for name, is_there in there.items() if is_there]


def _heading(name: str, search: Search) -> Words:
    is_open = name == "settings" and search.winner is None
    return say("section.settings_so_far") if is_open else say(f"section.{name}")


def _drawn(search: Search) -> dict[str, Any]:
    done = numbers.complete(search)
    return {
        "history": drawings.history("history", search) if search.tried else None,
        "losses": drawings.losses("losses", search),
        "num_beyond": drawings.num_beyond(search),
        "importances": search.importances or numbers.importances(search),
        "slices": drawings.slices("slice", search) if done else [],
        "parallel": drawings.parallel("parallel", search),
        "fronts": choices.fronts("front-picture", search) if done else [],
        "front": [one for one in done if one.number in (search.front or numbers.front(search))],
        "repeats": choices.repeats("repeats-picture", search),
    }


# -- the table of trials --------------------------------------------------------------------------
def _ordered(search: Search) -> list[Tried]:
    """The best first, then what did not come through, by number."""
    better = numbers.sign(search.objectives[0])
    done = sorted(numbers.complete(search), key=lambda one: (-better * one.values[0], one.number))
    kept = {one.number for one in done}
    return [*done, *sorted((one for one in search.tried if one.number not in kept), key=lambda one: one.number)]


def _row(one: Tried, search: Search) -> dict[str, Any]:
    pairs = zip(search.objectives, one.values, strict=False)
    values = [words.figure_text(objective.name, value) for objective, value in pairs]
    missing = [plain(MISSING)] * (len(search.objectives) - len(values))
    return {
        "trial": one,
        "state": say(f"state.{one.state}"),
        "values": [*values, *missing],
        "params": [words.value_text(one.params[key]) if key in one.params else MISSING for key in search.space],
        "seconds": duration(one.seconds),
        "memory": words.memory(one.peak_memory_mb),
        "marks": _marks(one, search),
        "is_winner": one.number == search.winner,
    }


def _marks(one: Tried, search: Search) -> list[Words]:
    """What is special about a trial."""
    marks = [say("mark.default")] if one.is_default else []
    marks += [say("mark.winner")] if one.number == search.winner else []
    marks += [say("mark.retries", number=one.retries)] if one.retries is not None else []
    return marks + (
        [say("mark.same_training", number=one.same_training_as)] if one.same_training_as is not None else []
    )
