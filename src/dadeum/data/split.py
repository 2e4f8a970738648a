"""Rows → train, validation and test: stratified by label, whole groups, seeded, or whole origins held out.

Groups are dealt out largest first to the split that lacks most of what they hold. A group too large for a small
split goes to train: one template of a thousand mails must not be the test.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median_high

from dadeum.core.errors import DataError
from dadeum.core.examples import SPLITS
from dadeum.core.recipe import Recipe, Split
from dadeum.data.nearest import nearest
from dadeum.data.rows import Removed, Row, remove
from dadeum.data.similar.duplicates import template_groups
from dadeum.data.similar.fingerprints import Memory

MAX_GROUP_SHARE = 0.1
"""Largest part of validation or test that one group may fill, unless groups are all that large."""


@dataclass(frozen=True)
class Known:
    """What is known of rows before they are dealt out, by row id."""

    strata: Mapping[str, str] = field(default_factory=dict)
    """Kind of rows that have no label and still should be in every split in like shares."""
    dealt: Mapping[str, str] = field(default_factory=dict)
    """Split in which another run has the row's document already; its whole group goes there."""
    followed: Mapping[str, str] = field(default_factory=dict)
    """Split in which the run that training goes on from has the row itself; it goes there whatever its group does."""


@dataclass(frozen=True)
class Placed:
    """Where every row went."""

    splits: dict[str, list[Row]]
    """train, validation, test, each in the order of the input."""
    group_of: dict[str, str]
    """Row id → id of its group: the id of the group's first row, or the name of its origin or source."""
    removed: list[Removed]
    """Rows too like a held-out row to be trained or validated on."""


def split_rows(
    rows: list[Row],
    recipe: Recipe,
    memory: Memory | None = None,
    kin: Sequence[Sequence[str]] | None = None,
    templates: Sequence[int] | None = None,
    known: Known | None = None,
) -> Placed:
    """Deal out all rows. The same rows and seed give the same split, in whatever order the rows come.

    `kin`, one list of keys per row, makes rows that share a key count as near duplicates. `templates`, the index of the
    first row that each is a near duplicate of, is found here unless it is given.

    Raises DataError when `hold_out` or `train_only` names no origin or source, or when groups are too large to be dealt
    out.
    """
    settings = recipe.data.split
    held_out = _named(rows, settings, "hold_out")
    train_only = _named(rows, settings, "train_only") - held_out
    # A held-out row's near copies must leave train whatever else makes a group.
    needs_templates = settings.group == "near_duplicate" or bool(held_out or train_only)
    if templates is None:
        templates = template_groups([row.text for row in rows], memory, kin).tolist() if needs_templates else []
    template_of = [rows[first].id for first in templates]
    removed = _too_like(rows, template_of, held_out, {row.id for row in rows} - held_out)
    group_of = _groups(rows, settings, template_of, held_out)
    # A group that a run has dealt out to two splits is two groups.
    followed = known.followed if known else {}
    group_of |= {name: f"{followed[name]}/{group}" for name, group in group_of.items() if name in followed}
    gone = {item.id for item in removed}
    free = [row for row in rows if row.id not in held_out | train_only | gone]
    place = _deal(free, [row for row in rows if row.id in held_out], group_of, recipe, known or Known())
    removed += _too_like(rows, template_of, {name for name in place if place[name] != "train"}, train_only - gone)
    gone = {item.id for item in removed}
    place |= dict.fromkeys(held_out, "test") | dict.fromkeys(train_only - gone, "train")
    splits = {name: [row for row in rows if place.get(row.id) == name] for name in SPLITS}
    return Placed(splits, {row.id: group_of[row.id] for row in rows if row.id not in gone}, removed)


def _named(rows: list[Row], settings: Split, field: str) -> set[str]:
    """Ids of the rows whose origin or source this field of the settings names."""
    names: tuple[str, ...] = getattr(settings, field)
    known = {row.origin for row in rows} | {row.source for row in rows}
    for name in names:
        if name not in known:
            near = nearest(name, known, cutoff=0.3)
            first = ", ".join(sorted(known)[:10])
            raise DataError("data.unknown_hold_out", field=field, name=name, near=near, num=len(known), known=first)
    wanted = set(names)
    return {row.id for row in rows if row.origin in wanted or row.source in wanted}


def _too_like(rows: list[Row], templates: list[str], held: set[str], others: set[str]) -> list[Removed]:
    """The others that are near copies of a row in `held`."""
    tainted: dict[str, str] = {}
    for row, template in zip(rows, templates, strict=False):
        if row.id in held:
            tainted.setdefault(template, row.id)
    return [
        remove(row, "near_duplicate_of_held_out", tainted[template])
        for row, template in zip(rows, templates, strict=False)
        if template in tainted and row.id in others
    ]


def _groups(rows: list[Row], settings: Split, templates: list[str], held_out: set[str]) -> dict[str, str]:
    """Row id → group. An origin that is held out is a group of its own even when sources make the groups."""
    if settings.group == "near_duplicate":
        return {row.id: template for row, template in zip(rows, templates, strict=True)}
    if settings.group == "none":
        return {row.id: row.id for row in rows}
    by_origin = settings.group == "origin"
    return {row.id: f"{row.source}/{row.origin}" if by_origin or row.id in held_out else row.source for row in rows}


