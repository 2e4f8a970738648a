"""The models in this process, asked by many at once: the same tests as a caller would make."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dadeum.core.errors import ModelError
from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine import choosing, decoder, local, schedule
from dadeum.gateway.engine.decoder import Running
from dadeum.gateway.engine.local import LocalEngine
from dadeum.gateway.engine.work import Ended, Overloaded, Piece
from dadeum.models.engines import load_engine
from dadeum.tasks import decide
from tests.gateway.engine.tiny_served import (
    Alone,
    answered,
    ask,
    catalogue_on,
    first_piece,
    lively,
    prompt,
    run_with,
    save_adapter,
    tuned,
)
from tests.models.tiny_seq2seq import DIALOGUES, save_bart
from tests.tiny import decide_recipe, example, save_llama

LONG = 400
"""New tokens of an answer that does not end by itself while a test looks."""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("local")
    return catalogue_on(lively(save_llama(folder / "base")), folder)


@pytest.fixture(scope="module")
def alone(catalogue: Catalogue) -> Alone:
    return Alone(catalogue)


async def until(true: Any) -> None:
    """Fails after five seconds."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


# -- answers ----------------------------------------------------------------------------------------
def test_three_adapters_and_their_base_answer_at_once_as_each_would_alone(catalogue: Catalogue, alone: Alone) -> None:
    models = list(catalogue)
    asks = [ask(models[n % 4], prompt(5 + 7 * n, n), most=4 + 2 * n, logprobs=0) for n in range(9)]

    async def work(engine: LocalEngine) -> list[str]:
        async def later(number: int) -> tuple[str, Ended]:
            await asyncio.sleep(0.01 * number)
            return await answered(engine, asks[number])

        found = await asyncio.gather(*(later(number) for number in range(9)))
        for asked, (text, ended) in zip(asks, found, strict=True):
            assert text == alone.text(engine, asked)
            assert ended.prompt_tokens == len(asked.prompt_ids)
            assert 0 < ended.first_token_s <= ended.total_s
        assert engine.stats().running == engine.stats().waiting == engine.stats().waiting_tokens == 0
        return [text for text, _ in found]

    texts = run_with(catalogue, work, running=4)
    assert len(set(texts)) == 9


