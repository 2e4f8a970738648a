"""Every row of a running batch computes what it would alone: adapters mixed, neighbours coming and going."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dadeum.gateway.catalogue import Catalogue, ServedModel
from dadeum.gateway.engine.adapters import Held, weights_key
from dadeum.gateway.engine.cache import Prefixes
from dadeum.gateway.engine.choosing import Chosen
from dadeum.gateway.engine.decoder import Fixed, Row, Running, joinable_tokens
from dadeum.gateway.engine.queue import Ticket
from tests.gateway.engine.tiny_served import Alone, ask, catalogue_on, lively, prompt
from tests.tiny import decide_recipe, save_llama, save_tokenizer


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("decoder")
    return catalogue_on(lively(save_llama(folder / "base")), folder)


@pytest.fixture(scope="module")
def alone(catalogue: Catalogue) -> Alone:
    return Alone(catalogue)


@pytest.fixture(scope="module")
def held(catalogue: Catalogue) -> Held:
    found = Held(next(iter(catalogue)).recipe)
    for model in catalogue:
        found.add(model)
    return found


def row_of(held: Held, model: ServedModel, ids: Sequence[int]) -> Row:
    loop = asyncio.new_event_loop()
    loop.close()
    row = Row(Ticket(ask(model, ids), loop), held.adapter(model.version), None, None, list(ids))  # type: ignore[arg-type]
    row.chooser = row  # type: ignore[assignment]
    return row


class Judge:
    """Chooses greedily, and holds each row's logits against those of the row alone."""

    def __init__(self, alone: Alone, tolerance: float = 1e-4) -> None:
        self.alone = alone
        self.tolerance = tolerance
        self.judged = 0

    def __call__(self, rows: Any, logits: torch.Tensor) -> list[Chosen]:
        for row, found in zip(rows, logits, strict=True):
            wanted = self.alone.logits(row.ticket.ask.model, row.ids)
            torch.testing.assert_close(found, wanted, atol=self.tolerance, rtol=self.tolerance)
            self.judged += 1
        return [Chosen(int(one.argmax())) for one in logits]


def join(running: Running, rows: Sequence[Row]) -> None:
    for _ in running.join(rows):
        pass


def test_rows_that_join_and_leave_compute_what_they_would_alone(held: Held, catalogue: Catalogue, alone: Alone) -> None:
    judge, models = Judge(alone), list(catalogue)
    with torch.inference_mode():
        running = Running(held, Prefixes(0), judge)
        rows = [row_of(held, models[n % 4], prompt(3 + 9 * n, n)) for n in range(6)]
        join(running, rows[:3])
        for _ in range(3):
            running.step()
        join(running, rows[3:])  # longer than all that run: the padding grows
        running.step()
        longest, shortest = rows[5], rows[0]
        running.keep([row for row in running.rows if row is not longest])  # the padding shrinks
        running.step()
        running.keep([row for row in running.rows if row is not shortest])
        running.step()
        join(running, [row_of(held, models[0], prompt(4))])
        running.step()
        running.keep([])
        assert running.rows == []
        join(running, [row_of(held, models[2], prompt(7))])
        running.step()
    assert judge.judged == 3 + 3 * 3 + 3 + 6 + 5 + 4 + 1 + 5 + 1 + 1


def test_adapters_differ_and_stand_together(held: Held, catalogue: Catalogue, alone: Alone) -> None:
    ids = prompt(20)
    found = [alone.logits(model, ids) for model in catalogue]
    assert all(float((a - b).abs().max()) > 0.1 for n, a in enumerate(found) for b in found[:n])
    models = list(catalogue)
    with torch.inference_mode():
        running = Running(held, Prefixes(0), Judge(alone))
        join(running, [row_of(held, models[n], prompt(5, n)) for n in (2, 0, 1, 2, 3, 0)])
    names = [row.adapter for row in running.rows]
    assert names == sorted(names)


def test_beginnings_that_were_computed_before_change_nothing(held: Held, catalogue: Catalogue, alone: Alone) -> None:
    judge, model, other = Judge(alone), *list(catalogue)[1:3]
    shared = prompt(40)
    with torch.inference_mode():
        running = Running(held, Prefixes(2**24), judge)
        first = row_of(held, model, [*shared, *prompt(5, 1)])
        join(running, [first])
        later = [row_of(held, model, [*shared, *prompt(n, n)]) for n in (9, 2, 14)]
        stranger = row_of(held, other, [*shared, *prompt(9, 9)])
        join(running, [*later, stranger])
        for _ in range(3):
            running.step()
    assert first.ticket.cached_tokens == 0
    assert [row.ticket.cached_tokens for row in later] == [32, 32, 32]
    assert stranger.ticket.cached_tokens == 0  # another version, whatever its tokens
    assert judge.judged == 1 + 4 + 3 * 5


def save_sliding(folder: Path, window: int = 16) -> Path:
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = save_tokenizer(folder)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=window, max_position_embeddings=128,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(str(folder))
    return lively(folder)


