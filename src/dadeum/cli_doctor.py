"""`dadeum doctor`: does a model still begin its answers by what it was asked? A run, an adapter, or a model as it is.

Exit codes: 0 better than the gate, 1 the verdict reaches it, 2 a mistake the user can correct.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dadeum.core.errors import ModelError, RecipeError, first_line
from dadeum.core.measured import Notice
from dadeum.core.messages import text
from dadeum.core.model import Model, NoAdapter
from dadeum.core.pages import printable
from dadeum.core.recipe import Recipe, StartPatterns
from dadeum.core.run import Run, write_json
from dadeum.targets import writable
from dadeum.terminal import bars, out, prepare_models, say

if TYPE_CHECKING:
    from dadeum.starts.examine import Limits
    from dadeum.starts.prompts import Asked
    from dadeum.starts.result import Starts

app = typer.Typer()
_MOST = 200
"""Test questions of a run that are asked, evenly over them: as many as its report is made from."""
_COLOURS = {"healthy": "green", "at_risk": "yellow", "collapsed": "red"}


class Gate(StrEnum):
    """The mildest verdict that fails."""

    at_risk = "at_risk"
    collapsed = "collapsed"

    def fails(self, verdict: str) -> bool:
        return verdict == "collapsed" or verdict == self.value


@dataclass(frozen=True)
class Subject:
    """What is examined."""

    recipe: Recipe
    weights: Path | None
    """None: the model as it is."""
    name: str
    """Of the folder that the page is written to."""
    run: Run | None = None
    """Where it was trained, which tells what was not trained on, and what was."""
    notices: list[Notice] = field(default_factory=list)


@app.command(help=text("cli.doctor.help"))
def doctor(
    run_folder: Annotated[Path | None, typer.Argument(metavar="RUN", help=text("cli.doctor.run"))] = None,
    model: Annotated[str | None, typer.Option("--model", help=text("cli.doctor.model"))] = None,
    adapter: Annotated[Path | None, typer.Option("--adapter", help=text("cli.doctor.adapter"))] = None,
    prompts: Annotated[Path | None, typer.Option("--prompts", help=text("cli.doctor.prompts"))] = None,
    taught: Annotated[Path | None, typer.Option("--taught", help=text("cli.doctor.taught"))] = None,
    answers: Annotated[int | None, typer.Option(min=1, help=text("cli.doctor.answers"))] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help=text("cli.doctor.max_new_tokens"))] = None,
    base: Annotated[bool, typer.Option("--base/--no-base", help=text("cli.doctor.base"))] = True,
    folder: Annotated[Path | None, typer.Option("--out", help=text("cli.doctor.out"))] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help=text("cli.doctor.json"))] = None,
    gate: Annotated[Gate, typer.Option(help=text("cli.doctor.gate"))] = Gate.collapsed,
) -> None:
    prepare_models()
    from dadeum.starts.examine import Limits
    from dadeum.starts.page import RESULT, write_starts

    subject = _subject(run_folder, model, adapter)
    asked = _asked(subject, prompts)
    lessons = _taught(subject, taught)
    target = writable(folder or Path("runs") / "doctor" / subject.name)
    if as_json is not None:
        writable(as_json.absolute().parent)
    told = [*subject.notices, *asked.notices, *_trained(subject, asked)]
    for notice in told:
        say(notice.key, **notice.values)
    wanted = subject.recipe.evaluate.starts or StartPatterns()
    limits = Limits(answers or wanted.answers, max_new_tokens or wanted.max_new_tokens)
    found = _examined(subject, asked, lessons, base, limits)
    page = write_starts(found, target, subject.recipe.model.base, str(subject.weights or ""), told)
    if as_json is not None:
        write_json(as_json, found.model_dump(mode="json"))
    _show(found)
    say("cli.doctor.page", page=page, result=as_json or page.with_name(RESULT))
    if gate.fails(found.verdict):
        say("cli.doctor.failed", gate=text(f"starts.page.state.{gate.value}"))
        raise typer.Exit(1)


def _examined(subject: Subject, asked: Asked, lessons: list[str], base: bool, limits: Limits) -> Starts:
    """ModelError where the adapter does not fit the layers of the model."""
    from dadeum.starts.examine import examine

    try:
        with bars() as progress:
            return examine(
                subject.recipe, subject.weights, asked.prompts, base, taught=lessons, limits=limits, progress=progress
            )
    except (RuntimeError, ValueError) as error:
        if not re.search(r"size mismatch|Target modules .* not found", str(error)):
            raise
        values = {"path": subject.weights, "base": subject.recipe.model.base, "detail": first_line(error)}
        raise ModelError("cli.doctor.other_shape", **values) from error


def _show(found: Starts) -> None:
    """The verdict in its colour, then everything else."""
    from dadeum.starts.words import sentences

    out.print()
    verdict, *rest = sentences(found)
    out.print(Text(printable(verdict), f"bold {_COLOURS[found.verdict]}"), soft_wrap=True)
    for line in rest:
        out.print(printable(line), markup=False, soft_wrap=True)


# -- what is examined ------------------------------------------------------------------------------
def _subject(folder: Path | None, model: str | None, adapter: Path | None) -> Subject:
    if folder is None and model is None and adapter is None:
        raise RecipeError("cli.doctor.nothing")
    if folder is not None:
        run = Run.open(folder)
        return _of_run(run, model, adapter)
    if adapter is None:
        assert model is not None
        return _alone(Model(base=model, adapter=NoAdapter(type="none")), None)
    from dadeum.models.started import started

    found = started(adapter)
    if found.run is not None:
        return _of_run(Run.open(found.run), model, adapter)
    if found.base is None and model is None and not isinstance(found.adapter, NoAdapter):
        raise ModelError("cli.doctor.base_unknown", path=adapter)
    if found.base is None and model is None:
        alone = _alone(Model(base=str(found.weights), adapter=found.adapter), None)
        return _noticed(alone, Notice(key="cli.doctor.no_base", values={"path": str(adapter)}))
    revision = found.revision if model is None else None
    chosen = Model(base=model or found.base or "", revision=revision, adapter=found.adapter)
    return _fitting(_alone(chosen, found.weights), adapter, found.base)


def _of_run(run: Run, model: str | None, adapter: Path | None) -> Subject:
    """Task, form and data of the run; the adapter that it trained, or the one that was named."""
    from dadeum.models.fresh import in_run
    from dadeum.models.started import started

    recipe = in_run(run.recipe(), run)
    found = started(adapter or run.folder)
    changed: dict[str, object] = {"start": None}
    if model is not None:
        changed |= {"base": model, "revision": None}
    if adapter is not None:
        changed |= {"adapter": found.adapter}
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update=changed)})
    name = f"{recipe.name}-{run.folder.resolve().name}"
    inside = adapter is None or (found.run is not None and found.run.resolve() == run.folder.resolve())
    name = name if inside else f"{name}-{_name(str(adapter))}"
    subject = Subject(recipe, found.weights, _name(name), run)
    return subject if inside and model is None else _fitting(subject, found.weights, found.base)


def _alone(model: Model, weights: Path | None) -> Subject:
    """A model that no recipe speaks of, as a conversation with it; without a template of its own, under our titles."""
    from dadeum.models.load import load_tokenizer

    form = "chat" if load_tokenizer(model).chat_template else "instruction"
    recipe = Recipe.model_validate(
        {
            "name": "doctor", "task": {"type": "chat"}, "model": model.model_dump(), "render": {"format": form},
            "data": {"sources": [{"path": "-"}]}, "stages": [{"name": "none", "method": "sft"}],
        }
    )  # fmt: skip
    subject = Subject(recipe, weights, _name(str(weights or model.base)))
    bare = Notice(key="cli.doctor.no_template", values={"base": model.base})
    return _noticed(subject, bare) if form == "instruction" else subject


def _fitting(subject: Subject, adapter: Path, its_base: str | None) -> Subject:
    """The subject, unless its weights were trained on another model. A base that has moved may be named anew."""
    from dadeum.models.start_checks import start_problems
    from dadeum.models.started import same_model

    model = subject.recipe.model
    if its_base is not None and Path(its_base).is_absolute() and not Path(its_base).exists():
        return _noticed(subject, Notice(key="cli.doctor.moved", values={"base": its_base, "model": model.base}))
    if its_base is not None and not same_model(its_base, model.base):
        raise ModelError("cli.doctor.other_base", path=adapter, theirs=its_base, ours=model.base)
    started_from = model.model_copy(update={"start": str(adapter)})
    for problem in start_problems(subject.recipe.model_copy(update={"model": started_from})):
        if problem.key == "models.started.other_architecture":
            raise ModelError("cli.doctor.other_architecture", **problem.values)
        raise problem
    return subject


def _noticed(subject: Subject, notice: Notice) -> Subject:
    return Subject(subject.recipe, subject.weights, subject.name, subject.run, [*subject.notices, notice])


def _name(path: str) -> str:
    """A folder's name out of a path or a hub id; that of the folder above where every run has one called so."""
    parts = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..", "~")]
    while len(parts) > 1 and parts[-1] == "adapter":
        parts.pop()
    return re.sub(r"[^\w.-]+", "-", parts[-1] if parts else "model")


