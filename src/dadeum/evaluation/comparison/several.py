"""compare_runs(runs): every figure of every run on the same test rows, all pairs tested, and which run to take.

Each pair is judged on the main figure; p-values are corrected for all pairs together (Holm). The recipe's own
bootstrap_samples say how often is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dadeum.core.errors import RunError
from dadeum.core.measured import Measured
from dadeum.core.run import Run, read_json
from dadeum.evaluation.answers.compare import read_judged as read_answers
from dadeum.evaluation.answers.scores import AnswerScores, Better
from dadeum.evaluation.comparison.entrants import Entrant, entrant, names_of
from dadeum.evaluation.comparison.judged import Judged, judged_answers, judged_decisions, judged_rankings
from dadeum.evaluation.comparison.same_rows import require_same_rows
from dadeum.evaluation.comparison.selection import Choice, choose
from dadeum.evaluation.comparison.significance import SIGNIFICANT, Pair, holm
from dadeum.evaluation.decide.compare import read_judged as read_decisions
from dadeum.evaluation.decide.scores import Scores
from dadeum.evaluation.retrieve.compare import read_judged as read_rankings
from dadeum.evaluation.retrieve.compare import require_same_corpus
from dadeum.evaluation.retrieve.scores import RetrievalScores

_PER_PAIR = 100
"""Draws for each pair that is tested: the least p there can be must stay below 0.05 when it is corrected."""
CLOSE = 0.1
"""How far behind the best figure, as a share of it, a cheaper run may be at the bad end of its paired interval."""
FAITHFULNESS = ("unsupported_numbers", "unsupported_names")
"""A summary can share words with the reference and say what nobody said: closeness alone must not choose."""


@dataclass(frozen=True)
class AgainstBest:
    """One run beside the one with the highest main figure; differences are run − best."""

    pair: Pair
    p_holm: float | None
    """Corrected for all pairs of runs; None where there are too few groups to say."""

    @property
    def is_sure(self) -> bool:
        """Whether it is worse beyond chance: nothing is better than the best."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT

    def is_close(self, sign: int, best: float) -> bool:
        """Whether it is shown to be at most `CLOSE` of the best figure behind: few rows show nothing."""
        behind = self.pair.low if sign > 0 else -self.pair.high
        return not self.is_sure and behind >= -CLOSE * abs(best)

    def turned(self) -> AgainstBest:
        """best − run."""
        return AgainstBest(self.pair.turned(), self.p_holm)


@dataclass(frozen=True)
class Baseline:
    """What costs nothing or is not tuned, and the runs for which it gave these figures."""

    system: str
    entrants: list[Entrant]
    figures: dict[str, Measured]


@dataclass(frozen=True)
class Comparison:
    task: str
    entrants: list[Entrant]
    """In the order they were given."""
    baselines: list[Baseline]
    metrics: Mapping[str, Better]
    main: str
    num_rows: int
    num_groups: int
    best: int
    """Place of the run with the best main figure."""
    against_best: list[AgainstBest | None]
    """Per run; None for the best itself."""
    choice: Choice
    unfaithful: list[tuple[int, str, Pair]]
    """(run, figure, chosen − run) where the chosen run is surely less faithful than another."""


def compare_runs(runs: Sequence[Run], metric: str | None = None, seed: int = 42, samples: int = 2000) -> Comparison:
    """Two or more runs of one task that were evaluated on exactly the same rows; RunError otherwise."""
    _require_different(runs)
    for run in runs:
        run.require(run.scores_path, "evaluate")
    scores, judged = _read(runs)
    main = _main(judged, metric)
    names = names_of([run.folder for run in runs])
    entrants = [entrant(name, run, found) for name, run, found in zip(names, runs, scores, strict=True)]
    better = judged.metrics[main]
    sign = 1 if better == "higher" else -1
    best = max(range(len(entrants)), key=lambda place: sign * entrants[place].figures[main].value)
    against_best = _against_best(judged, main, len(entrants), best, seed, samples)
    highest = entrants[best].figures[main].value
    equals = [place for place, one in enumerate(against_best) if one is None or one.is_close(sign, highest)]
    choice = choose(entrants, main, sign, equals)
    return Comparison(
        task=scores[0].task,
        entrants=entrants,
        baselines=_baselines(entrants),
        metrics=judged.metrics,
        main=main,
        num_rows=len(judged.ids),
        num_groups=len(set(judged.groups)),
        best=best,
        against_best=against_best,
        choice=choice,
        unfaithful=_unfaithful(judged, choice.chosen, len(entrants), seed, samples),
    )