def save_convolving(folder: Path) -> Path:
    """LFM2: a layer that remembers its last tokens in a state of its own."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    tokenizer = save_tokenizer(folder)
    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, layer_types=["conv", "full_attention"], max_position_embeddings=128,
    )  # fmt: skip
    Lfm2ForCausalLM(config).save_pretrained(str(folder))
    return lively(folder)


@pytest.mark.parametrize("save", [save_sliding, save_convolving])
def test_other_caches_are_decoded_in_rows_of_one_length(tmp_path: Path, save: Any) -> None:
    base = save(tmp_path / "base")
    catalogue = catalogue_on(base, tmp_path, num_adapters=0 if save is save_convolving else 1)
    held = Held(next(iter(catalogue)).recipe)
    for model in catalogue:
        held.add(model)
    assert joinable_tokens(held) == (16 if save is save_sliding else 0)
    judge, models = Judge(Alone(catalogue)), list(catalogue)
    rows = [row_of(held, models[n % len(models)], prompt(20, n)) for n in range(3)]
    with torch.inference_mode():
        fixed = Fixed(held, rows, judge)
        for _ in range(3):
            fixed.step()
        fixed.keep(rows[1:])
        for _ in range(3):
            fixed.step()
    assert judge.judged == 3 * 3 + 3 * 2


def test_short_rows_of_a_sliding_window_join(tmp_path: Path) -> None:
    catalogue = catalogue_on(save_sliding(tmp_path / "base"), tmp_path, num_adapters=1)
    held = Held(next(iter(catalogue)).recipe)
    for model in catalogue:
        held.add(model)
    judge, models = Judge(Alone(catalogue)), list(catalogue)
    with torch.inference_mode():
        running = Running(held, Prefixes(0), judge)
        join(running, [row_of(held, models[0], prompt(3)), row_of(held, models[1], prompt(10))])
        running.step()
        join(running, [row_of(held, models[1], prompt(6))])
        for _ in range(3):
            running.step()
    assert judge.judged == 2 + 2 + 1 + 9


def test_rules_of_the_recipe_hold(held: Held, catalogue: Catalogue) -> None:
    """no_repeat_ngram 1 leaves no token that was written, whatever the prompt holds."""
    from dadeum.core.generation import Generation
    from dadeum.models.answer_rules import rules

    model = list(catalogue)[2]
    ids = prompt(8)
    with torch.inference_mode():
        running = Running(held, Prefixes(0), lambda rows, logits: [Chosen(int(one.argmax())) for one in logits])
        row, free = row_of(held, model, ids), row_of(held, model, ids)
        row.rules = rules(Generation(no_repeat_ngram=1), len(ids), None)
        join(running, [row, free])
        for _ in range(40):
            running.step()
    written = row.ids[len(ids) :]
    assert len(set(written)) == len(written)
    assert len(set(free.ids[len(ids) :])) < 41


# -- what shares weights --------------------------------------------------------------------------
def test_an_adapter_that_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, held: Held, catalogue: Catalogue, alone: Alone
) -> None:
    from dadeum.core.errors import ModelError
    from tests.gateway.engine.tiny_served import save_adapter, tuned

    base = save_sliding(tmp_path / "other")
    odd = tuned(next(iter(catalogue)).recipe, save_adapter(base, tmp_path / "odd", seed=9), "odd9")
    with pytest.raises(ModelError, match="odd9"):
        held.add(odd)
    assert "odd9@0.9" not in held.versions
    model = list(catalogue)[1]
    with torch.inference_mode():
        join(Running(held, Prefixes(0), Judge(alone)), [row_of(held, model, prompt(6))])


def test_the_last_adapter_can_go_and_another_come(tmp_path: Path, catalogue: Catalogue, alone: Alone) -> None:
    models = list(catalogue)
    held = Held(models[0].recipe)
    for model in models[:2]:
        held.add(model)
    held.remove(models[1].version)
    held.add(models[2])
    with torch.inference_mode():
        running = Running(held, Prefixes(0), Judge(alone))
        join(running, [row_of(held, models[2], prompt(6)), row_of(held, models[0], prompt(9))])
        running.step()


def test_what_shares_weights(catalogue: Catalogue, tmp_path: Path) -> None:
    keys = {weights_key(model) for model in catalogue}
    assert len(keys) == 1
    full = ServedModel(
        "full", "full@1", decide_recipe("x"), None, tmp_path, "x"
    )  # no adapter_config.json: full weights
    assert weights_key(full) not in keys
    model = next(iter(catalogue))
    fewer = model.recipe.model.model_copy(update={"precision": "bf16"})
    other = ServedModel("b", "b", model.recipe.model_copy(update={"model": fewer}), None, None, None)
    assert weights_key(other) not in keys


def test_a_layer_without_rows_is_not_mixed(held: Held) -> None:
    from dadeum.gateway.engine.adapters import NotRows

    layer = SimpleNamespace(lora_A={})
    with held.switch.through(["v1", "v2"]), pytest.raises(NotRows):
        held.switch._add(layer, (torch.zeros(6, 4),), torch.zeros(6, 4))