def test_a_long_prompt_is_read_in_parts_between_the_steps_of_others(
    catalogue: Catalogue, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    step, prompts, alike = Running.step, decoder.Reader.prompts, decoder.Reader.alike

    def read(self: Any, rows: list[list[int]], shared: int, cache: Any) -> Any:
        done.append("read")
        assert max(map(len, rows)) - shared <= 32
        return prompts(self, rows, shared, cache)

    def part(self: Any, rows: list[list[int]], seen: int, cache: Any) -> Any:
        done.append("part")
        return alike(self, rows, seen, cache)

    def stepped(self: Running) -> Any:
        done.append("step")
        return step(self)

    models = list(catalogue)
    short, long = ask(models[1], prompt(10), most=60), ask(models[2], prompt(150, 3), most=8)
    again = ask(models[2], [*prompt(150, 3)[:64], *prompt(60, 4)], most=8)

    async def work(engine: LocalEngine) -> None:
        for module in (decoder, schedule):
            monkeypatch.setattr(module, "READ_TOKENS", 32)
        monkeypatch.setattr(decoder.Reader, "prompts", read)
        monkeypatch.setattr(decoder.Reader, "alike", part)
        monkeypatch.setattr(Running, "step", stepped)
        first = asyncio.create_task(answered(engine, short))
        await until(lambda: "step" in done)
        for asked, cached, parts in ((long, 0, 4), (again, 64, 1)):
            done.clear()
            text, ended = await answered(engine, asked)
            assert text == alone.text(engine, asked)
            assert (ended.cached_tokens, done.count("part")) == (cached, parts)
            assert "part part" not in " ".join(done), "a step between two parts"
        assert (await first)[0] == alone.text(engine, short)
        # Who leaves in the middle of it frees his room.
        gone = asyncio.create_task(answered(engine, ask(models[0], prompt(400, 5))))
        done.clear()
        await until(lambda: "part" in done)
        gone.cancel()
        await until(lambda: engine.stats().waiting_tokens == 0)

    run_with(catalogue, work)


def test_the_second_prompt_with_a_beginning_says_what_was_saved(catalogue: Catalogue) -> None:
    model, ids = list(catalogue)[1], prompt(60)

    async def work(engine: LocalEngine) -> list[tuple[str, Ended]]:
        return [await answered(engine, ask(model, ids)) for _ in range(2)]

    (first, without), (second, ended) = run_with(catalogue, work)
    assert first == second
    assert (without.cached_tokens, ended.cached_tokens) == (0, 48)


def test_an_answer_ends_where_the_window_does(catalogue: Catalogue) -> None:
    model = next(iter(catalogue))

    async def work(engine: LocalEngine) -> Ended:
        assert engine.window(model) == 512
        with pytest.raises(ModelError, match="512"):
            engine.submit(ask(model, prompt(512)))
        with pytest.raises(ModelError):
            engine.submit(ask(model, []))
        return (await answered(engine, ask(model, prompt(505), most=100)))[1]

    ended = run_with(catalogue, work)
    assert ended.new_tokens <= 7


def test_a_name_keeps_its_version_while_others_come_and_go(tmp_path: Path, catalogue: Catalogue) -> None:
    """Loading takes nobody's traffic, and unloading what leads a name leaves it to the version that is left."""
    first, second = (tuned(next(iter(catalogue)).recipe, tmp_path, f"same{n}") for n in (1, 2))
    first, second = (replace(one, name="same", version=f"same@{n}") for n, one in enumerate((first, second), 1))
    known = Catalogue()
    known.add(first)
    known.add(second, leads=False)
    assert known.find("same") is first
    known.point("same", "champion", second.version)
    assert known.find("same") is second
    known.remove(second.version)
    assert known.find("same") is first and known.find("same@champion") is None
    known.add(second, leads=False)
    known.remove(first.version)
    assert known.find("same") is second
    known.remove(second.version)
    assert known.find("same") is None


def test_prompts_are_rendered_as_training_did(catalogue: Catalogue) -> None:
    model = list(catalogue)[1]
    turns = example(1, "BLOCK", "<|im_end|> 당첨").prompt

    async def work(engine: LocalEngine) -> tuple[int, ...]:
        return engine.prompt_ids(model, turns)

    wanted = load_engine(model.recipe, None).renderer.prompt_ids(turns)
    assert list(run_with(catalogue, work)) == wanted


# -- who leaves, who is late, who is too many -------------------------------------------------------
def test_leaving_stops_the_row_and_nobody_else(catalogue: Catalogue, alone: Alone) -> None:
    models = list(catalogue)

    async def work(engine: LocalEngine) -> None:
        answer, _ = await first_piece(engine, ask(models[0], prompt(9), LONG))
        other = asyncio.ensure_future(answered(engine, ask(models[1], prompt(20), 60)))
        await until(lambda: engine.stats().running == 2)
        await answer.aclose()
        await until(lambda: engine.stats().running <= 1)
        assert (await other)[0] == alone.text(engine, ask(models[1], prompt(20), 60))
        await until(lambda: engine.stats().waiting_tokens == 0)

    run_with(catalogue, work)


def test_a_deadline_ends_what_runs_and_what_waits(catalogue: Catalogue) -> None:
    model = next(iter(catalogue))

    async def work(engine: LocalEngine) -> list[tuple[str, Ended]]:
        answer, _ = await first_piece(engine, ask(model, prompt(9), LONG))
        waiting = answered(engine, ask(model, prompt(8), LONG, seconds=0.05))
        found = [await waiting]
        await answer.aclose()
        return [*found, await answered(engine, ask(model, prompt(7), LONG, seconds=0.15))]

    (text, waited), (_written, ran) = run_with(catalogue, work, running=1)
    assert (waited.reason, waited.new_tokens, text) == ("timeout", 0, "")
    assert ran.reason == "timeout"
    assert 0 < ran.new_tokens < LONG


def test_too_many_are_refused_at_once(catalogue: Catalogue) -> None:
    model = next(iter(catalogue))

    async def work(engine: LocalEngine) -> None:
        answers = [engine.submit(ask(model, prompt(9), LONG)) for _ in range(2)]
        with pytest.raises(Overloaded) as refused:
            engine.submit(ask(model, prompt(9)))
        assert refused.value.reason == "requests"
        for answer in answers:
            await answer.aclose()
        await until(lambda: engine.stats().waiting_tokens == 0)
        await answered(engine, ask(model, prompt(9)))

    run_with(catalogue, work, waiting_requests=2)


def test_draining_finishes_what_it_can(catalogue: Catalogue) -> None:
    model = next(iter(catalogue))

    async def work(engine: LocalEngine) -> tuple[Ended, Ended]:
        short, long = (asyncio.ensure_future(answered(engine, ask(model, prompt(9), most))) for most in (10, LONG))
        await until(lambda: engine.stats().running == 2)
        await engine.drain(0.1)
        assert not engine.stats().accepting
        with pytest.raises(Overloaded) as refused:
            engine.submit(ask(model, prompt(9)))
        assert refused.value.reason == "draining"
        return (await short)[1], (await long)[1]

    short, long = run_with(catalogue, work)
    assert short.reason in ("stop", "length")
    assert long.reason == "cancelled"


def test_long_prompts_are_read_between_steps(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is being answered waits for 50 tokens of prompts at a time, not for all that came."""
    model, join, read = next(iter(catalogue)), Running.join, []

    def noted(running: Running, rows: Any) -> Any:
        read.append(sum(len(row.ids) for row in rows))
        return join(running, rows)

    monkeypatch.setattr(Running, "join", noted)
    monkeypatch.setattr(schedule, "READ_TOKENS", 50)

    async def work(engine: LocalEngine) -> None:
        await asyncio.gather(*(answered(engine, ask(model, prompt(size, size), 20)) for size in (20, 30, 25, 60, 10)))

    run_with(catalogue, work)
    assert sum(read) == 145
    assert max(read) == 60


# -- mistakes ---------------------------------------------------------------------------------------
def test_a_mistake_ends_the_answers_of_its_step_and_the_engine_goes_on(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, step = next(iter(catalogue)), Running.step

    def broken(running: Running) -> Any:
        monkeypatch.setattr(Running, "step", step)
        raise RuntimeError("one wrong shape")

    async def work(engine: LocalEngine) -> tuple[Ended, Ended]:
        monkeypatch.setattr(Running, "step", broken)
        first = await answered(engine, ask(model, prompt(9)))
        return first[1], (await answered(engine, ask(model, prompt(9))))[1]

    with caplog.at_level(logging.ERROR):
        failed, fine = run_with(catalogue, work)
    assert (failed.reason, failed.detail) == ("error", "RuntimeError: one wrong shape")
    assert "one wrong shape" in caplog.text
    assert fine.reason in ("stop", "length")


def test_a_lack_of_memory_loses_no_answer(
    catalogue: Catalogue, alone: Alone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows are read anew, half as many at once: what was told before is neither told twice nor left out."""
    models, step, most = list(catalogue), Running.step, []

    def short_of_memory(running: Running) -> Any:
        if len(running.rows) > 2 and len(running.rows[0].ids) > 14:
            raise torch.OutOfMemoryError("out of memory")
        most.append(len(running.rows))
        return step(running)

    monkeypatch.setattr(Running, "step", short_of_memory)
    asks = [ask(models[n], prompt(9, n), 30) for n in range(4)]

    async def work(engine: LocalEngine) -> None:
        found = await asyncio.gather(*(answered(engine, asked) for asked in asks))
        assert [text for text, _ in found] == [alone.text(engine, asked) for asked in asks]

    with caplog.at_level(logging.WARNING):
        run_with(catalogue, work)
    assert max(most) == 4
    assert "limits.running" in caplog.text


def test_a_dead_worker_takes_nothing_more(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    model = next(iter(catalogue))

    def killed(running: Running) -> Any:
        raise SystemExit("gone")

    async def work(engine: LocalEngine) -> Ended:
        assert engine.stats().accepting
        monkeypatch.setattr(Running, "step", killed)
        ended = (await answered(engine, ask(model, prompt(9))))[1]
        await until(lambda: not engine.stats().accepting)
        with pytest.raises(ModelError):
            engine.submit(ask(model, prompt(9)))
        assert engine.stats().waiting_tokens == 0
        return ended

    assert run_with(catalogue, work).reason == "error"


# -- loading ----------------------------------------------------------------------------------------
def test_adapters_come_and_go_while_others_are_answered(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = list(catalogue)
    weights = save_adapter(Path(models[0].recipe.model.base), tmp_path / "new", seed=7)
    new = tuned(models[0].recipe, weights, "new7")
    monkeypatch.setattr(local, "served", lambda folder: new)
    mine = Catalogue(dict(catalogue.models), dict(catalogue.aliases))

    async def work(engine: LocalEngine) -> None:
        answer, _ = await first_piece(engine, ask(models[1], prompt(9), LONG))
        running = asyncio.ensure_future(rest(answer))
        assert await engine.load("new") is new
        assert await engine.load("new") is new
        text, _ = await answered(engine, ask(new, prompt(12)))
        assert text == Alone(Catalogue({new.version: new})).text(engine, ask(new, prompt(12)))
        leaving = asyncio.ensure_future(engine.unload(models[1].version))
        await asyncio.sleep(0.05)
        with pytest.raises(ModelError):
            engine.submit(ask(models[1], prompt(5)))
        assert not leaving.done() or running.done()
        assert (await running).reason in ("stop", "length")
        await leaving
        assert mine.find("tuned0") is None
        await answered(engine, ask(models[2], prompt(5)))

    run_with(mine, work)


async def rest(answer: Any) -> Ended:
    return [event async for event in answer][-1]


def test_more_adapters_than_allowed_are_refused(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    model = list(catalogue)[1]
    new = ServedModel("more", "more@1", model.recipe, None, model.weights, "base")
    monkeypatch.setattr(local, "served", lambda folder: new)

    async def work(engine: LocalEngine) -> None:
        with pytest.raises(ModelError, match="more@1"):
            await engine.load("more")

    run_with(Catalogue(dict(catalogue.models), dict(catalogue.aliases)), work, adapters=3)


def test_full_weights_are_a_base_of_their_own(catalogue: Catalogue, tmp_path: Path) -> None:
    models = list(catalogue)
    adapter = models[0].recipe.model.model_copy(
        update={
            "adapter": type(decide_recipe("x", model={"base": "x", "adapter": {"type": "none"}}).model.adapter)(
                type="none"
            )
        }
    )
    weights = lively(save_llama(tmp_path / "full", seed=5))
    full = ServedModel("full", "full@1", models[0].recipe.model_copy(update={"model": adapter}), None, weights, "base")
    both = Catalogue({models[1].version: models[1], full.version: full})

    async def work(engine: LocalEngine) -> None:
        asks = [ask(model, prompt(11), 10) for model in both]
        found = await asyncio.gather(*(answered(engine, asked) for asked in asks))
        assert [text for text, _ in found] == [Alone(both).text(engine, asked) for asked in asks]
        assert len(engine._workers) == 2
        await engine.unload(full.version)
        assert len(engine._workers) == 1

    run_with(both, work)


def test_a_base_that_is_not_there_says_so(tmp_path: Path) -> None:
    recipe = decide_recipe(tmp_path / "nothing")
    missing = Catalogue({"base": ServedModel("base", "base", recipe, None, None, None)})

    async def work(engine: LocalEngine) -> None:
        raise AssertionError("never started")

    with pytest.raises(ModelError, match="nothing"):
        run_with(missing, work)


# -- decisions --------------------------------------------------------------------------------------
def test_decisions_equal_evaluation_whoever_asks_at_the_same_time(catalogue: Catalogue) -> None:
    models = list(catalogue)[:3]
    recipe = models[0].recipe
    prompts = [example(n, "BLOCK", subject="당첨 " * n).prompt for n in range(1, 8)]
    candidates = decide.candidates(recipe.task)

    async def work(engine: LocalEngine) -> list[list[np.ndarray]]:
        async def one(model: ServedModel, turns: Any) -> np.ndarray:
            return (await engine.decide(model, [turns], [candidates]))[0]

        writing = asyncio.ensure_future(answered(engine, ask(models[0], prompt(9), 80)))
        found = await asyncio.gather(*(one(model, turns) for model in models for turns in prompts))
        await writing
        return [found[n * len(prompts) : (n + 1) * len(prompts)] for n in range(len(models))]

    for model, found in zip(models, run_with(catalogue, work), strict=True):
        wanted = load_engine(recipe, model.weights).score(prompts, candidates, batch_size=4)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_each_prompt_may_have_candidates_of_its_own(catalogue: Catalogue) -> None:
    model = list(catalogue)[1]
    prompts = [example(n, "BLOCK", subject="당첨 " * n).prompt for n in (1, 5)]
    candidates = [["예", "아니요"], ["1", "2", "3"]]

    async def work(engine: LocalEngine) -> list[np.ndarray]:
        return await engine.decide(model, prompts, candidates)

    for turns, texts, found in zip(prompts, candidates, run_with(catalogue, work), strict=True):
        wanted = load_engine(model.recipe, model.weights).score([turns], texts, batch_size=1)[0]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_weights_are_touched_by_one_thread_only(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    forward = torch.nn.Linear.forward

    def noted(layer: Any, x: torch.Tensor) -> torch.Tensor:
        seen.add(threading.current_thread().name)
        return forward(layer, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", noted)
    model = list(catalogue)[1]

    async def work(engine: LocalEngine) -> None:
        await asyncio.gather(
            answered(engine, ask(model, prompt(9))),
            engine.decide(model, [example(1, "BLOCK").prompt], [["a", "b"]]),
        )

    run_with(catalogue, work)
    assert seen == {"dadeum-engine"}


# -- answers that are written whole -------------------------------------------------------------------
def test_encoder_decoders_write_what_evaluation_writes(tmp_path: Path) -> None:
    base = save_bart(tmp_path / "bart")
    task = {"type": "summarize", "instruction": ""}
    recipe = decide_recipe(base, task=task, stages=[{"name": "sft", "method": "sft", "epochs": 1}])
    model = ServedModel("base", "base", recipe, None, None, None)
    prompts: Any = [[{"role": "user", "content": source}] for source, _ in DIALOGUES]
    wanted = load_engine(recipe, None).write(prompts, 12, batch_size=2)

    async def work(engine: LocalEngine) -> list[tuple[str, Ended]]:
        window = engine.window(model)  # one for each side: a long prompt leaves no less for its answer
        assert (engine.answer_room(model, window), engine.answer_room(model, window + 1)) == (window, -1)
        asks = [ask(model, engine.prompt_ids(model, turns), 12) for turns in prompts]
        return await asyncio.gather(*(answered(engine, asked) for asked in asks))

    found = run_with(Catalogue({"base": model}), work)
    assert [text.strip() for text, _ in found] == [written.text for written in wanted]
    assert [ended.reason == "stop" for _, ended in found] == [written.finished for written in wanted]


def test_beams_of_the_recipe_are_weighed_as_in_evaluation(catalogue: Catalogue) -> None:
    recipe = next(iter(catalogue)).recipe
    recipe = recipe.model_copy(update={"generation": recipe.generation.model_copy(update={"beams": 3})})
    tuned0 = list(catalogue)[1]
    model = ServedModel("beams", "beams@1", recipe, None, tuned0.weights, "base")
    prompts = [example(n, "BLOCK", subject="당첨 " * n).prompt for n in (1, 4, 2)]
    wanted = load_engine(recipe, model.weights).write(prompts, 8, batch_size=4, generation=recipe.generation)

    async def work(engine: LocalEngine) -> list[tuple[str, Ended]]:
        asks = [ask(model, engine.prompt_ids(model, turns), 8) for turns in prompts]
        return await asyncio.gather(*(answered(engine, asked) for asked in asks))

    found = run_with(Catalogue({model.version: model}), work)
    assert [text for text, _ in found] == [written.text for written in wanted]


def test_the_caller_may_bring_another_way_of_choosing(catalogue: Catalogue) -> None:
    """A stop text and numbers of one's own are `choosing.py`'s; the engine only asks it."""
    model = next(iter(catalogue))

    class Always:
        Chooser = choosing.Chooser

        @staticmethod
        def choose_all(choosers: Any, logits: torch.Tensor) -> Any:
            return [one.took(50, None) for one in choosers]

    async def work() -> list[Any]:
        engine = LocalEngine(catalogue, local.Limits(), Always)
        await engine.start()
        try:
            return [event async for event in engine.submit(ask(model, prompt(5), 3))]
        finally:
            await engine.drain(0)

    events = asyncio.run(work())
    assert all(isinstance(event, Piece) for event in events[:-1])
    assert (events[-1].reason, events[-1].new_tokens) == ("length", 3)
