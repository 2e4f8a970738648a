"""Keys in a file: shown once, kept as hashes, refused alike whatever is wrong with them."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dadeum.core.errors import RunError
from dadeum.gateway import keys as module
from dadeum.gateway.keys import Everybody, KeyRing, is_loopback, keys_for, refuse_open
from dadeum.gateway.settings import Limits, Settings
from dadeum.gateway.state import Caller


def test_a_key_lets_in_whom_it_was_made_for(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    secret, key = ring.create("앱", ["feedback", "infer"])
    assert ring.caller(f"Bearer {secret}") == Caller(key.prefix, frozenset({"infer", "feedback"}))
    assert ring.caller(f"bearer   {secret}") is not None
    assert secret.startswith("dk_") and len(secret) >= 3 + 43  # 256 bits in base64
    assert key.prefix == secret[:11]


@pytest.mark.parametrize("written", [None, "", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer {} {}"])
def test_anything_else_lets_nobody_in(tmp_path: Path, written: str | None) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    secret, _ = ring.create("앱", ["infer"])
    assert ring.caller(written and written.replace("{}", secret)) is None
    assert ring.caller(f"Bearer {secret[:-1]}") is None
    assert ring.caller("Bearer " + hashlib.sha256(secret.encode()).hexdigest()) is None


def test_the_file_holds_no_key_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "serve" / "keys.json"
    secret, _ = KeyRing(path).create("앱", ["infer"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret[11:] not in path.read_text(encoding="utf-8")
    assert hashlib.sha256(secret.encode()).hexdigest() in path.read_text(encoding="utf-8")
    assert [found.name for found in path.parent.iterdir()].count("keys.json") == 1


def test_a_running_server_sees_new_and_revoked_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    running = KeyRing(path)
    assert running.caller("Bearer dk_x") is None
    secret, key = KeyRing(path).create("앱", ["infer"])
    assert running.caller(f"Bearer {secret}") is not None
    KeyRing(path).revoke(key.prefix)
    assert running.caller(f"Bearer {secret}") is None
    assert [found.state(datetime.now(UTC)) for found in running.read()] == ["revoked"]


def test_a_key_ends_on_its_day(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 1, tzinfo=UTC)]
    ring = KeyRing(tmp_path / "keys.json", now=lambda: now[0])
    secret, _ = ring.create("앱", ["infer"], days=2)
    now[0] += timedelta(days=2, seconds=-1)
    assert ring.caller(f"Bearer {secret}") is not None
    now[0] += timedelta(seconds=1)
    assert ring.caller(f"Bearer {secret}") is None


def test_every_key_is_compared_whichever_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    secrets = [ring.create(f"앱 {number}", ["infer"])[0] for number in range(5)]
    compared: list[int] = []
    compare = hmac.compare_digest

    def count(one: bytes, other: bytes) -> bool:
        compared.append(1)
        return compare(one, other)

    monkeypatch.setattr(module.hmac, "compare_digest", count)
    for asked in (secrets[0], secrets[4], "dk_wrong", ""):
        compared.clear()
        ring.caller(f"Bearer {asked}")
        assert len(compared) == 5


def test_a_damaged_or_open_file_lets_nobody_in_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = KeyRing(path)
    secret, _ = ring.create("앱", ["infer"])
    good = path.read_bytes()
    for bad in (b"", b"{", b'{"keys": [{"sha256": "x"}]}', b"\xff\xfe"):
        path.write_bytes(bad)
        assert ring.caller(f"Bearer {secret}") is None
        with pytest.raises(RunError, match="키 파일"):
            ring.read()
    path.write_bytes(good)
    assert ring.caller(f"Bearer {secret}") is not None
    path.chmod(0o666)
    assert ring.caller(f"Bearer {secret}") is None
    with pytest.raises(RunError, match="chmod 600"):
        ring.create("다른 앱", ["infer"])
    path.unlink()
    assert ring.caller(f"Bearer {secret}") is None


def test_keys_made_at_once_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    threads = [threading.Thread(target=KeyRing(path).create, args=(f"앱 {n}", ["infer"])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.prefix for key in KeyRing(path).read()}) == 8


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        ("", ["infer"], None),
        ("a\nb", ["infer"], None),
        ("가" * 65, ["infer"], None),
        ("a", [], None),
        ("a", ["root"], None),
        ("a", ["infer"], 0),
        ("a", ["infer"], -1),
        ("a", ["infer"], 10**12),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(tmp_path: Path, name: str, scopes: list[str], days: int | None) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(RunError):
        KeyRing(path).create(name, scopes, days)
    assert not path.exists()


def test_what_cannot_be_revoked_is_told(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    ring.create("앱", ["infer"])
    with pytest.raises(RunError, match="dk_nobody"):
        ring.revoke("dk_nobody")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="쓸 수 없습니다"):
        KeyRing(tmp_path / "file" / "keys.json").create("앱", ["infer"])


def test_the_rate_belongs_to_the_key(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json", Limits(requests_per_minute=1), clock=lambda: 0.0)
    one, other = Caller("dk_one", frozenset()), Caller("dk_other", frozenset())
    assert [ring.admit(one, 1), ring.admit(other, 1), ring.admit(one, 1)] == [0.0, 0.0, 60.0]


# -- opening --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("host", "own"), [
    ("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.8.8.8", True),
    ("0.0.0.0", False), ("::", False), ("", False), ("192.168.0.5", False), ("example.com", False),
    ("localhost.example.com", False), ("::ffff:8.8.8.8", False),
])  # fmt: skip
def test_which_addresses_only_this_machine_reaches(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_other_machines_are_let_in_with_keys_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    outside, keyless = Settings(host="0.0.0.0"), Settings(host="0.0.0.0", require_key=False)
    refuse_open(Settings(), path)
    refuse_open(Settings(require_key=False), path)
    with pytest.raises(RunError, match="dadeum keys create"):
        refuse_open(outside, path)
    _, key = KeyRing(path).create("앱", ["infer"])
    refuse_open(outside, path)
    with pytest.raises(RunError, match="127"):
        refuse_open(keyless, path)
    KeyRing(path).revoke(key.prefix)
    with pytest.raises(RunError, match="dadeum keys create"):
        refuse_open(outside, path)


def test_without_keys_everybody_is_one_caller_at_one_rate(tmp_path: Path) -> None:
    keys = keys_for(Settings(require_key=False, limits=Limits(requests_per_minute=1)), tmp_path / "keys.json")
    assert isinstance(keys, Everybody)
    caller = keys.caller(None)
    assert caller is not None and "admin" in caller.scopes
    assert keys.admit(caller, 1) == 0.0 and keys.admit(caller, 1) > 0
    assert isinstance(keys_for(Settings(), tmp_path / "keys.json"), KeyRing)


def test_the_file_can_be_read_by_people_and_names_when_a_key_ends(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyRing(path).create("앱", ["infer"], days=1)
    (kept,) = json.loads(path.read_text(encoding="utf-8"))["keys"]
    assert set(kept) == {"prefix", "sha256", "name", "scopes", "created", "expires", "revoked"}
    assert kept["revoked"] is None and kept["expires"] > kept["created"]
