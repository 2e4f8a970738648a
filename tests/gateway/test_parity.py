"""The same words from `dadeum ask` and from the API: one prompt, one rendering, one way of writing, one finishing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dadeum.asking import ask, load_answerer
from dadeum.gateway.catalogue import catalogue_of
from dadeum.gateway.engine.local import LocalEngine
from dadeum.gateway.settings import Limits
from dadeum.indexing import build_index, making_of_run
from dadeum.retrieval.places import open_index
from tests.corpora import ANSWER, built_run, recipe_on
from tests.gateway.conftest import client, make_gateway
from tests.tiny import save_llama


def test_ask_and_the_api_answer_alike(tmp_path: Path) -> None:
    generation = {"max_new_tokens": 12, "no_repeat_ngram": 2, "finish": ["drop_repeats"]}
    # The letters of a document are many tokens to this tokenizer: one chunk fits into the window of 512.
    recipe = recipe_on(
        tmp_path / "files", save_llama(tmp_path / "base"), ANSWER | {"chunks": 1}, name="library",
        generation=generation, render={"max_length_tokens": 500},
    )  # fmt: skip
    run = built_run(recipe, tmp_path / "run")
    save_llama(run.adapter_folder(recipe), seed=1)
    question = "박물관  입장료가 얼마예요?"
    build_index(tmp_path / "index", making_of_run(run.folder), run=run.folder)
    with load_answerer(run.folder) as answerer:
        offline = ask(open_index(tmp_path / "index"), question, answerer=answerer)
    engine = LocalEngine(catalogue_of([run.folder], with_base=False), Limits())
    engine.open()
    response = client(make_gateway(engine=engine)).post("/v1/tasks/answer", json={"question": question})
    assert response.status_code == 200, response.text
    online = response.json()
    assert offline.answer
    assert (online["answer"], online["refused"]) == (offline.answer, offline.refused)
    assert [one["chunk"] for one in online["passages"]] == [hit.chunk for hit in offline.hits]
    assert [one["message"] for one in online["warnings"]] == [str(one) for one in offline.warnings]
    asyncio.run(engine.drain(1))
