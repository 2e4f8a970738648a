"""build_pairs(work): the pairs of a `dpo` or `reward` stage, from a file, from the model, or both.

What is used and what is left out adds up to what was read, and stands in the stage's folder.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from pathlib import Path

from jinja2.exceptions import TemplateError

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.messages import text
from dadeum.core.stages import OnPairs
from dadeum.models.load import load_tokenizer
from dadeum.models.render import Renderer, loss_on
from dadeum.training.preferences.judged import pairs_of_file
from dadeum.training.preferences.kept import Found, LeftOut, Preference, Preferences, counted, read_pairs, write_pairs
from dadeum.training.preferences.prompts import Prompts, plain
from dadeum.training.preferences.sampled import sampled_pairs
from dadeum.training.work import Work, enough_memory

log = logging.getLogger(__name__)


def build_pairs(work: Work) -> Preferences:
    """Made once: a stage that goes on after a kill takes the same pairs. DataError where none is left."""
    from accelerate import PartialState

    with PartialState().main_process_first():  # the others read what it wrote
        found = read_pairs(work.folder)
        if found is None:
            found = _build(work)
    if not found.train:
        path = work.folder / "left_out.jsonl"
        raise DataError("train.preferences.no_pairs", stage=work.stage.name, read=found.counts["read"], path=path)
    return found


def _build(work: Work) -> Preferences:
    stage, recipe = work.stage, work.recipe
    prompts = Prompts(recipe, work.run)
    candidates: Found = []
    if stage.pairs.path:
        path = Path(stage.pairs.path)
        if not path.is_file():
            raise DataError("train.preferences.no_file", stage=stage.name, path=path)
        candidates += pairs_of_file(path, prompts)
    if stage.pairs.sampled:
        with enough_memory(stage):
            candidates += sampled_pairs(work, prompts)
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render, loss_on(recipe))
    pairs, left_out = sift(candidates, stage, renderer)
    train, validation = split(pairs, recipe.data.split.validation, recipe.seed)
    found = counted(train, validation, left_out)
    write_pairs(found, left_out, work.folder)
    _tell(work, found, left_out)
    return found


def sift(candidates: Found, stage: OnPairs, renderer: Renderer) -> tuple[list[Preference], list[LeftOut]]:
    """(usable pairs, all others with a reason), in the order in which they were read."""
    pairs: list[Preference] = []
    left_out: list[LeftOut] = []
    said = {_content(one) for one in candidates if isinstance(one, Preference)}
    seen: set[tuple[str, str, str]] = set()
    for one in candidates:
        if isinstance(one, LeftOut):
            left_out.append(one)
            continue
        prompt, chosen, rejected = _content(one)
        reason, detail = "", ""
        if chosen == rejected:
            reason = "equal"
        elif (prompt, rejected, chosen) in said:
            reason = "contradiction"
        elif one.gap is not None and (one.gap <= 0 or one.gap < stage.pairs.min_gap):
            reason, detail = "close", f"{one.gap:.3f} < {stage.pairs.min_gap:g}"
        elif (prompt, chosen, rejected) in seen:
            reason = "duplicate"
        else:
            reason, detail = _unfit(one, renderer)
        if reason:
            left_out.append(LeftOut(one.id, one.source, reason, detail))
        else:
            seen.add((prompt, chosen, rejected))
            pairs.append(one)
    return pairs, left_out


def _content(pair: Preference) -> tuple[str, str, str]:
    prompt = "\n".join(f"{turn['role']}:{plain(turn['content'])}" for turn in pair.prompt)
    return prompt, plain(pair.chosen), plain(pair.rejected)


def _unfit(pair: Preference, renderer: Renderer) -> tuple[str, str]:
    """(reason, detail) where the model cannot be shown the pair as the recipe wants it."""
    if renderer.settings.control_tokens == "raise":
        turns = [*pair.prompt, *(Turn(role="assistant", content=one) for one in (pair.chosen, pair.rejected))]
        if found := [token for turn in turns for token in renderer.control.found(turn["role"], turn["content"])]:
            return "control_token", found[0]
    try:
        prompt = renderer.prompt_ids(pair.prompt)
    except TemplateError as error:
        return "template", str(error)[:80]
    tokens = len(prompt) + max(len(renderer.answer_ids(answer)) for answer in (pair.chosen, pair.rejected))
    limit = renderer.settings.max_length_tokens
    return ("too_long", f"{tokens} > {limit}") if tokens > limit else ("", "")


def split(pairs: list[Preference], share: float, seed: int) -> tuple[list[Preference], list[Preference]]:
    """(train, validation): whole groups drawn with the seed until validation has about this share of the pairs."""
    groups = sorted({pair.group for pair in pairs})
    wanted = round(share * len(pairs))
    if len(groups) < 2 or not share:
        return pairs, []
    random.Random(seed).shuffle(groups)
    sizes = Counter(pair.group for pair in pairs)
    held: set[str] = set()
    num_held = 0
    for group in groups[:-1]:
        if held and num_held + sizes[group] > wanted:
            continue
        held.add(group)
        num_held += sizes[group]
    return [pair for pair in pairs if pair.group not in held], [pair for pair in pairs if pair.group in held]


def _tell(work: Work, found: Preferences, left_out: list[LeftOut]) -> None:
    """Counts to the run's events; a warning where pairs were left out, and one more where they stand in a split."""
    work.run.event("pairs_built", stage=work.stage.name, **found.counts)
    if not left_out:
        return
    counts = {key.removeprefix("left_out_"): number for key, number in found.counts.items() if "left_out_" in key}
    reasons = ", ".join(f"{text(f'train.preferences.reason.{reason}')} {number}" for reason, number in counts.items())
    values: dict[str, object] = {"stage": work.stage.name, "path": work.folder / "left_out.jsonl"}
    read, used = found.counts["read"], found.counts["used"]
    log.warning(text("train.preferences.left_out", **values, read=read, used=used, reasons=reasons))
    if leaked := counts.get("held_out"):
        log.warning(text("train.preferences.leak", **values, leaked=leaked))
