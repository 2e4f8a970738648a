"""A larger model rates answers (rubric, 0 to 5) and compares them in both orders; off unless evaluate.judge is given.

Judged are the tuned model, what it went on from, the untuned model and what people wrote. Every reply that could be
read is kept in evaluation/judge.jsonl, so that a second evaluation asks only what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import DadeumError, MissingExtra
from dadeum.core.examples import Example, answer_of
from dadeum.core.measured import Notice
from dadeum.core.messages import text
from dadeum.core.progress import Progress, silent
from dadeum.core.recipe import Judge, Recipe
from dadeum.core.run import Run, append_jsonl, fingerprint, read_jsonl
from dadeum.evaluation.judge_client import JudgeClient, Reply, shown_url
from dadeum.evaluation.judge_questions import Question, compare, rate, read_choice, read_rating
from dadeum.evaluation.judge_scores import (
    Agreement,
    Choice,
    JudgeScores,
    PairScores,
    Problem,
    Resampling,
    agreement_of,
    by_criterion,
    reading_notices,
    score_pairs,
)

__all__ = ["JudgeScores", "judge", "judge_note", "judge_problems"]

TUNED, BEFORE, BASE, REFERENCE = "tuned", "before", "base_model", "reference"
REPEATED_ROWS = 20
"""Rows whose answers are rated a second time, criteria in reverse, for the agreement of the judge with itself."""
_PROBLEMS_KEPT = 20
_STAGE = "evaluate.progress.judge"


@dataclass
class Asking:
    """Questions and what is known of their answers."""

    questions: list[Question]
    found: dict[int, Any] = field(default_factory=dict)
    """Question → ratings by criterion, or a choice (A, B, tie)."""
    problems: list[Problem] = field(default_factory=list)
    cached: int = 0
    asked: int = 0
    not_asked: int = 0


def judge_note(recipe: Recipe) -> str | None:
    """For `plan`: what leaves this machine, and where to; None without a judge."""
    judge = recipe.evaluate.judge
    if judge is None:
        return None
    return text("evaluate.judge.note", endpoint=shown_url(judge.base_url), model=judge.model, rows=judge.rows)


def judge_problems(recipe: Recipe) -> list[DadeumError]:
    """What would stop the judge after a long training, found before it."""
    if recipe.evaluate.judge is None or find_spec("openai") is not None:
        return []
    return [MissingExtra("evaluate.judge.missing_extra")]


def judge(
    recipe: Recipe,
    run: Run,
    rows: Sequence[Example],
    answers_by_system: Mapping[str, Sequence[str]],
    progress: Progress = silent,
) -> JudgeScores:
    """Rate and compare a seeded sample of `rows`; every list of answers is in the order of `rows`.

    MissingExtra without the package `openai`. Whatever the endpoint does is counted, not raised.
    """
    wanted = recipe.evaluate.judge
    assert wanted is not None
    sampled = _sample(len(rows), wanted.rows, recipe.seed)
    judged = [rows[index] for index in sampled]
    answers = {
        name: [answers_by_system[name][index] for index in sampled]
        for name in (TUNED, BEFORE, BASE)
        if name in answers_by_system
    }
    if any(answer_of(row) for row in judged):
        answers[REFERENCE] = [answer_of(row) for row in judged]
    asking = Asking(_questions(wanted, judged, answers))
    with closing(JudgeClient(wanted, recipe.seed)) as client:
        _ask(asking, client, wanted, recipe.seed, run.scores_path.parent / "judge.jsonl", judged, progress)
    how = Resampling([row.group for row in judged], recipe.seed, recipe.evaluate.bootstrap_samples)
    return _scores(wanted, asking, list(answers), len(judged), how)


def _sample(num_rows: int, wanted: int, seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    return sorted(random.choice(num_rows, min(wanted, num_rows), replace=False).tolist())


def _questions(judge: Judge, rows: Sequence[Example], answers: Mapping[str, Sequence[str]]) -> list[Question]:
    """Ratings, ratings again with the criteria in reverse, comparisons in both orders; rows without an answer not."""
    found = []
    for number, row in enumerate(rows):
        said = {name: texts[number] for name, texts in answers.items() if name != REFERENCE or texts[number]}
        for name, answer in said.items():
            found.append(rate(number, row, name, answer, judge.rubric))
            if number < REPEATED_ROWS and len(judge.rubric) > 1 and name != REFERENCE:
                found.append(rate(number, row, name, answer, judge.rubric[::-1]))
        for other in (name for name in said if name != TUNED and TUNED in said):
            ours, theirs = (TUNED, said[TUNED]), (other, said[other])
            found += [
                compare(number, row, ours, theirs, judge.rubric),
                compare(number, row, theirs, ours, judge.rubric),
            ]
    return found


# -- asking -----------------------------------------------------------------------------------------
def _ask(
    asking: Asking,
    client: JudgeClient,
    judge: Judge,
    seed: int,
    path: Path,
    rows: Sequence[Example],
    progress: Progress,
) -> None:
    """Fill `asking`: from the cache, and from the endpoint what is not in it."""
    keys = [_key(judge, seed, question) for question in asking.questions]
    known = {line["key"]: line["reply"] for line in read_jsonl(path)}
    for index, (key, question) in enumerate(zip(keys, asking.questions, strict=True)):
        if key in known and (value := _read(question, known[key])) is not None:
            asking.found[index] = value
    asking.cached = len(asking.found)
    missing = [index for index in range(len(keys)) if index not in asking.found]
    done = asking.cached
    progress(_STAGE, done, len(keys))
    path.parent.mkdir(parents=True, exist_ok=True)
    for place, reply in client.ask([asking.questions[index] for index in missing]):
        index = missing[place]
        if _take(asking, index, reply, rows):
            append_jsonl(path, _line(keys[index], asking.questions[index], rows, reply))
        done += 1
        progress(_STAGE, done, len(keys))


def _take(asking: Asking, index: int, reply: Reply, rows: Sequence[Example]) -> bool:
    """Read one reply into `asking`; True when it could be read."""
    if not reply.asked:
        asking.not_asked += 1
        return False
    asking.asked += 1
    question = asking.questions[index]
    value = _read(question, reply.text) if reply.text is not None else None
    if value is not None:
        asking.found[index] = value
        return True
    row, about = rows[question.row].id, "/".join(question.systems)
    if reply.text is None:
        asking.problems.append(Problem(row=row, about=about, kind="failed", detail=reply.detail))
    else:
        asking.problems.append(Problem(row=row, about=about, kind="unparsable", detail=reply.text[:300]))
    return False


def _key(judge: Judge, seed: int, question: Question) -> str:
    """Changes with everything that the judge gets to see."""
    asked = [question.kind, question.system_turn, question.material, question.schema]
    return fingerprint([shown_url(judge.base_url), judge.model, seed, *asked])


def _line(key: str, question: Question, rows: Sequence[Example], reply: Reply) -> dict[str, Any]:
    return {"key": key, "row": rows[question.row].id, "about": "/".join(question.systems), "reply": reply.text}


def _read(question: Question, reply: str) -> Any:
    return read_rating(reply, question.rubric) if question.kind == "rate" else read_choice(reply)


# -- what it comes to -------------------------------------------------------------------------------
def _scores(judge: Judge, asking: Asking, systems: list[str], num_rows: int, how: Resampling) -> JudgeScores:
    shape = (num_rows, len(judge.rubric))
    first, again = ({name: np.full(shape, np.nan) for name in systems} for _ in range(2))
    for index, value in asking.found.items():
        question = asking.questions[index]
        if question.kind == "rate":
            table = first if question.rubric == judge.rubric else again
            table[question.systems[0]][question.row] = [value[name] for name in judge.rubric]
    pairs = {other: _pair(asking, other) for other in systems if other != TUNED and TUNED in systems}
    agreement = agreement_of(
        np.concatenate([first[name] for name in systems]),
        np.concatenate([again[name] for name in systems]),
        judge.rubric,
    )
    unparsable = sum(problem.kind == "unparsable" for problem in asking.problems)
    return JudgeScores(
        model=judge.model,
        endpoint=shown_url(judge.base_url),
        rubric=list(judge.rubric),
        num_rows=num_rows,
        num_rated={name: int((~np.isnan(first[name]).any(1)).sum()) for name in systems},
        systems={name: by_criterion(first[name], judge.rubric, how) for name in systems},
        differences={other: by_criterion(first[TUNED] - first[other], judge.rubric, how) for other in pairs},
        pairs=pairs,
        agreement=agreement,
        asked=asking.asked,
        cached=asking.cached,
        unparsable=unparsable,
        failed=len(asking.problems) - unparsable,
        not_asked=asking.not_asked,
        problems=asking.problems[:_PROBLEMS_KEPT],
        warnings=_notices(judge, asking, pairs, agreement, num_rows),
    )


def _pair(asking: Asking, other: str) -> PairScores:
    """Choices between the tuned model and another system, as the preferred system, by the order shown."""
    chosen: dict[int, dict[str, Choice | None]] = {}
    for index, question in enumerate(asking.questions):
        if question.kind == "compare" and other in question.systems:
            place = {"A": question.systems[0], "B": question.systems[1]}.get(asking.found.get(index, ""))
            choice: Choice | None = "tie" if asking.found.get(index) == "tie" else None
            if place is not None:
                choice = "first" if place == TUNED else "second"
            chosen.setdefault(question.row, {})[question.systems[0]] = choice
    return score_pairs([(found.get(TUNED), found.get(other)) for found in chosen.values()])


def _notices(
    judge: Judge, asking: Asking, pairs: Mapping[str, PairScores], agreement: Agreement, num_rows: int
) -> list[Notice]:
    values: dict[str, str | int | float] = {
        "endpoint": shown_url(judge.base_url), "model": judge.model, "rows": num_rows, "num": len(asking.questions),
    }  # fmt: skip
    if not asking.found:
        detail = asking.problems[0].detail if asking.problems else ""
        return [Notice(key="evaluate.judge.nothing", values=values | {"detail": detail})] if asking.questions else []
    found = [Notice(key="evaluate.judge.sent", values=values)]
    if missing := len(asking.questions) - len(asking.found):
        detail = asking.problems[0].detail if asking.problems else ""
        found.append(Notice(key="evaluate.judge.incomplete", values=values | {"missing": missing, "detail": detail}))
    return [*found, *reading_notices(pairs, agreement)]