# -- dealing out ----------------------------------------------------------------------------------
def _deal(
    free: list[Row], held_out: list[Row], group_of: dict[str, str], recipe: Recipe, known: Known
) -> dict[str, str]:
    """Row id → split for the rows that are free to go anywhere."""
    strata = known.strata if recipe.data.split.stratify else {}
    stratum = {
        row.id: strata.get(row.id, row.label if recipe.data.split.stratify else "") for row in [*free, *held_out]
    }
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in free:
        groups[group_of[row.id]].append(row)
    free_counts = Counter(stratum[row.id] for row in free)
    held_counts = Counter(stratum[row.id] for row in held_out)
    lacking = _targets(free_counts, held_counts, len(groups), recipe.data.split)
    whole = {name: dict(amounts) for name, amounts in lacking.items()}
    largest = _largest_group(groups, whole)
    place: dict[str, str] = {}
    drawn = {id(members): _shuffle_key(members, recipe.data_seed) for members in groups.values()}
    # Groups whose place is known come first: the others fill what is left.
    order = sorted(
        groups.values(),
        key=lambda members: (_dealt_before(members, known) is None, -len(members), drawn[id(members)]),
    )
    for members in order:
        holds = _counts(stratum[row.id] for row in members)
        fits = [name for name in SPLITS[1:] if len(members) <= largest[name] and _fits(holds, lacking[name])]
        chosen = max(["train", *fits], key=lambda name: _need(holds, lacking[name], whole[name])) if fits else "train"
        chosen = _dealt_before(members, known) or chosen
        for label, count in holds.items():
            lacking[chosen][label] -= count
        for row in members:
            place[row.id] = chosen
    if empty := _empty(place, held_out, free, whole, recipe.data.split):
        raise DataError(
            "data.cannot_split", split=empty[0], group=recipe.data.split.group, num_groups=len(groups),
            num_rows=len(free), largest=max(map(len, groups.values()), default=0),
        )  # fmt: skip
    return place


def _empty(
    place: Mapping[str, str], held_out: Sequence[Row], free: Sequence[Row], whole: Mapping[str, Mapping[str, int]],
    settings: Split,
) -> list[str]:  # fmt: skip
    """Splits that should have rows and got none."""
    filled = {*place.values(), *(["test"] if held_out else [])}
    # Rows without labels have no check (`single_class`) that would miss a split that is too small to get a row.
    asked = settings.model_dump() if not any(row.label for row in free) else {}
    return [name for name in SPLITS if name not in filled and (sum(whole[name].values()) > 0 or asked.get(name, 0) > 0)]


def _dealt_before(members: Sequence[Row], known: Known) -> str | None:
    """Where another run has these rows; what it learnt from is nothing to be tested on, so train comes first."""
    places = {place for row in members if (place := known.followed.get(row.id) or known.dealt.get(row.id))}
    return next((name for name in SPLITS if name in places), None)


def _targets(free: Counter[str], held_out: Counter[str], num_groups: int, settings: Split) -> dict[str, dict[str, int]]:
    """Free rows of each stratum that each split should get; one at least where there are rows and groups enough.

    Of a label with held-out rows nothing else goes to test; without strata, held-out rows count towards the share.
    """
    targets: dict[str, dict[str, int]] = {name: {} for name in SPLITS}
    for label, count in free.items():
        least = 1 if min(count, num_groups) >= len(SPLITS) else 0
        held = held_out[label]
        validation = max(least, round(settings.validation * (count + held))) if settings.validation > 0 else 0
        test = max(least, round(settings.test * (count + held))) if settings.test > 0 else 0
        test = 0 if held and settings.stratify else max(0, test - held)
        targets["validation"][label] = validation
        targets["test"][label] = test
        targets["train"][label] = max(0, count - validation - test)
    return targets


def _largest_group(groups: dict[str, list[Row]], whole: dict[str, dict[str, int]]) -> dict[str, float]:
    """Rows of the largest group that each split takes."""
    typical = median_high(len(members) for members in groups.values()) if groups else 0
    return {name: max(MAX_GROUP_SHARE * sum(amounts.values()), typical) for name, amounts in whole.items()}


def _counts(labels: Iterable[str]) -> dict[str, int]:
    """A Counter without its overhead, which counts when there are as many groups as rows."""
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return counts


def _fits(holds: dict[str, int], lacking: dict[str, int]) -> bool:
    """At least half of the group is still wanted in a split, label by label."""
    return all(count <= 2 * lacking[label] for label, count in holds.items())


def _need(holds: dict[str, int], lacking: dict[str, int], whole: dict[str, int]) -> float:
    """How much of what a split should hold of these labels it still lacks: 1 all, 0 none, below 0 too much."""
    shares = [count * lacking[label] / max(whole[label], 1) for label, count in holds.items()]
    return sum(shares) / sum(holds.values())


def _shuffle_key(members: list[Row], seed: int) -> str:
    """A random order that hangs on the seed and the texts alone, not on the order in which rows were read."""
    text = min(f"{row.label}\n{row.text}" for row in members)
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=8).hexdigest()
