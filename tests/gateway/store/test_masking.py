"""Nothing personal reaches the database, and nothing at all where no contents are kept."""

from __future__ import annotations

import json

import pytest

from dadeum.gateway.store.entries import Feedback
from dadeum.gateway.store.log import SqlStore
from dadeum.gateway.store.masking import hash_with, masked
from tests.gateway.store.databases import START, entry, settings

PHONE, MAIL, RRN = "010-2345-6789", "hana.kim77@naver.com", "901010-1234560"
TURNS = [
    {"role": "user", "content": f"제 번호는\n{PHONE}\n이고 메일은 {MAIL}입니다."},
    {"role": "assistant", "content": "네."},
]


def everything(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith("requests.db"))


def test_what_is_asked_answered_and_said_is_masked(store):
    question = json.dumps(TURNS, ensure_ascii=False)
    store.record(entry(1, question=question, answer=f"{RRN}은 알려 주지 마세요."))
    store.say(Feedback("req-000001", START, "down", correction=f"{PHONE}로 거세요.", comment=MAIL))
    [found], [said] = store.entries(), store.feedback()
    assert json.loads(found.question)[0]["content"] == "제 번호는\n<전화번호>\n이고 메일은 <이메일>입니다."
    assert found.answer == "<주민등록번호>은 알려 주지 마세요."
    assert (said.correction, said.comment) == ("<전화번호>로 거세요.", "<이메일>")


def test_masked_twice_is_masked_once():
    once = masked(json.dumps(TURNS, ensure_ascii=False))
    assert masked(once) == once


@pytest.mark.parametrize("text", ['{"a": ["01023456789", {"b": "010-2345-6789"}], "n": 1.5, "t": true, "z": null}',
             '[{"role": "user", "content": "x\\n010-2345-6789"}', "[1] 010-2345-6789"])  # fmt: skip
def test_json_whole_or_broken_is_masked(text):
    found = masked(text)
    assert "2345" not in found
    assert "<전화번호>" in found


def test_names_are_masked_where_the_data_checks_know_them():
    """Before 님 and 씨 (PI102); a name alone may be any word and stays, which the guide says."""
    assert masked("김하늘님이 이서준 씨에게 물었다.") == "<이름>님이 <이름> 씨에게 물었다."
    assert masked("김하늘이 물었다.") == "김하늘이 물었다."


def test_without_contents_only_lengths_labels_and_hashes_are_kept(tmp_path):
    store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db"))
    secret = "아무도 모르는 이야기"
    for number in (1, 2):
        store.record(entry(number, question=secret, answer=f"{secret} {number}", label="ALLOW", input_characters=11))
    store.say(Feedback("req-000001", START, "down", "BLOCK", secret, secret))
    first, second = store.entries()
    assert (first.question, first.answer, first.label, first.input_characters) == (None, None, "ALLOW", 11)
    assert first.facts["question_hash"] == second.facts["question_hash"]
    assert first.facts["answer_hash"] != second.facts["answer_hash"]
    [said] = store.feedback()
    assert (said.label, said.correction, said.comment, said.correction_characters) == ("BLOCK", None, None, len(secret))
    store.close()
    assert secret.encode() not in everything(tmp_path)


def test_what_is_deleted_is_gone_from_the_files(tmp_path):
    store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db", keep_content=True))
    store.record(entry(1, user="u", question="지워질 이야기"))
    assert "지워질 이야기".encode() in everything(tmp_path)
    assert store.forget("u") == 1
    assert "지워질 이야기".encode() not in everything(tmp_path)
    store.close()


def test_users_are_hashed_with_the_key():
    one, other = hash_with(b"a" * 32), hash_with(b"b" * 32)
    assert one("") == ""
    assert one("김하나") == one("김하나") != other("김하나")
    assert one("김하나") != one("김두리")
    assert len(one("\ud800")) == 32


def test_the_key_outlives_a_restart(tmp_path):
    hashes = set()
    for _ in range(2):
        store = SqlStore(settings(f"sqlite:///{tmp_path}/requests.db"))
        hashes.add(store.hash_user("김하나"))
        store.close()
    assert len(hashes) == 1
