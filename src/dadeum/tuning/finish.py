"""The end of a search: who won beyond luck, best.yaml, and the one look at the test rows, beside the recipe as it was.

Every part finds on disk what it did before a kill: repeats by their outcome, the two runs by their steps.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dadeum import pipeline
from dadeum.core.errors import RunError
from dadeum.core.measured import Notice
from dadeum.core.messages import text
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Recipe
from dadeum.core.recipe_file import dump
from dadeum.core.run import Run, fingerprint, read_json, write_text
from dadeum.evaluation.scores import Gate
from dadeum.tuning import numbers
from dadeum.tuning.folder import SearchFolder
from dadeum.tuning.ground import Ground
from dadeum.tuning.objectives import examined, for_a_trial, read_values
from dadeum.tuning.record import Final, Objective, Search
from dadeum.tuning.repeats import choose, own_settings, reason_of, recipe_of, repeated, settings_of, with_own_settings
from dadeum.tuning.tested import on_test
from dadeum.tuning.trial import OnValidation, let_go
from dadeum.tuning.worker import MISTAKES

OWN_NOTICES = "tune.finish.notice."


def conclude(
    search: Search, recipe: Recipe, ground: Ground, folder: SearchFolder, progress: Progress = silent
) -> Search:
    """`search` with repeats, winner and test figures; best.yaml and both runs lie in `folder` then.

    Raises what training the winner raises. Where nothing came through, there is no winner and nothing is tested.
    """
    kept = tuple(notice for notice in search.notices if not notice.key.startswith(OWN_NOTICES))
    search = search.model_copy(update={"notices": kept, "repeated": (), "winner": None, "final": None})
    search = with_own_settings(search, recipe, ground, folder, progress)
    search = choose(repeated(search, recipe, ground, folder, progress))
    taken = numbers.trial(search, search.winner)
    if taken is None:
        return search
    best = recipe_of(recipe, taken)
    write_text(folder.best_path, _head(search) + dump(best))
    if search.winner_is_default:
        _set_aside(folder.best_run)
        shutil.rmtree(comparison_folder(folder), ignore_errors=True)
        _run(recipe, ground, folder.default_run, progress)
        return _with(search, _failed(folder.default_run))
    return _tested(search, recipe, best, ground, folder, progress)


def taken_run(search: Search, folder: SearchFolder) -> Path | None:
    """Where the taken recipe was trained and tested; None where nothing came through."""
    if search.winner is None:
        return None
    return folder.default_run if search.winner_is_default else folder.best_run


def failed_gates(run_folder: Path) -> list[Gate]:
    """Gates of the recipe that this run did not pass; none before it is evaluated."""
    path = Run(run_folder).scores_path
    gates = [Gate.model_validate(gate) for gate in read_json(path)["gates"]] if path.is_file() else []
    return [gate for gate in gates if not gate.passed]


def comparison_folder(folder: SearchFolder) -> Path:
    """The two runs beside each other, as `dadeum compare` writes it."""
    return folder.path / "comparison"


def _with(search: Search, notices: Sequence[Notice]) -> Search:
    return search.model_copy(update={"notices": (*search.notices, *notices)})


# -- test rows --------------------------------------------------------------------------------------
def _tested(
    search: Search, recipe: Recipe, best: Recipe, ground: Ground, folder: SearchFolder, progress: Progress
) -> Search:
    """Winner first: if the recipe's own settings cannot be trained, it is there all the same."""
    tuned = _run(best, ground, folder.best_run, progress)
    search = _with(search, [*_tested_before(folder.best_run), *_failed(folder.best_run)])
    again = _reproduced(best, ground, tuned, folder, search.objectives, progress)
    try:
        default = _run(recipe, ground, folder.default_run, progress)
    except MISTAKES as error:
        let_go()
        return _with(search, [Notice(key=f"{OWN_NOTICES}own_failed", values={"reason": reason_of(error)})])
    search = _with(search, _failed(folder.default_run))
    final = Final(
        default_run=folder.default_run.name, tuned_run=folder.best_run.name, num_test=ground.rows["test"], tested=(),
        reproduced=again,
    )  # fmt: skip
    try:
        found = on_test(recipe, default, tuned, search.objectives)
    except RunError as error:
        # Another template or tokenizer writes other prompts: `compare` refuses rows that are not the same.
        notice = Notice(key=f"{OWN_NOTICES}not_compared", values={"reason": reason_of(error)})
        return _with(search.model_copy(update={"final": final}), [notice])
    _write_comparison(default, tuned, folder)
    said = {"sentences_ko": found.sentences["ko"], "sentences_en": found.sentences["en"]}
    final = final.model_copy(update={"num_test": found.num_rows, "tested": found.tested, **said})
    return _with(search.model_copy(update={"final": final}), found.notices)


def _run(recipe: Recipe, ground: Ground, path: Path, progress: Progress) -> Run:
    """The whole product on the rows of the search; what is done already is not done again."""
    if Run(path).recipe_path.is_file() and not _is_of(path, recipe):
        _set_aside(path)
    run = ground.give(recipe, path)
    _settle(recipe, run)
    pipeline.run(recipe, run, progress)
    let_go()
    return run


