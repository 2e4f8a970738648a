from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, constants

from dadeum.core.errors import ExportError
from dadeum.serving.push import push
from tests.serving.conftest import SECRET_ROW, ready_run
from tests.serving.hub_server import TOKEN, Hub

GATES = {"gates": {"accuracy": ">= 0.95"}}
FILES = {"README.md", "adapter_config.json", "adapter_model.safetensors", "second.safetensors", "tokenizer.json"}


def refused(hub: Hub, *arguments: object, **named: object) -> ExportError:
    with pytest.raises(ExportError) as caught:
        push(*arguments, **named)  # type: ignore[arg-type]
    assert caught.value.in_language("ko")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_a_push_makes_a_private_repository_with_weights_tokenizer_and_card(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    pushed = push(recipe, run)
    repo = hub.repos["somi/tiny"]
    assert repo.private and pushed.private
    assert set(repo.files) == FILES | {".gitattributes"}
    assert repo.files["second.safetensors"] == (run.export_folder / "adapter" / "second.safetensors").read_bytes()
    assert (pushed.url, pushed.commit) == (f"{hub.url}/somi/tiny", repo.sha)
    assert run.manifest()["pushes"][0]["repo"] == "somi/tiny"


def test_public_only_when_asked_and_a_public_repository_only_when_meant(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    hub.add("somi/open", {})
    assert refused(hub, recipe, run, repo="somi/open").key == "push.is_public"
    assert hub.repos["somi/open"].files == {}
    assert not push(recipe, run, repo="somi/open", public=True).private
    assert not push(recipe, run, repo="somi/fresh", public=True).private
    assert not hub.repos["somi/fresh"].private


def test_a_repository_that_is_there_is_used_again(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", export={"repo": "somi/mine"})
    hub.add("somi/mine", {}, private=True)
    assert push(recipe, run).repo == "somi/mine"
    assert hub.seen("POST", "repos/create") == []


def test_a_repository_made_by_someone_else_in_between_is_no_error(hub: Hub, tmp_path: Path) -> None:
    """409: the client asks first, and between the question and the creation another process makes it."""
    recipe, run = ready_run(tmp_path / "run")
    hub.add("somi/tiny", {}, private=True)
    hub.fail("GET", "/api/models/somi/tiny$", 404, code="RepoNotFound")
    assert push(recipe, run).repo == "somi/tiny"
    assert len(hub.seen("POST", "repos/create")) == 1


def test_an_upload_that_breaks_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    broken = hashlib.sha256((run.export_folder / "adapter" / "second.safetensors").read_bytes()).hexdigest()
    hub.fail("PUT", broken, 400, body="disk full")
    assert refused(hub, recipe, run).key in ("push.upload_failed", "push.hub.answered")
    assert set(hub.repos["somi/tiny"].files) == {".gitattributes"}
    before = len(hub.seen("PUT", "/lfs/"))
    assert before == 2 and len(hub.objects) == 1
    push(recipe, run)
    assert hub.seen("PUT", "/lfs/")[before:] == [f"/lfs/{broken}"]
    assert set(hub.repos["somi/tiny"].files) == FILES | {".gitattributes"}


def test_what_is_there_already_is_neither_sent_nor_committed_again(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    first = push(recipe, run)
    sent, commits = len(hub.seen("PUT", "")), len(hub.seen("POST", "/commit/"))
    assert push(recipe, run).commit == first.commit
    assert (len(hub.seen("PUT", "")), len(hub.seen("POST", "/commit/"))) == (sent, commits)


def test_a_hub_that_stumbles_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    hub.fail("POST", "/preupload/", 503)
    push(recipe, run)
    assert len(hub.seen("POST", "/preupload/")) == 2


def test_the_default_way_through_the_xet_store(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hf_xet", reason="hf_xet has no wheel for this machine")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    recipe, run = ready_run(tmp_path / "run")
    push(recipe, run)
    assert hub.xorbs and set(hub.repos["somi/tiny"].files) >= FILES
    commits = len(hub.seen("POST", "/commit/"))
    push(recipe, run)
    assert len(hub.seen("POST", "/commit/")) == commits


# -- what the hub refuses -----------------------------------------------------------------------
def test_a_token_that_is_refused(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    hub.token = "hf_another"
    assert refused(hub, recipe, run).key == "push.hub.token_refused"
    assert refused(hub, recipe, run, repo="somi/x").key in ("push.hub.token_refused", "push.hub.no_repo")


def test_a_token_without_the_right_to_write(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    error = refused(hub, recipe, run, repo="another/x")
    assert error.key == "push.hub.forbidden" and error.values["repo"] == "another/x"


@pytest.mark.parametrize(("status", "key"), [(429, "push.hub.too_many"), (500, "push.hub.answered")])
def test_a_hub_that_cannot_now(hub: Hub, tmp_path: Path, status: int, key: str) -> None:
    recipe, run = ready_run(tmp_path / "run")
    hub.fail("POST", "repos/create", status, times=20)
    assert refused(hub, recipe, run).key == key


def test_no_way_to_the_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, run = ready_run(tmp_path / "run")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    error = refused(hub, recipe, run)
    assert error.key == "push.hub.unreachable" and error.values["endpoint"] == "http://127.0.0.1:9"


def test_offline_and_impossible_names_are_said(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, run = ready_run(tmp_path / "run")
    assert refused(hub, recipe, run, repo="somi/한글 이름").key == "push.hub.bad_name"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert refused(hub, recipe, run).key == "push.hub.offline"


# -- what we refuse -----------------------------------------------------------------------------
def test_without_a_token_it_says_where_to_get_one(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, run = ready_run(tmp_path / "run")
    monkeypatch.delenv("HF_TOKEN")
    error = refused(hub, recipe, run)
    assert "HF_TOKEN" in str(error) and f"{hub.url}/settings/tokens" in str(error)
    assert hub.requests == []


def test_a_failed_gate_stays_at_home_unless_forced_and_the_card_tells(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", gate_passed=False, evaluate=GATES)
    error = refused(hub, recipe, run)
    assert error.key == "push.gates_failed" and "accuracy >= 0.95 (0.912)" in str(error)
    assert hub.requests == []
    push(recipe, run, force=True)
    assert "**미달**" in hub.repos["somi/tiny"].files["README.md"].decode()


def test_gates_that_nobody_judged(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", scores=False, evaluate=GATES)
    assert refused(hub, recipe, run).key == "push.gates_unjudged"
    push(recipe, run, force=True)
    assert "아직 평가하지 않았습니다" in hub.repos["somi/tiny"].files["README.md"].decode()


def test_blocking_findings(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", severity="block")
    error = refused(hub, recipe, run)
    assert error.key == "push.blocking" and "DA999 shown_phrase (3)" in str(error)
    assert push(recipe, run, force=True).private


def test_the_licence_decides_the_repository_name(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", base="LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct")
    error = refused(hub, recipe, run, repo="somi/counsel")
    assert error.key == "push.name_prefix" and "somi/EXAONE-counsel" in str(error)
    assert push(recipe, run, repo="somi/EXAONE-counsel").repo == "somi/EXAONE-counsel"
    assert push(recipe, run).repo == "somi/EXAONE-tiny"


def test_an_adapter_on_a_folder_of_this_machine_is_no_use_to_others(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "my-base").mkdir()
    recipe, run = ready_run(tmp_path / "run", base=str(tmp_path / "my-base"))
    error = refused(hub, recipe, run)
    assert error.key == "push.local_base" and str(tmp_path) not in str(error)


def test_a_path_of_this_machine_does_not_go_up(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    (run.export_folder / "adapter" / "adapter_config.json").write_text('{"base": "/home/somi/models/base"}')
    error = refused(hub, recipe, run)
    assert (error.key, error.values["file"]) == ("push.machine_path", "adapter_config.json")
    assert hub.requests == [("GET", "/api/whoami-v2")]


# -- what nobody must see -----------------------------------------------------------------------
def test_no_row_of_the_data_goes_up(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    push(recipe, run)
    assert not any(SECRET_ROW.encode() in body for body in hub.bodies)
    assert not any(SECRET_ROW.encode() in content for content in hub.objects.values())
    assert "DA999" in hub.repos["somi/tiny"].files["README.md"].decode()


def test_the_token_is_nowhere(
    hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    recipe, run = ready_run(tmp_path / "run")
    hub.fail("POST", "repos/create", 400, body=f"token {TOKEN} is not welcome")
    with caplog.at_level(logging.INFO):
        error = refused(hub, recipe, run)
        push(recipe, run)
    assert "***" in str(error) and TOKEN not in repr(error) + str(error.values)
    assert TOKEN not in "".join(capfd.readouterr()) + caplog.text
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert written and not any(TOKEN.encode() in file.read_bytes() for file in written)
    assert not any(TOKEN.encode() in body for body in hub.bodies)


def test_the_card_is_valid_for_the_hub(hub: Hub, tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    push(recipe, run, repo="somi/mails")
    card = ModelCard(hub.repos["somi/mails"].files["README.md"].decode())
    assert (card.data.base_model, card.data.library_name) == ("acme/tiny-base", "peft")
    assert card.data.model_name == "mails" and "dadeum" in card.data.tags
    values = {found.metric_type: found.metric_value for found in card.data.eval_results}
    assert values == {"accuracy": 0.9123, "macro_f1": 0.9123}
    assert 'AutoPeftModelForCausalLM.from_pretrained("somi/mails")' in card.text


# -- the command --------------------------------------------------------------------------------
def command(hub: Hub, cache: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(cache), "DADEUM_LANG": "en"}
    program = "import sys; from dadeum.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=inherited | settings | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_the_command_pushes_and_says_where(hub: Hub, tmp_path: Path) -> None:
    _, run = ready_run(tmp_path / "run")
    none = command(hub, tmp_path / "cache", "push", run.folder)
    assert none.returncode == 2 and "HF_TOKEN" in none.stderr and hub.requests == []
    done = command(hub, tmp_path / "cache", "push", run.folder, "--repo", "somi/cli", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/somi/cli" in done.stdout and "private" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert set(hub.repos["somi/cli"].files) >= FILES
    assert json.loads(run.manifest_path.read_text())["pushes"][0]["private"] is True
