"""Models loaded and unloaded by name: nothing outside the root, no new base, no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dadeum.core.errors import ModelError
from dadeum.core.run import Run
from dadeum.gateway.api.admin import _check_run, admin_router
from dadeum.gateway.api.app import create_app
from dadeum.gateway.catalogue import Catalogue, ServedModel, served
from tests.gateway.conftest import AUTHORIZATION, CHAT, FakeEngine, OpenKeys, make_gateway, recipe_of
from tests.gateway.test_weights import tensors


class LoadingEngine(FakeEngine):
    """Loads as the real ones do, up to the weights."""

    async def load(self, folder: str) -> ServedModel:
        model = served(Path(folder))
        self.catalogue.add(model)
        return model


def save_run(root: Path, name: str, **changes: Any) -> Path:
    recipe = recipe_of(CHAT, name, **changes)
    run = Run.create(recipe, root / name)
    adapter = run.adapter_folder(recipe)
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(tensors())
    (adapter / "adapter_config.json").write_text("{}")
    return root / name


def web(root: Path | None, **changes: Any) -> TestClient:
    gateway = make_gateway(engine=LoadingEngine(), **changes)
    app = create_app(gateway, more=[admin_router(root)])
    return TestClient(app, raise_server_exceptions=False, headers=AUTHORIZATION)


def load(client: TestClient, name: Any) -> tuple[int, str]:
    response = client.post("/v1/admin/models", json={"run": name})
    body = response.json()
    return response.status_code, body["version"] if response.status_code == 200 else body["error"]["code"]


def test_a_run_is_served_from_its_loading_to_its_unloading(tmp_path: Path) -> None:
    save_run(tmp_path, "poet")
    client = web(tmp_path)
    status, version = load(client, "poet")
    assert status == 200 and version.startswith("poet@"), version
    chat = {"model": "poet", "messages": [{"role": "user", "content": "안녕"}]}
    assert client.post("/v1/chat/completions", json=chat).headers["x-dadeum-model"] == version
    assert client.delete(f"/v1/admin/models/{version}").json() == {"id": "poet", "version": version, "object": "model"}
    assert client.post("/v1/chat/completions", json=chat).status_code == 404
    assert client.delete(f"/v1/admin/models/{version}").status_code == 404


@pytest.mark.parametrize("name", [
    "../poet", "..", ".", "", "/etc", "poet/../poet", "poet/", "a\\b", "POET", "poet\n", "po et", "x" * 65, "p..t", "~",
    "%2e%2e",
    "http://evil.example/poet", "file:///etc", "포엣", "\u202epoet", "-poet", "poet\u0000",
])  # fmt: skip
def test_a_name_that_is_no_name_leads_nowhere(tmp_path: Path, name: str) -> None:
    save_run(tmp_path / "root", "poet")
    save_run(tmp_path, "poet")
    status, code = load(web(tmp_path / "root"), name)
    assert (status, code) in ((400, "bad_name"), (400, "bad_body"))


def test_a_link_in_the_root_leads_nowhere(tmp_path: Path) -> None:
    outside = save_run(tmp_path / "outside", "poet")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(outside)
    assert load(web(root), "linked") == (404, "run_not_found")
    inside = save_run(root, "inner")
    adapter = inside / "linked-stage"
    adapter.symlink_to(outside)
    assert load(web(root), "inner") == (400, "not_loaded")


def test_what_is_not_there_or_no_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    client = web(tmp_path)
    assert load(client, "nothing") == (404, "run_not_found")
    assert load(client, "file") == (404, "run_not_found")
    assert load(client, "empty") == (400, "not_loaded")
    assert load(web(None), "nothing") == (403, "loading_off")
    for body in ({}, {"run": 1}, {"run": "poet", "path": "/etc"}, {"run": None}):
        assert client.post("/v1/admin/models", json=body).status_code == 400


def test_no_base_is_fetched_and_no_code_is_run(tmp_path: Path) -> None:
    model = {"base": "evil/repo", "adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"}
    save_run(tmp_path, "other", model=model)
    save_run(tmp_path, "coded", model=model | {"base": "tiny-base", "trust_remote_code": True})
    pickled = save_run(tmp_path, "pickled")
    next(pickled.rglob("adapter_model.safetensors")).write_bytes(b"\x80\x04}.")
    client = web(tmp_path)
    for name, word in (("other", "evil/repo"), ("coded", "trust_remote_code"), ("pickled", "pickle")):
        response = client.post("/v1/admin/models", json={"run": name})
        assert response.status_code == 400
        assert word in response.json()["error"]["message"]


def test_a_base_in_a_folder_is_known_by_its_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name / "tiny-base").mkdir(parents=True)
    of = {"adapter": {"type": "lora", "r": 4, "alpha": 8}, "precision": "fp32"}
    catalogue = Catalogue()
    here = recipe_of(CHAT, "counsel", model=of | {"base": str(tmp_path / "here" / "tiny-base")})
    catalogue.add(ServedModel("tiny-base", "tiny-base", here, None, None, None))
    save_run(tmp_path, "mine", model=of | {"base": str(tmp_path / "there" / ".." / "here" / "tiny-base")})
    save_run(tmp_path, "other", model=of | {"base": str(tmp_path / "there" / "tiny-base")})
    _check_run(tmp_path / "mine", catalogue)
    with pytest.raises(ModelError) as told:
        _check_run(tmp_path / "other", catalogue)
    assert told.value.key == "gateway.safety.other_base"


def test_no_more_models_than_the_limit(tmp_path: Path) -> None:
    save_run(tmp_path, "poet")
    assert load(web(tmp_path, limits={"adapters": 3}), "poet") == (409, "too_many_models")


def test_a_base_stays(tmp_path: Path) -> None:
    assert web(tmp_path).delete("/v1/admin/models/tiny-base").status_code == 409


def test_only_the_scope_admin_may_do_it(tmp_path: Path) -> None:
    save_run(tmp_path, "poet")
    client = web(tmp_path, keys=OpenKeys(frozenset({"infer", "feedback", "metrics"})))
    assert load(client, "poet") == (403, "missing_scope")
    assert client.delete("/v1/admin/models/x").status_code == 403