# -- what it is asked ------------------------------------------------------------------------------
def _asked(subject: Subject, file: Path | None) -> Asked:
    """The file; else the one of the run's recipe; else the run's test questions; else dadeum's own. Which is said."""
    from dadeum.core.examples import read_examples
    from dadeum.starts.examine import each_once, evenly
    from dadeum.starts.prompts import Asked, for_task, read_asked, shipped_prompts

    starts = subject.recipe.evaluate.starts
    if file is None and starts is not None and starts.prompts:
        file = Path(starts.prompts)
    if file is not None:
        asked = for_task(read_asked(file), subject.recipe.task)
        return _said(asked, "of_file", path=str(file), num=len(asked.prompts))
    test = subject.run.split_path("test") if subject.run else None
    own = [example.prompt for example in read_examples(test)] if test and test.exists() else []
    if own and subject.run:
        chosen = evenly(each_once(own), _MOST)
        return _said(Asked(chosen), "of_run", path=str(subject.run.folder), num=len(chosen))
    asked = for_task(Asked(shipped_prompts()), subject.recipe.task)
    return _said(asked, "shipped", num=len(asked.prompts))


def _said(asked: Asked, kind: str, **values: str | int | float) -> Asked:
    from dadeum.starts.prompts import Asked

    return Asked(asked.prompts, [Notice(key=f"starts.prompts.{kind}", values=values), *asked.notices])


def _taught(subject: Subject, file: Path | None) -> list[str]:
    """Training answers: those of the file, else those of the run."""
    from dadeum.core.examples import answer_of, read_examples
    from dadeum.starts.prompts import read_answers

    if file is not None:
        return read_answers(file)
    train = subject.run.split_path("train") if subject.run else None
    return [answer_of(example) for example in read_examples(train)] if train and train.exists() else []


def _trained(subject: Subject, asked: Asked) -> list[Notice]:
    """How many of the questions stand in the run's training rows: a model knows by heart how these begin."""
    from dadeum.core.examples import read_examples

    train = subject.run.split_path("train") if subject.run else None
    if train is None or not train.exists():
        return []
    known = {example.prompt[-1]["content"] for example in read_examples(train) if example.prompt}
    num = sum(prompt[-1]["content"] in known for prompt in asked.prompts)
    return [Notice(key="cli.doctor.trained", values={"num": num})] if num else []
