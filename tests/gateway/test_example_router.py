"""examples/route_questions.py against the whole app: a socket, LangGraph, and ChatOpenAI as people install them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dadeum.gateway.catalogue import Catalogue
from tests.corpora import ANSWER, built_run, recipe_on
from tests.gateway.conftest import CHAT, KEY, FakeEngine, make_gateway, model_of, recipe_of, serving
from tests.tiny import save_tokenizer

EXAMPLE = Path(__file__).parents[2] / "examples" / "route_questions.py"
FACT, PERSONAL = "박물관 입장료가 얼마예요?", "이직이 두려워요."
NAMES = ["--answerer", "library", "--counsellor", "counsel"]


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("route_questions", EXAMPLE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and LangGraph look names up where a class was made
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """library (answer, with documents of its own) and counsel (chat)."""
    root, found = tmp_path_factory.mktemp("runs"), Catalogue()
    save_tokenizer(root / "base")
    recipe = recipe_on(root / "files", root / "base", ANSWER, name="library", generation={"max_new_tokens": 60})
    found.add(model_of(recipe, "aaaaaaaaaaaa", built_run(recipe, root / "library").folder))
    found.add(model_of(recipe_of(CHAT, "counsel"), "bbbbbbbbbbbb", root / "counsel"))
    return found


@pytest.fixture
def gateway(catalogue: Catalogue) -> Any:
    """A model that tells the two questions apart, and answers by who is asked."""

    def weights(turns: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return [0.9 if (FACT in turns[-1]["content"]) == (text == "사실") else 0.1 for text in texts]

    texts = {"library": "입장료는 8천 원입니다. [1]", "counsel": "무엇이 가장 두려우신가요?"}
    engine = FakeEngine(catalogue, answer=lambda ask: texts[ask.model.name])
    engine.scores = weights
    return make_gateway(engine=engine)


def told(example: ModuleType, monkeypatch: pytest.MonkeyPatch, address: str, *given: str, key: str = KEY) -> None:
    monkeypatch.setenv("DADEUM_KEY", key)
    monkeypatch.setenv("DADEUM_URL", address)
    monkeypatch.setattr(sys, "argv", ["route_questions.py", *NAMES, *given])
    example.main()


def test_facts_go_to_the_documents_and_worries_to_the_counsellor(
    example: ModuleType, gateway: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(gateway) as address:
        told(example, monkeypatch, address, FACT, PERSONAL)
    fact, personal = capsys.readouterr().out.strip().split("\n\n")
    asked = [(entry.route, entry.model) for entry in gateway.store.written]
    assert asked == [
        ("/v1/systemone", "counsel"), ("/v1/tasks/answer", "library"),
        ("/v1/systemone", "counsel"), ("/v1/chat/completions", "counsel"),
    ]  # fmt: skip
    assert ("길: 사실 (90%)" in fact, "답: 입장료는 8천 원입니다." in fact) == (True, True)
    [source] = [line for line in fact.splitlines() if line.startswith("출처: ")]
    assert "쪽: " in source and "8천 원" in source
    assert ("길: 개인 (90%)" in personal, "답: 무엇이 가장 두려우신가요?" in personal) == (True, True)
    assert "출처" not in personal
    ids = [entry.request_id for entry in gateway.store.written]
    assert (f"요청: {ids[1]}" in fact, f"요청: {ids[3]}" in personal) == (True, True)


def test_the_question_of_the_route_tells_what_each_way_means(example: ModuleType, gateway: Any) -> None:
    with serving(gateway) as address:
        service = example.Service(address, KEY, "counsel", "library", "counsel")
        found = example.router_graph(service).invoke({"question": PERSONAL})
    assert (found["route"], found["sources"]) == ("개인", [])
    [(model, [turns], [options])] = gateway.engine.decided
    assert (model.name, options) == ("counsel", list(example.ROUTES))
    assert all(meaning in turns[-1]["content"] for meaning in example.ROUTES.values())


def test_a_refusal_is_told_in_the_server_s_own_words(
    example: ModuleType, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(gateway) as address:
        with pytest.raises(SystemExit, match="API 키가 없거나 맞지 않습니다"):
            told(example, monkeypatch, address, FACT, key="dk_other")
        with pytest.raises(SystemExit, match="nobody"):
            told(example, monkeypatch, address, "--router", "nobody", FACT)
