"""The best settings again with other seeds: what luck moves a figure by, before one of them is called better.

A repeat is a trial on the same rows. What it came to is kept in its folder, so that a killed search goes on here; a
seed that failed is tried again then. Weights leave with the seed, since settings that train alike share them.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from dadeum.core.errors import DadeumError, first_line
from dadeum.core.measured import Notice
from dadeum.core.messages import current_language, text
from dadeum.core.progress import Progress
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, fingerprint, read_json, write_json
from dadeum.pipeline import data_hashes
from dadeum.tuning import numbers
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.record import Objective, Repeated, Search, Tried
from dadeum.tuning.space import changed, tune_of
from dadeum.tuning.trial import forget_weights, let_go, run_trial
from dadeum.tuning.worker import MISTAKES

_CAME_TO = "outcome.json"


def recipe_of(recipe: Recipe, tried: Tried) -> Recipe:
    """What a trial ran: the recipe itself, or with the trial's values."""
    return recipe if tried.is_default else changed(recipe, tried.params)


def ranked(search: Search) -> list[Tried]:
    """Trials that came through, the best of the first objective first; of equals the earlier."""
    better = numbers.sign(search.objectives[0])
    return sorted(numbers.complete(search), key=lambda one: (-better * one.values[0], one.number))


def own_settings(search: Search) -> Tried | None:
    """The trial of the recipe's own settings; the one that came through, where a dead worker's was done again."""
    tried = [one for one in search.tried if one.is_default]
    return next((one for one in tried if one.state == "complete"), tried[0] if tried else None)


def with_own_settings(
    search: Search, recipe: Recipe, ground: Ground, folder: SearchFolder, progress: Progress
) -> Search:
    """`search` with a trial of the recipe's own settings, run now where they lie outside of what was searched.

    Whatever is found must beat them; the trial gets the next free number.
    """
    if own_settings(search) is not None or not ranked(search):
        return search
    progress("tune.finish.progress.own", 0, 1)
    number = max(one.number for one in search.tried) + 1
    found = Tried(number=number, params=search.defaults, state="failed", is_default=True)
    came_to = _came_to(recipe, folder.path / "own", ground, search.objectives)
    forget_weights(folder.path / "own")
    progress("tune.finish.progress.own", 1, 1)
    update = {"reason": came_to} if isinstance(came_to, str) else {"state": "complete", "values": came_to}
    notice = Notice(key="tune.finish.notice.own_outside", values={"number": number})
    tried = (*search.tried, found.model_copy(update=update))
    search = search.model_copy(update={"tried": tried, "notices": (*search.notices, notice)})
    return search.model_copy(update={"front": numbers.front(search)}) if search.front else search


# -- running ----------------------------------------------------------------------------------------
def repeated(search: Search, recipe: Recipe, ground: Ground, folder: SearchFolder, progress: Progress) -> Search:
    """`search` with its best settings run again, as often as the recipe says."""
    tune = tune_of(recipe)
    best = ranked(search)[: tune.top]
    if tune.repeat == 1 or not best:
        return search
    own = own_settings(search)
    settings = [*best, *([own] if own is not None and own not in best else [])]
    seeds = tuple(recipe.seed + more for more in range(tune.repeat))
    values: dict[tuple[int, int], float | str] = {}
    for done, seed in enumerate(seeds):
        progress("tune.finish.progress.repeats", done, len(seeds))
        for tried in settings:
            known = seed == recipe.seed and tried.state == "complete"
            values[tried.number, seed] = (
                tried.values[0] if known else _value(tried, seed, recipe, ground, folder, search.objectives)
            )
        for tried in settings:
            forget_weights(folder.repeat(tried.number, seed))
    progress("tune.finish.progress.repeats", len(seeds), len(seeds))
    return _told(search, [tried.number for tried in settings], seeds, values)


