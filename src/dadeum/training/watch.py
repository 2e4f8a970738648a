"""Training-time watch: how answers begin, looked at every so many steps with the signals of the start-pattern doctor.

What was seen stands in the trainer's log, which checkpoints keep: a resumed run looks where an uninterrupted one would
have, and stops where it would have. The looks change nothing of the training (`training/paused.py`).
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from dadeum.core.errors import first_line
from dadeum.core.examples import read_examples
from dadeum.core.messages import Message, text
from dadeum.core.run import append_jsonl, is_main_process, read_jsonl, write_jsonl
from dadeum.core.stages import Watch
from dadeum.core.task import Chat
from dadeum.models.engines import Engine
from dadeum.models.render import Renderer, loss_on
from dadeum.starts.examine import Limits, Prompt, each_once, evenly, lessons_of, look
from dadeum.starts.prompts import Asked, for_task, shipped_prompts
from dadeum.starts.result import Openings, Reason, Side, State
from dadeum.starts.verdict import MIN_HIT, MIN_PROMPTS, OF_ANSWERS, judge
from dadeum.training.out_of_memory import is_out_of_memory
from dadeum.training.paused import paused
from dadeum.training.work import Ready, Work

log = logging.getLogger(__name__)

STATES: tuple[State, ...] = ("healthy", "at_risk", "collapsed")
"""Their places are what metrics.jsonl has under STATE."""
STATE, STOPPED, KEPT, SECONDS = "watch/state", "watch/stopped", "watch/kept", "watch/seconds"
_COLLAPSED = STATES.index("collapsed")
_BATCH = 8
_ACROSS_PROMPTS = {"top_token", "independence"}
"""Signals that say something only of several prompts together."""
_SHOWN = 3


def add_watch(ready: Ready, work: Work) -> None:
    """Where the stage asks for it."""
    if work.stage.watch:
        ready.trainer.add_callback(Watching(work, ready.tokenizer))


def watch_figures(state: Any) -> dict[str, float]:
    """What the manifest says of the looks, from the trainer's log; nothing where nobody looked."""
    rows = _rows(state)
    if not rows:
        return {}
    found = {"watch_looks": len(rows), "watch_seconds": sum(row.get(SECONDS, 0.0) for row in rows)}
    for row in rows:
        found |= {"watch_state": row[STATE]} if row.get(KEPT) else {}
        found |= {"watch_stopped_step": row["step"]} if row.get(STOPPED) else {}
    return {name: round(float(value), 2) for name, value in found.items()}


def judged(side: Side, lessons: Openings | None, num_prompts: int) -> tuple[int, list[Reason]]:
    """Place in STATES, and what the doctor would name. Of so few answers only what is sure counts.

    Six of eight answers must show what a collapse is half of; a reason that may as well be chance is told, no more.
    """
    reasons = [one for one in judge(side, lessons, None)[1] if _tells(one, side.answers.num, num_prompts)]
    weights = [STATES.index(one.state) if one.sure else STATES.index(one.state) - 1 for one in reasons]
    return max(weights, default=0), reasons


def _tells(reason: Reason, num_answers: int, num_prompts: int) -> bool:
    if reason.signal in OF_ANSWERS and num_answers < MIN_HIT:
        return False
    return reason.signal not in _ACROSS_PROMPTS or num_prompts >= MIN_HIT


def measured(side: Side) -> dict[str, float]:
    """One row of metrics.jsonl."""
    first, answers = side.first, side.answers
    found = {
        "entropy": first.entropy, "dependence": first.dependence, "evenness": first.evenness,
        "top_probability": first.top_probability, "first_token_marks": first.marks.value,
    }  # fmt: skip
    if answers.num:
        word = answers.first_word.share.value if answers.first_word else 0.0
        found |= {
            "marks": answers.marks.value, "boilerplate": answers.boilerplate.value, "loops": answers.loops.value,
            "empty": answers.empty.value, "first_word": word,
        }  # fmt: skip
    return {f"watch/{name}": round(value, 6) for name, value in found.items()}


