"""`dadeum tune`: a search for better settings, on validation rows, the winner tested once against the recipe's own."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadeum.continuing import load_continuing
from dadeum.core.errors import RecipeError, RunError
from dadeum.core.messages import current_language, text
from dadeum.core.recipe import Recipe
from dadeum.core.words import duration
from dadeum.targets import Adapter, DataFile, Override, Profile, preflight, writable
from dadeum.terminal import Told, bars, out, say

if TYPE_CHECKING:
    from dadeum.planning import Plan
    from dadeum.tuning.folder import SearchFolder
    from dadeum.tuning.record import Search
    from dadeum.tuning.search import Asked
    from dadeum.tuning.supervise import State

app = typer.Typer()
_TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m?)?")
_EVERY_S = 30.0
"""On a pipe a line is written when something ended, or after so long."""


@app.command(help=text("tune.help.tune"))
def tune(
    recipe: Annotated[str | None, typer.Argument(help=text("cli.help.recipe"))] = None,
    profile: Profile = None,
    data: DataFile = None,
    set_: Override = None,
    adapter: Adapter = None,
    trials: Annotated[int | None, typer.Option(min=1, help=text("tune.help.trials"))] = None,
    timeout: Annotated[str | None, typer.Option(help=text("tune.help.timeout"))] = None,
    workers: Annotated[int, typer.Option(min=1, help=text("tune.help.workers"))] = 1,
    repeat: Annotated[int | None, typer.Option(min=1, help=text("tune.help.repeat"))] = None,
    storage: Annotated[str | None, typer.Option(help=text("tune.help.storage"))] = None,
    study: Annotated[str | None, typer.Option(help=text("tune.help.study"))] = None,
    resume: Annotated[Path | None, typer.Option(help=text("tune.help.resume"))] = None,
    folder: Annotated[Path | None, typer.Option("--out", help=text("tune.help.out"))] = None,
) -> None:
    from dadeum.tuning.search import Asked

    budget = {"trials": trials, "timeout_minutes": _minutes(timeout), "repeat": repeat}
    asked = Asked(workers, storage, study)
    if (recipe is None) == (resume is None):
        raise RecipeError("cli.recipe_or_resume")
    if resume is None:
        loaded = _budgeted(load_continuing(str(recipe), profile, tuple(set_ or ()), data, adapter), budget)
        place = _begun(loaded, folder, asked)
        with place.held():
            _search(loaded, place, asked)
    else:
        _resumed(resume, budget, asked, [profile, data, set_, adapter, folder])


def _budgeted(recipe: Recipe, budget: dict[str, Any]) -> Recipe:
    from dadeum.tuning.space import tune_of

    given = {name: value for name, value in budget.items() if value is not None}
    return recipe.model_copy(update={"tune": tune_of(recipe).model_copy(update=given)})


def _begun(recipe: Recipe, folder: Path | None, asked: Asked) -> SearchFolder:
    """The plan first, then what the search will cost; a folder only when nothing is wrong."""
    from dadeum.tuning.search import begin, check
    from dadeum.tuning.study import open_storage

    check(recipe)
    if asked.storage:
        open_storage(asked.storage, asked.pace)
    _say_budget(recipe, preflight(recipe), asked.workers)
    place = begin(recipe, writable(folder or Path("runs") / recipe.name / f"tune-{datetime.now():%Y%m%d-%H%M%S}"))
    say("tune.running", name=recipe.name, folder=place.path)
    return place


def _say_budget(recipe: Recipe, plan: Plan, workers: int) -> None:
    """What the search will cost, and what its settings will not do as one might think."""
    from dadeum.tuning.space import num_settings, tune_of
    from dadeum.tuning.surprises import surprises

    tune = tune_of(recipe)
    many = num_settings(tune)
    num = int(min(tune.trials, many))
    if not math.isinf(many):
        say("tune.countable", settings=f"{many:,.0f}")
    told = {"trials": num, "workers": workers}
    seconds = [stage.seconds for stage in plan.stages]
    if None in seconds or not seconds:
        say("tune.budget_unknown", **told)
    else:
        each = sum(second or 0.0 for second in seconds)
        whole = each * num / workers
        language = current_language()
        say("tune.budget", each=duration(each).get(language), whole=duration(whole).get(language), **told)
    for key, values in surprises(recipe):
        say(key, **values)


def _resumed(path: Path, budget: dict[str, Any], asked: Asked, others: list[object]) -> None:
    """A larger budget may be given; what is searched stays."""
    from dadeum.core.recipe_file import dump
    from dadeum.core.run import write_text
    from dadeum.tuning.search import located, reopen

    if any(other is not None for other in others):
        raise RecipeError("tune.resume_alone")
    recipe, place = reopen(path)
    asked = located(place, asked)
    with place.held():
        recipe = _budgeted(recipe, budget)
        write_text(place.recipe_path, dump(recipe))
        say("tune.resuming", folder=path)
        _search(recipe, place, asked)


def _search(recipe: Recipe, place: SearchFolder, asked: Asked) -> None:
    from dadeum.tuning import search
    from dadeum.tuning.objectives import objectives_of
    from dadeum.tuning.words import closing

    try:
        with bars() as progress, _shown(objectives_of(recipe)[0].name) as told:
            found = search.tune(recipe, place, asked, progress, told)
    except KeyboardInterrupt as stop:
        again = f"dadeum tune --resume {place.path}{' --storage …' if asked.storage else ''}"
        if search.look_back(recipe, place, asked) is None:
            say("tune.interrupted_early", again=again)
        else:
            say("tune.interrupted", again=again, page=place.page_path)
        raise Told(130) from stop
    if found is None:
        say("tune.elsewhere", study=place.state()["study"])
        return
    out.print()
    for line in closing(found):
        out.print(line.get(current_language()), markup=False, soft_wrap=True)
    say("tune.written", path=place.page_path)
    if found.winner is None:
        raise RunError("tune.nothing_came_through", folder=place.path, reason=_reason(found))
    say("tune.best_is_own" if found.winner_is_default else "tune.best", path=place.best_path)
    _judge(found, place)


def _judge(found: Search, place: SearchFolder) -> None:
    """Exit code 1 where the recipe that was taken does not reach what it demands itself."""
    from dadeum.tuning.finish import failed_gates, taken_run

    taken = taken_run(found, place)
    failed = failed_gates(taken) if taken is not None else []
    for gate in failed:
        value = "-" if gate.value is None else f"{gate.value:.3f}"
        say("cli.gate_failed", metric=gate.metric, condition=gate.condition, value=value)
    if failed:
        raise typer.Exit(1)


def _reason(found: Search) -> str:
    return next((tried.reason for tried in found.tried if tried.reason), "-")


@contextmanager
def _shown(metric: str) -> Iterator[Any]:
    """One line that is written over in a terminal; on a pipe a line whenever something has ended."""
    last: tuple[int, float] = (-1, time.monotonic())

    def told(state: State) -> None:
        nonlocal last
        ended = state.complete + state.pruned + state.failed
        if out.is_terminal:
            status.update(_line(state, metric))
        elif ended != last[0] or time.monotonic() - last[1] > _EVERY_S:
            last = (ended, time.monotonic())
            out.print(_line(state, metric), markup=False, soft_wrap=True)

    with out.status("") as status:
        yield told


def _line(state: State, metric: str) -> str:
    best = "-" if state.best is None else f"{state.best:.4g} (#{state.best_number})"
    left = "-" if state.seconds_left is None else duration(state.seconds_left).get(current_language())
    ended = state.complete + state.pruned + state.failed
    counts = {"complete": state.complete, "pruned": state.pruned, "failed": state.failed, "running": state.running}
    return text("tune.progress", ended=ended, trials=state.trials, metric=metric, best=best, left=left, **counts)


def _minutes(given: str | None) -> float | None:
    """`90`, `90m`, `2h`, `1h30m` in minutes."""
    if given is None:
        return None
    found = _TIME.fullmatch(given.strip().lower())
    minutes = 60 * float(found[1] or 0) + float(found[2] or 0) if found else 0.0
    if minutes <= 0:
        raise RecipeError("tune.bad_timeout", given=given)
    return minutes
