"""Feedback as files: every request is in one or counted with a reason, and dadeum's own steps read the files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dadeum.core.errors import RunError
from dadeum.core.messages import LANGUAGES, text
from dadeum.data.corpus import Given
from dadeum.data.doctor import check_files
from dadeum.gateway.preferences import export, latest
from dadeum.gateway.store.entries import Entry, Feedback
from dadeum.training.preferences.judged import pairs_of_file
from dadeum.training.preferences.kept import Preference
from dadeum.training.preferences.prompts import Prompts
from tests.gateway.conftest import MemoryStore
from tests.training.preferences.judged_files import recipe, write_run

START = datetime(2026, 11, 2, tzinfo=UTC)
TURNS = [
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "네."},
    {"role": "user", "content": "뭐 해?"},
]


class Log(MemoryStore):
    """Requests of one minute each, with what was said."""

    def asked(self, question, answer, *said, **changes):
        number = len(self.written)
        values = {
            "request_id": f"r{number:03}", "time": START + timedelta(minutes=number), "route": "/v1/chat/completions",
            "key_id": "k", "user": "", "model": "counsel", "version": "counsel@aaaaaaaaaaaa", "task": "chat",
            "status": 200, "reason": "stop", "question": question, "answer": answer,
        }  # fmt: skip
        self.record(Entry(**(values | changes)))
        for one in said:
            self.say(Feedback(f"r{number:03}", START, **one))

    def decided(self, fields, label, *said, **changes):
        question = fields if isinstance(fields, str | None) else json.dumps(fields, ensure_ascii=False)
        mail = {"version": "mail@cccccccccccc", "task": "decide", "label": label}
        self.asked(question, label, *said, **(mail | changes))


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_request_is_in_a_file_or_counted(tmp_path):
    log = Log()
    log.asked("날씨 어때요?", "몰라.", {"rating": "down", "correction": "맑아요."})
    log.asked(json.dumps(TURNS, ensure_ascii=False), "자요.", {"correction": "일하고 있어요."})
    log.asked("점심은요?", "국수요.", {"rating": "up"})
    log.asked("점심은요?", "몰라.", {"rating": "up"}, {"rating": "down"})
    log.asked("저녁은요?", "밥이요.", {"rating": "up", "correction": "죽이요."})
    log.asked("저녁은요?", "밥이요.", {"correction": " 밥이요. "})
    log.asked("저녁은요?", "밥이요.", {"comment": "음"})
    log.asked("저녁은요?", "밥이요.")
    log.asked(None, None, {"rating": "up"})
    log.asked("저녁은요?", "밥이요.", {"rating": "down", "correction_characters": 4})
    log.asked("저녁은요?", "", {"rating": "down"}, status=504)
    log.asked("저녁은요?", "밥이요.", {"rating": "down"}, shadow_of="r000")
    found = export(log, tmp_path)
    assert rows(tmp_path / "counsel.pairs.jsonl") == [
        {"prompt": "날씨 어때요?", "chosen": "맑아요.", "rejected": "몰라."},
        {"prompt": TURNS, "chosen": "일하고 있어요.", "rejected": "자요."},
    ]
    user = {"role": "user", "content": "점심은요?"}
    assert rows(tmp_path / "counsel.ratings.jsonl") == [
        {"prompt": "점심은요?", "answer": answer, "rating": rating,
         "messages": [user, {"role": "assistant", "content": answer}]}
        for answer, rating in (("국수요.", 1), ("몰라.", 0))
    ]  # fmt: skip
    left_out = {"contradictory": 1, "unchanged": 1, "only_comment": 1, "no_feedback": 1, "no_content": 2,
                "not_answered": 1}  # fmt: skip
    assert found.left_out == left_out
    assert sum(left_out.values()) + 4 + 1 == len(log.written)


def test_answers_from_documents_keep_the_prompt_that_the_model_saw(tmp_path):
    log, of = Log(), {"task": "answer", "route": "/v1/tasks/answer", "version": "qa@dddddddddddd"}
    seen = [{"role": "user", "content": "[1] 규정 p.1\n연차는 15일입니다.\n\n질문: 연차는?"}]
    log.asked(json.dumps(seen, ensure_ascii=False), "10일입니다.", {"correction": "15일입니다."}, **of)
    log.asked("연차는?", "10일입니다.", {"correction": "15일입니다."}, **of)
    log.asked("주차는?", "자료에 없습니다.", {"rating": "up"}, **of)
    found = export(log, tmp_path)
    assert rows(tmp_path / "qa.pairs.jsonl") == [{"prompt": seen, "chosen": "15일입니다.", "rejected": "10일입니다."}]
    assert found.left_out == {"no_chunks": 2}
    assert any("2" in str(line) and "문서" in str(line) for line in found.words())


def test_decisions_become_rows_of_the_recipes_fields(tmp_path):
    log = Log()
    log.decided({"subject": "회의"}, "BLOCK", {"label": "ALLOW"})
    log.decided({"subject": "광고"}, "BLOCK", {"rating": "up"})
    log.decided({"subject": "광고"}, "BLOCK", {"label": "BLOCK"})
    log.decided({"subject": "둘"}, "BLOCK", {"label": "ALLOW"})
    log.decided({"subject": "둘"}, "BLOCK", {"label": "BLOCK"})
    log.decided({"subject": "셋"}, "BLOCK", {"rating": "up", "label": "ALLOW"})
    log.decided({"subject": "넷"}, "BLOCK", {"rating": "down"})
    log.decided("필드 없는 물음", "예", {"label": "아니요"})
    log.decided(None, "BLOCK", {"label": "ALLOW"})
    found = export(log, tmp_path)
    [(path, (kind, num))] = found.files.items()
    assert (path.name, kind, num) == ("mail.decisions.jsonl", "decisions", 2)
    assert rows(path) == [{"subject": "회의", "label": "ALLOW"}, {"subject": "광고", "label": "BLOCK"}]
    assert found.left_out == {"contradictory": 3, "repeated": 1, "only_comment": 1, "no_fields": 1, "no_content": 1}


def test_the_last_word_counts_on_each_question():
    said = [Feedback("a", START, "up", comment="가"), Feedback("b", START, "up"), Feedback("a", START, label="X"),
            Feedback("a", START, "down", correction="나", correction_characters=1)]  # fmt: skip
    found = latest(said)
    assert (found["a"].rating, found["a"].label, found["a"].correction, found["a"].comment) == ("down", "X", "나", "가")
    assert found["b"] == said[1]


def test_only_the_time_that_is_asked_for(tmp_path):
    log = Log()
    for number in range(4):
        log.asked(f"물음 {number}", "답", {"rating": "up"})
    export(log, tmp_path, START + timedelta(minutes=1), START + timedelta(minutes=3))
    assert [row["prompt"] for row in rows(tmp_path / "counsel.ratings.jsonl")] == ["물음 1", "물음 2"]


def test_what_a_person_reads_says_what_was_left_out(tmp_path):
    log = Log()
    assert [one.key for one in export(log, tmp_path).words()] == ["gateway.preferences.nothing"]
    log.asked("전화는 <전화번호>예요?", "네.", {"rating": "up"})
    log.asked(None, None, {"rating": "up"})
    told = export(log, tmp_path).words()
    assert [one.key.rpartition(".")[2] for one in told] == ["written", "left_out", "keep", "masked"]
    for language in LANGUAGES:
        assert all(text(one.key, language, **one.values) for one in told)


def test_a_stage_on_preferences_reads_both_files(tmp_path):
    log = Log()
    log.asked("날씨 어때요?", "몰라.", {"correction": "맑아요."})
    log.asked(json.dumps(TURNS, ensure_ascii=False), "자요.", {"correction": "일하고 있어요."})
    log.asked("점심은요?", "국수요.", {"rating": "up"})
    log.asked("점심은요?", "몰라.", {"rating": "down"})
    log.asked(json.dumps(TURNS, ensure_ascii=False), "좋은 답", {"rating": "up"})
    log.asked(json.dumps(TURNS, ensure_ascii=False), "나쁜 답", {"rating": "down"})
    found = export(log, tmp_path / "out")
    prompts = Prompts(recipe("none"), write_run(tmp_path / "run"))
    read = {kind: list(pairs_of_file(path, prompts)) for path, (kind, _) in found.files.items()}
    assert all(isinstance(pair, Preference) for pairs in read.values() for pair in pairs)
    assert [(pair.chosen, pair.rejected) for pair in read["pairs"]] == [
        ("맑아요.", "몰라."),
        ("일하고 있어요.", "자요."),
    ]
    rated = {(pair.chosen, pair.rejected) for pair in read["ratings"]}
    assert rated == {("국수요.", "몰라."), ("좋은 답", "나쁜 답")}


@pytest.mark.parametrize(("kind", "task"), [("pairs", None), ("ratings", "chat"), ("decisions", "decide")])
def test_data_check_reads_them(tmp_path, kind, task):
    log = Log()
    for number in range(30):
        log.asked(f"{number}번째 물음은 무엇인가요?", f"{number}번 답입니다.", {"rating": "up"} if number % 2 else
                  {"correction": f"{number}번의 옳은 답입니다."})  # fmt: skip
        log.decided({"subject": f"{number}번째 제목입니다", "body": f"본문 {number * 7}입니다."}, "BLOCK",
                    {"label": "ALLOW" if number % 2 else "BLOCK"})  # fmt: skip
    found = export(log, tmp_path)
    [(path, num)] = [(path, num) for path, (of, num) in found.files.items() if of == kind]
    corpus = check_files([Given(path)], task=task).corpus
    assert sum(map(len, corpus.splits.values())) == num
    assert corpus.unread == []


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    log = Log()
    log.asked("물음", "답", {"rating": "up"})
    with pytest.raises(RunError):
        export(log, tmp_path / "file")