class Watching(TrainerCallback):
    """Looks before the first step, every so many steps, and at what is kept."""

    def __init__(self, work: Work, tokenizer: Any) -> None:
        self.work, self.settings = work, _settings(work)
        self.renderer = Renderer(tokenizer, work.recipe.render, loss_on(work.recipe))
        self.prompts = _prompts(work, self.settings) if is_main_process() else []
        self.lessons: Openings | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if is_main_process():
            self.lessons = lessons_of(_taught(self.work), self.work.recipe.seed)
        if state.global_step == 0 and self._look(state, kwargs["model"], 0) == _COLLAPSED:
            self._warn("train.watch.begins_collapsed")
        control.should_training_stop |= _stopped(state) is not None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.settings.every:
            return
        before = _states(state)
        now = self._look(state, kwargs["model"], state.global_step)
        if now is None:
            return
        if before and now > before[-1]:
            self._warn("train.watch.worse", step=state.global_step, before=_word(before[-1]), now=_word(now))
        if self.settings.stop and collapses([*before, now]):
            state.log_history[-1][STOPPED] = 1
            self.work.run.event("stage_stopped", stage=self.work.stage.name, step=state.global_step, why=STATES[now])
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The weights are those that are kept: the best that validated, else the last."""
        best = state.best_global_step if args.load_best_model_at_end and state.best_model_checkpoint else None
        kept = best or state.global_step
        if not (rows := _rows(state, kept)):
            self._look(state, kwargs["model"], kept)
            rows = _rows(state, kept)
        for row in rows:
            row[KEPT] = 1
        if (step := _stopped(state)) is not None:
            key = "train.watch.stopped_best" if best else "train.watch.stopped_last"
            self._warn(key, step=step, kept=kept)
            if rows and rows[-1][STATE] == _COLLAPSED and (sound := self._sound(state)):
                self._warn("train.watch.sound", path=sound)
        if rows and rows[-1][STATE]:
            self._warn("train.watch.kept", kept=kept, now=_word(rows[-1][STATE]))

    def _sound(self, state: Any) -> Path | None:
        """The newest checkpoint that is no later than the last look that was not collapsed."""
        last = max((row["step"] for row in _rows(state) if row[STATE] < _COLLAPSED), default=0)
        steps = [int(path.name.rpartition("-")[2]) for path in self.work.checkpoints.glob("checkpoint-*")]
        found = max((step for step in steps if step <= last), default=None)
        return None if found is None else self.work.checkpoints / f"checkpoint-{found}"

    def _look(self, state: Any, model: Any, step: int) -> int | None:
        """The state, the same in all processes; None where memory did not suffice for a look."""
        row = _agreed(self._seen(model, step) if is_main_process() else None)
        if row is None:
            return None
        state.log_history.append({"step": step} | row)
        return int(row[STATE])

    def _seen(self, model: Any, step: int) -> dict[str, float] | None:
        """In the main process alone, which has the files too."""
        started = time.perf_counter()
        limits = Limits(self.settings.answers, self.settings.max_new_tokens, min(_BATCH, self.work.stage.batch_size))
        try:
            with paused(model):
                side, _ = look(Engine(model, self.renderer), self.prompts, limits, self.work.recipe.seed)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._warn("train.watch.no_memory", step=step, detail=first_line(error))
            return None
        now, reasons = judged(side, self.lessons, len(self.prompts))
        row = measured(side) | {STATE: now, SECONDS: round(time.perf_counter() - started, 3)}
        self._write(step, row)
        self.work.run.event(
            "starts_watched", stage=self.work.stage.name, step=step, state=STATES[now], top=side.first.top,
            signals=[one.signal for one in reasons], answers=side.answers.shown[:_SHOWN],
        )  # fmt: skip
        return row

    def _write(self, step: int, row: dict[str, float]) -> None:
        """A look of an earlier try at the same step is replaced."""
        path, stage = self.work.run.metrics_path, self.work.stage.name
        rows = read_jsonl(path)
        others = [one for one in rows if not (STATE in one and (one["stage"], one["step"]) == (stage, step))]
        if len(others) < len(rows):
            write_jsonl(path, others)
        append_jsonl(path, {"stage": stage, "step": step} | row)

    def _warn(self, key: str, **values: Any) -> None:
        if is_main_process():
            log.warning(text(key, stage=self.work.stage.name, **values))


def collapses(states: list[int]) -> bool:
    """Two looks in a row say so, after one that did not: what was so from the start is what training may heal."""
    return states[-2:] == [_COLLAPSED] * 2 and min(states) < _COLLAPSED


def _rows(state: Any, step: int | None = None) -> list[dict[str, Any]]:
    """Looks in the trainer's log, all or those of one step."""
    return [row for row in state.log_history if STATE in row and step in (None, row["step"])]


def _states(state: Any) -> list[int]:
    return [int(row[STATE]) for row in _rows(state)]


def _stopped(state: Any) -> int | None:
    return next((row["step"] for row in _rows(state) if row.get(STOPPED)), None)


def _word(place: int) -> Message:
    return Message(f"train.watch.state.{STATES[place]}")


def _settings(work: Work) -> Watch:
    found: Watch = work.stage.watch
    return found


def _prompts(work: Work, settings: Watch) -> list[Prompt]:
    """Evenly over the validation rows, each question once; of the training rows where there are no others.

    Of a chat with few of them dadeum's own questions fill up, as in evaluation.
    """
    name = work.stage.name
    rows = read_examples(_path(work, "validation"))
    if not rows:
        log.warning(text("train.watch.no_validation", stage=name))
        rows = read_examples(_path(work, "train"))
    found = evenly(each_once([row.prompt for row in rows]), settings.prompts)
    task = work.recipe.task
    if len(found) < settings.prompts and isinstance(task, Chat):
        more = for_task(Asked(shipped_prompts(settings.prompts - len(found))), task)
        log.info(text("train.watch.filled_up", stage=name, num=len(found), more=len(more.prompts)))
        found = each_once([*found, *more.prompts])
    if len(found) < MIN_PROMPTS:
        log.warning(text("train.watch.few_prompts", stage=name, num=len(found), least=MIN_PROMPTS))
    return found


def _taught(work: Work) -> list[str]:
    """Training answers, which excuse a form that is asked for."""
    return [row.completion[-1]["content"] for row in read_examples(_path(work, "train")) if row.completion]


def _path(work: Work, split: str) -> Path:
    return work.run.split_path(split)


def _agreed(row: dict[str, float] | None) -> dict[str, float] | None:
    """What the main process saw, in every process of the training; the others wait for it."""
    from accelerate.utils import broadcast_object_list

    found = [row]
    broadcast_object_list(found)
    return found[0]