def _told(
    search: Search, settings: Sequence[int], seeds: tuple[int, ...], values: Mapping[tuple[int, int], float | str]
) -> Search:
    found: list[Repeated] = []
    notices: list[Notice] = []
    for number in settings:
        each = [values[number, seed] for seed in seeds]
        measured = tuple(value for value in each if not isinstance(value, str))
        failed = tuple(
            text("tune.finish.seed_failed", seed=seed, reason=value)
            for seed, value in zip(seeds, each, strict=True)
            if isinstance(value, str)
        )
        if len(measured) < 2:
            said: dict[str, str | int | float] = {"number": number, "num": len(seeds), "reasons": " / ".join(failed)}
            notices.append(Notice(key="tune.finish.notice.not_repeated", values=said))
            continue
        mean, spread = statistics.fmean(measured), statistics.stdev(measured)
        found.append(Repeated(number=number, seeds=seeds, values=measured, mean=mean, spread=spread, failed=failed))
    return search.model_copy(update={"repeated": tuple(found), "notices": (*search.notices, *notices)})


def _value(
    tried: Tried, seed: int, recipe: Recipe, ground: Ground, folder: SearchFolder, objectives: Sequence[Objective]
) -> float | str:
    """Of the first objective; where the run failed, why."""
    again = with_seed(recipe_of(recipe, tried), seed)
    came_to = _came_to(again, folder.repeat(tried.number, seed), ground, objectives)
    return came_to if isinstance(came_to, str) else came_to[0]


def _came_to(recipe: Recipe, target: Path, ground: Ground, objectives: Sequence[Objective]) -> tuple[float, ...] | str:
    """A trial outside of the study, or what it came to before; where it failed, why."""
    mark = fingerprint([settings_of(recipe), [one.name for one in objectives], data_hashes(ground.run)])
    known = read_json(target / _CAME_TO) if (target / _CAME_TO).is_file() else {}
    if known.get("fingerprint") == mark:
        return tuple(known["values"])
    _clear(target, recipe)
    try:
        values = run_trial(recipe, ground, target, objectives).values
    except MISTAKES as error:
        return reason_of(error)
    finally:
        let_go()
    write_json(target / _CAME_TO, {"fingerprint": mark, "values": values})
    return values


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """Another training on the same rows."""
    data = recipe.data.model_copy(update={"seed": recipe.data_seed})
    return recipe.model_copy(update={"seed": seed, "data": data})


def reason_of(error: BaseException) -> str:
    """Why a run failed, in the user's language."""
    return error.in_language(current_language()) if isinstance(error, DadeumError) else first_line(error)


def settings_of(recipe: Recipe) -> dict[str, object]:
    """What a run is made from: how long was searched is no part of it."""
    return recipe.model_dump(mode="json", exclude={"tune"})


def _clear(target: Path, recipe: Recipe) -> None:
    """A folder that was begun with other settings; one of these settings goes on."""
    run = Run(target)
    begun = run.recipe_path.is_file() and run.manifest_path.is_file()
    if begun and _trained_by(run.recipe()) == _trained_by(recipe):
        return
    shutil.rmtree(target, ignore_errors=True)


def _trained_by(recipe: Recipe) -> dict[str, object]:
    """A trial evaluates less than the recipe says, and says so in its folder."""
    return {name: value for name, value in settings_of(recipe).items() if name != "evaluate"}


# -- who won ----------------------------------------------------------------------------------------
def choose(search: Search) -> Search:
    """`search` with its winner. The recipe's own settings keep their place unless another's figure is better."""
    own = own_settings(search)
    if search.repeated:
        winner: int | None = _best_mean(search, own.number if own else None)
    else:
        best = ranked(search)
        winner = best[0].number if best else None
        if own is not None and own in best and own.values[0] == best[0].values[0]:
            winner = own.number
    is_default = own is not None and winner == own.number
    return search.model_copy(update={"winner": winner, "winner_is_default": is_default})


def _best_mean(search: Search, own: int | None) -> int:
    """Settings of which a seed failed are taken only where none came through whole."""
    whole = [one for one in search.repeated if not one.failed] or list(search.repeated)
    better = numbers.sign(search.objectives[0])
    return min(whole, key=lambda one: (-better * one.mean, one.number != own, one.number)).number
