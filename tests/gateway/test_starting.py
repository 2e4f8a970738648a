"""What a start is refused for before models are read, what it leaves behind then, and how a check is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dadeum.cli_serve import _unless_stopped
from dadeum.core.errors import DadeumError, ModelError, RecipeError, RunError
from dadeum.gateway import assembly
from dadeum.gateway.assembly import Places, assembled, refuse_start
from dadeum.gateway.settings import Settings
from dadeum.gateway.store.log import SqlStore
from tests.gateway.conftest import FakeEngine, catalogue_of_tasks

EXPERIMENT = "name: tone\nmodel: counsel\nvariants: {champion: 9, challenger: 1}\n"


def places(folder: Path, **changes: Any) -> Places:
    return Places(**({"keys": folder / "keys.json", "registry": folder / "serve" / "registry.json"} | changes))


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(**({"database": f"sqlite:///{folder}/serve/requests.db", "require_key": False} | changes))


class Broken(FakeEngine):
    """As where a model cannot be loaded."""

    async def start(self) -> None:
        raise ModelError("gateway.engine.dead")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"upstream": "localhost:8000"}, "gateway.upstream.no_address"),
        ({"upstream": "http://[x"}, "gateway.upstream.no_address"),
        ({"database": "sqlite:///{folder}/file/requests.db"}, "gateway.store.read_only"),
        ({"database": "mysql://x/y"}, "gateway.store.unknown_database"),
        ({"host": "0.0.0.0"}, "gateway.safety.keyless_host"),
    ],
)
def test_settings_are_refused_before_anything_is_made(tmp_path: Path, changes: dict[str, str], key: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    given = {name: value.format(folder=tmp_path) for name, value in changes.items()}
    with pytest.raises(RunError) as told:
        refuse_start(settings(tmp_path, **given), places(tmp_path))
    assert told.value.key == key
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_files_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: x\nvariantz: 3\n", encoding="utf-8")
    for changes in ({"experiment": tmp_path / "wrong.yaml"}, {"models_root": tmp_path / "nowhere"}):
        with pytest.raises(DadeumError):
            refuse_start(settings(tmp_path), places(tmp_path, **changes))
    assert [one.name for one in tmp_path.iterdir()] == ["wrong.yaml"]


def test_a_log_that_is_no_log_is_refused_and_a_good_one_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve" / "requests.db").write_text("no database" * 100, encoding="utf-8")
    with pytest.raises(RunError) as told:
        refuse_start(settings(tmp_path), places(tmp_path))
    assert told.value.key == "gateway.store.damaged"
    (tmp_path / "serve" / "requests.db").unlink()
    SqlStore(settings(tmp_path)).close()
    refuse_start(settings(tmp_path), places(tmp_path))
    (tmp_path / "serve" / "user.key").write_text("short", encoding="ascii")
    with pytest.raises(RunError) as broken:
        refuse_start(settings(tmp_path), places(tmp_path))
    assert broken.value.key == "gateway.store.bad_key"


def test_a_variant_without_a_version_is_refused_before_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(EXPERIMENT.replace("challenger", "nobody"), encoding="utf-8")
    monkeypatch.setattr(assembly, "engine_for", lambda *_: pytest.fail("models were loaded"))
    with pytest.raises(RecipeError) as told:
        asyncio.run(assembled(catalogue_of_tasks(), settings(tmp_path), places(tmp_path, experiment=file)))
    assert told.value.key == "gateway.variants.leads_nowhere"


def test_a_start_that_fails_leaves_no_log_no_key_and_no_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(EXPERIMENT, encoding="utf-8")
    monkeypatch.setattr(assembly, "engine_for", lambda catalogue, _settings: Broken(catalogue))
    with pytest.raises(ModelError):
        asyncio.run(assembled(catalogue_of_tasks(), settings(tmp_path), places(tmp_path, experiment=file)))
    assert [one.name for one in tmp_path.iterdir()] == ["experiment.yaml"]


def test_ctrl_c_ends_a_check_at_once_and_it_has_not_failed() -> None:
    class Server:
        should_exit = False

    server, ended = Server(), []

    async def check() -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return False

    async def stopped() -> bool:
        asyncio.get_running_loop().call_later(0.05, lambda: setattr(server, "should_exit", True))
        return await asyncio.wait_for(_unless_stopped(check(), server), 5)  # type: ignore[arg-type]

    assert asyncio.run(stopped()) is True and ended

    async def failed() -> bool:
        return False

    assert asyncio.run(_unless_stopped(failed(), Server())) is False  # type: ignore[arg-type]
