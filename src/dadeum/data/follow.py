"""Rows that the run which training goes on from has dealt out keep their split, and what is like them goes along.

What was taught is never tested on, and what was tested on is never taught. Rows are compared by what they ask and
answer: a row has another number in another file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dadeum.core.examples import SPLITS, Example, read_examples
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, file_hash
from dadeum.data.rows import Removed, Row, remove
from dadeum.data.similar.duplicates import LEAK_SIMILARITY, nearest_known, template_groups
from dadeum.data.similar.fingerprints import Memory
from dadeum.data.similar.repeats import bare
from dadeum.data.split import Known
from dadeum.models.started import started

_HELD = SPLITS[1:]
Answers = Callable[[Row], list[str]]


@dataclass(frozen=True)
class Followed:
    """Rows to deal out, where some of them have to go, and what there is to say."""

    rows: list[Row]
    removed: list[Removed] = field(default_factory=list)
    place: Mapping[str, str] = field(default_factory=dict)
    """Row id → split."""
    notes: list[Message] = field(default_factory=list)

    def known(self, known: Known | None) -> Known:
        return replace(known or Known(), followed=self.place)


def run_to_follow(recipe: Recipe) -> Run | None:
    """The run that the recipe goes on from; None where nobody knows what the weights were taught."""
    folder = started(Path(recipe.model.start)).run if recipe.model.start else None
    return Run.open(folder) if folder else None


def follow_inputs(recipe: Recipe) -> list[str | None]:
    """What of that run decides the split."""
    run = run_to_follow(recipe)
    paths = [run.split_path(name) for name in SPLITS] if run else []
    return [file_hash(path) if path.is_file() else None for path in paths]


def followed(
    rows: list[Row], recipe: Recipe, answers: Answers, kin: Callable[[Row], list[str]], memory: Memory
) -> Followed:
    """RunError where the run has lost its splits."""
    run = run_to_follow(recipe)
    if run is None:
        return Followed(rows)
    taught = {name: read_examples(run.require(run.split_path(name), "data build")) for name in SPLITS}
    seen = _Seen(taught)
    found = seen.places([row.text for row in rows], [_said(row.label, answers(row)) for row in rows])
    place, between = _with_groups(rows, found, [kin(row) for row in rows], memory)
    removed = [remove(row, "near_duplicate_of_held_out", between[row.id]) for row in rows if row.id in between]
    removed += _against_the_recipe(rows, recipe, place)
    gone = {item.id for item in removed}
    kept = {name: split for name, split in place.items() if name not in gone}
    counts = Counter(kept.values())
    values = {name: counts[name] for name in SPLITS}
    note = Message("data.follow.followed", {"num": len(kept), "total": len(rows), "run": run.folder, **values})
    return Followed([row for row in rows if row.id not in gone], removed, kept, [note, *_told(removed, run)])


def _told(removed: Sequence[Removed], run: Run) -> Iterator[Message]:
    if removed:
        yield Message("data.follow.removed", {"num": len(removed), "run": run.folder})


def _against_the_recipe(rows: list[Row], recipe: Recipe, place: Mapping[str, str]) -> list[Removed]:
    """Rows that `hold_out` wants in the test although they were taught, and `train_only` although they were tested."""
    settings = recipe.data.split
    found = []
    for row in rows:
        split, names = place.get(row.id), {row.origin, row.source}
        if split in ("train", "validation") and names & set(settings.hold_out):
            found.append(remove(row, "taught_before", split))
        elif split in _HELD and names & set(settings.train_only):
            found.append(remove(row, "tested_before", split))
    return found


# -- which rows the run knows ----------------------------------------------------------------------
class _Seen:
    """What the run's splits ask and answer."""

    def __init__(self, splits: Mapping[str, list[Example]]) -> None:
        self._texts = {name: [row.text for row in rows] for name, rows in splits.items()}
        self._pairs: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._asked: dict[str, set[str]] = defaultdict(set)
        for name, rows in splits.items():
            for row in rows:
                self._pairs[bare(row.text), _answered(row)].add(name)
                self._asked[bare(row.text)].add(name)

    def places(self, texts: list[str], said: list[str]) -> list[set[str]]:
        """For every row the splits that hold it; without such, those that hold a near copy of what it asks."""
        found = [self._exactly(text, answer) for text, answer in zip(texts, said, strict=True)]
        rest = [number for number, places in enumerate(found) if not places]
        for name, known in self._texts.items():
            like = nearest_known([texts[number] for number in rest], known, LEAK_SIMILARITY)
            for number, other in zip(rest, like.tolist(), strict=True):
                if other >= 0:
                    found[number] = found[number] | {name}
        return found

    def _exactly(self, text: str, answer: str) -> set[str]:
        pair = self._pairs.get((bare(text), answer), set())
        # Equal rows in two splits: what was taught once is nothing to be tested on.
        return {next(name for name in SPLITS if name in pair)} if pair else self._asked.get(bare(text), set())


def _answered(example: Example) -> str:
    turns = [*example.prompt, *example.completion]
    return _said(example.label, [turn["content"] for turn in turns if turn["role"] == "assistant"])


def _said(label: str, answers: Sequence[str]) -> str:
    """A label, or what is answered with spaces folded."""
    return label or " ".join(" ".join(answers).split())


# -- their groups ----------------------------------------------------------------------------------
def _with_groups(
    rows: list[Row], found: list[set[str]], kin: list[list[str]], memory: Memory
) -> tuple[dict[str, str], dict[str, str]]:
    """Row id → split, for the rows that are found and all in their groups; row id → what keeps it from any split.

    A row between two splits, itself or by its group, would carry what is tested into what is taught.
    """
    groups = template_groups([row.text for row in rows], memory, kin).tolist()
    in_group: dict[int, set[str]] = defaultdict(set)
    for group, places in zip(groups, found, strict=True):
        in_group[group] |= places
    place: dict[str, str] = {}
    between: dict[str, str] = {}
    for row, group, places in zip(rows, groups, found, strict=True):
        places = places or in_group[group]
        if len(places) == 1:
            (place[row.id],) = places
        elif places:
            between[row.id] = ", ".join(name for name in SPLITS if name in places)
    return place, between