def _settle(recipe: Recipe, run: Run) -> None:
    """The rows were built and checked where the trials began: the same work under other settings is not done again."""
    manifest = run.manifest()
    inputs = {"data.build": pipeline.data_inputs(recipe), "data.check": pipeline.check_inputs(recipe, run)}
    for name, given in inputs.items():
        if manifest["steps"].get(name, {}).get("status") == "done":
            manifest["steps"][name]["inputs"] = fingerprint(given)
    run.write_manifest(manifest)


def _is_of(path: Path, recipe: Recipe) -> bool:
    return settings_of(Run(path).recipe()) == settings_of(recipe)


def _set_aside(path: Path) -> None:
    """A run of an earlier winner: what test rows were shown to is kept and counted, the rest goes."""
    if not path.exists():
        return
    if not Run(path).scores_path.is_file():
        shutil.rmtree(path)
        return
    path.rename(path.with_name(f"{path.name}-{len(_earlier(path)) + 1}"))


def _earlier(path: Path) -> list[Path]:
    return [one for one in path.parent.glob(f"{path.name}-*") if one.name.removeprefix(f"{path.name}-").isdecimal()]


def _tested_before(path: Path) -> list[Notice]:
    """A search that went on after its end has seen the test rows more than once."""
    num = len(_earlier(path))
    return [Notice(key=f"{OWN_NOTICES}tested_before", values={"num": num})] if num else []


def _failed(path: Path) -> list[Notice]:
    return [
        Notice(
            key=f"{OWN_NOTICES}gate_failed",
            values={
                "run": path.name,
                "metric": gate.metric,
                "condition": gate.condition,
                "value": "-" if gate.value is None else f"{gate.value:.3f}",
            },
        )
        for gate in failed_gates(path)
    ]


def _write_comparison(default: Run, tuned: Run, folder: SearchFolder) -> None:
    from dadeum.evaluation.comparison.page import write_comparison
    from dadeum.evaluation.comparison.several import compare_runs

    write_comparison(compare_runs([default, tuned]), comparison_folder(folder))


# -- the same figure again --------------------------------------------------------------------------
def _reproduced(
    best: Recipe, ground: Ground, tuned: Run, folder: SearchFolder, objectives: Sequence[Objective], progress: Progress
) -> float:
    """The first objective of the weights that were trained anew, judged on validation rows as a trial is."""
    from dadeum.evaluation.evaluate import evaluate

    recipe = for_a_trial(best, objectives[:1])
    target = folder.path / "reproduced"
    if target.exists() and not _is_of(target, recipe):
        shutil.rmtree(target)
    run = ground.give(recipe, target)
    run.record("training", tuned.manifest()["training"])
    _lend(tuned, run)
    if examined(objectives[:1]):
        inputs = [pipeline.weights_hash(best, tuned), settings_of(recipe)]
        judged = OnValidation(run.folder)
        run.step("evaluate", inputs, lambda: evaluate(recipe, judged, progress), outputs=[run.scores_path])
        let_go()
    return read_values(recipe, run, objectives[:1])[0]


def _lend(owner: Run, borrower: Run) -> None:
    """The weights by name; a copy where links are not to be had."""
    target = borrower.folder / "stages"
    if target.is_symlink():
        target.unlink()
    shutil.rmtree(target, ignore_errors=True)
    try:
        way = os.path.relpath((owner.folder / "stages").resolve(), target.parent.resolve())
        target.symlink_to(way, target_is_directory=True)
    except OSError:
        shutil.copytree(owner.folder / "stages", target)


# -- best.yaml --------------------------------------------------------------------------------------
def _head(search: Search) -> str:
    """What the file is, Korean first: from which search, how good on which rows, what differs from the recipe."""
    lines = [line for language in ("ko", "en") for line in _head_in(search, language)]
    return "".join(f"# {line}\n" for line in lines)


def _head_in(search: Search, language: Literal["ko", "en"]) -> list[str]:
    taken, own = numbers.trial(search, search.winner), own_settings(search)
    assert taken is not None
    first, by_mean = search.objectives[0], {one.number: one for one in search.repeated}
    known = {"name": search.name, "study": search.study, "number": taken.number, "num": len(search.tried)}
    lines = [text(f"tune.finish.head.{'own' if search.winner_is_default else 'found'}", language, **known)]
    values = {"metric": first.name, "value": f"{taken.values[0]:.4g}", "rows": search.num_validation}
    lines.append(text("tune.finish.head.measured", language, **values))
    if taken.number in by_mean:
        found = by_mean[taken.number]
        said = {"num": len(found.values), "mean": f"{found.mean:.4g}", "spread": f"{found.spread:.2g}"}
        lines.append(text("tune.finish.head.repeated", language, **said))
    if not search.winner_is_default and own is not None and own.values:
        lines.append(text("tune.finish.head.own_value", language, metric=first.name, value=f"{own.values[0]:.4g}"))
    for key, value in taken.params.items() if not search.winner_is_default else ():
        before = search.defaults.get(key)
        if key not in search.defaults or before != value:
            # As JSON: a value of several lines must not leave its comment.
            shown = {"before": json.dumps(before, ensure_ascii=False), "value": json.dumps(value, ensure_ascii=False)}
            lines.append(text("tune.finish.head.changed", language, key=key, **shown))
    return [*lines, text("tune.finish.head.use", language)]