def _require_different(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise RunError("compare.too_few", num=len(runs))
    seen: set[str] = set()
    for run in runs:
        path = str(run.folder.resolve())
        if path in seen:
            raise RunError("compare.same_run", folder=run.folder)
        seen.add(path)


def _read(runs: Sequence[Run]) -> tuple[Sequence[Scores | AnswerScores | RetrievalScores], Judged]:
    tasks = [str(read_json(run.scores_path).get("task", "decide")) for run in runs]
    for run, task in zip(runs, tasks, strict=True):
        if task != tasks[0]:
            values = {"first": runs[0].folder, "task_first": tasks[0], "second": run.folder, "task_second": task}
            raise RunError("evaluate.compare.different_tasks", **values)
    if tasks[0] == "decide":
        decided = [read_decisions(run) for run in runs]
        require_same_rows(runs, [found.test_hash for found, _ in decided], [rows for _, rows in decided])
        _require_same_labels(runs, [found for found, _ in decided])
        scores = [found for found, _ in decided]
        return scores, judged_decisions(runs, scores, [rows for _, rows in decided])
    if tasks[0] == "retrieve":
        ranked = [read_rankings(run) for run in runs]
        require_same_corpus(runs, [found for found, _ in ranked])
        require_same_rows(runs, [found.asked_hash for found, _ in ranked], [rows for _, rows in ranked])
        return [found for found, _ in ranked], judged_rankings(ranked)
    answered = [read_answers(run) for run in runs]
    require_same_rows(runs, [found.compared_by for found, _ in answered], [rows for _, rows in answered])
    written = [found for found, _ in answered]
    return written, judged_answers(written, [rows for _, rows in answered])


def _require_same_labels(runs: Sequence[Run], scores: Sequence[Scores]) -> None:
    for run, found in zip(runs, scores, strict=True):
        if set(found.labels) != set(scores[0].labels):
            values = {"labels_first": ", ".join(scores[0].labels), "labels_second": ", ".join(found.labels)}
            raise RunError("evaluate.compare.different_labels", first=runs[0].folder, second=run.folder, **values)


def _main(judged: Judged, metric: str | None) -> str:
    """The figure that decides: what the verdict of a report rests on, or the one asked for."""
    usable = [name for name in judged.paired if judged.metrics[name] != "neither"]
    if not usable:
        raise RunError("compare.no_figure")
    if metric is None:
        return usable[0]
    if metric not in usable:
        raise RunError("compare.unknown_metric", metric=metric, known=", ".join(usable))
    return metric


def _against_best(
    judged: Judged, main: str, num_runs: int, best: int, seed: int, samples: int
) -> list[AgainstBest | None]:
    """Every pair is tested, for the correction; those with the best are kept."""
    pairs = list(itertools.combinations(range(num_runs), 2))
    samples = max(samples, _PER_PAIR * len(pairs))
    found = {(one, two): judged.pair(main, one, two, seed, samples) for one, two in pairs}
    tested = [pair for pair in pairs if (each := found[pair]) is not None and each.p is not None]
    adjusted = dict(zip(tested, holm([found[pair].p or 0.0 for pair in tested]), strict=True))  # type: ignore[union-attr]
    against: list[AgainstBest | None] = []
    for place in range(num_runs):
        key = (min(place, best), max(place, best))
        pair = found.get(key)
        if pair is None:
            against.append(None if place == best else AgainstBest(_unknown(), None))
        else:
            against.append(AgainstBest(pair if place < best else pair.turned(), adjusted.get(key)))
    return against


def _unknown() -> Pair:
    """No row that both could be judged on."""
    return Pair(float("nan"), float("nan"), float("nan"), None, 0)


def _unfaithful(judged: Judged, chosen: int, num_runs: int, seed: int, samples: int) -> list[tuple[int, str, Pair]]:
    """Where the chosen run says more that is not in its dialogue than another run, beyond chance."""
    tried = [
        (place, metric, pair)
        for metric in FAITHFULNESS
        if metric in judged.paired
        for place in range(num_runs)
        if place != chosen
        if (pair := judged.pair(metric, chosen, place, seed, samples)) is not None and pair.p is not None
    ]
    adjusted = holm([pair.p or 0.0 for *_, pair in tried])
    return [each for each, p in zip(tried, adjusted, strict=True) if p < SIGNIFICANT and each[2].value > 0]


def _baselines(entrants: Sequence[Entrant]) -> list[Baseline]:
    """One row for all runs that got the same figures from a baseline; the untuned model is one per base."""
    found: list[Baseline] = []
    systems = dict.fromkeys(system for each in entrants for system in each.baselines)
    for system in systems:
        for each in entrants:
            if system not in each.baselines:
                continue
            figures = each.baselines[system]
            same = next((one for one in found if one.system == system and _equal(one.figures, figures)), None)
            if same is None:
                found.append(Baseline(system, [each], figures))
            else:
                same.entrants.append(each)
    return found


def _equal(one: Mapping[str, Measured], other: Mapping[str, Measured]) -> bool:
    """Same values; intervals follow each run's own seed."""
    return {name: each.value for name, each in one.items()} == {name: each.value for name, each in other.items()}
