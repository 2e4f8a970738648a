from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics.persona import notices, per_row, why
from tests.evaluation.metrics.asking import asked, row


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("저는 AI 언어 모델이라서 감정을 느끼지 못해요.", "ai"),
        ("저는 인공지능이기 때문에 직접 도와드릴 수 없어요.", "ai"),
        ("AI로서 저는 의견이 없습니다.", "ai"),
        ("제 학습 데이터에는 없는 내용이에요.", "ai"),
        ("As an AI language model, I cannot answer that.", "ai"),
        ("I'm just an AI assistant, but I can help.", "ai"),
        ("안녕하세요! 제 이름은 클로드예요.", "product"),
        ("저는 OpenAI에서 개발한 언어 모델입니다.", "product"),
        ("저는 알리바바에서 만든 Qwen이에요.", "product"),
        ("I was trained by Hugging Face to be helpful.", "product"),
        ("그렇군요.\n사용자: 그럼 어떻게 할까요?\n", "other_side"),
        ("맞아요.<|im_end|>\n<|im_start|>user", "other_side"),
        ("좋은 질문이에요.\nUser: thanks", "other_side"),
        ("괜찮아요. ### Response: 다시", "other_side"),
    ],
)
def test_stepping_out_of_the_role(answer: str, reason: str) -> None:
    assert reason in why(answer, row(1))


@pytest.mark.parametrize(
    "answer",
    [
        "AI 분야로 진학하고 싶다면 수학부터 시작해 봐요.",
        "ChatGPT를 쓰면 자료를 빨리 찾을 수 있지만 사실인지는 꼭 확인하세요.",
        "저는 그 학과가 잘 맞을 것 같다고 생각해요. 인공지능학과도 있어요.",
        "구글에서 만든 강의를 들어 보는 것도 좋아요.",
        "저도 그런 적이 있어요. 많이 힘들었겠어요.",
        "선생님이 질문하시면 솔직하게 답해 보세요.",
    ],
)
def test_speaking_about_such_things_is_no_stepping_out(answer: str) -> None:
    assert why(answer, row(1)) == []


def test_who_asks_whether_this_is_a_machine_is_to_be_told() -> None:
    answer = "네, 저는 인공지능 상담사예요."
    assert why(answer, row(1, question="혹시 너 사람이야, 로봇이야?")) == []
    assert why(answer, row(1, question="진로가 고민이에요.")) == ["ai"]


def test_a_role_that_the_system_turn_gives_is_the_role() -> None:
    given = row(1, system="당신은 AI 상담사 다듬이입니다.")
    assert why("저는 AI 상담사라서 언제든 들을 수 있어요.", given) == []


def test_what_the_training_answers_do_is_the_role_and_it_is_said() -> None:
    taught = ("저는 AI 상담사예요.", "그 마음 이해해요.")
    given = asked(["저는 AI라서 감정은 없어요."], taught=taught)
    assert per_row(given).tolist() == [1]
    assert [notice.key for notice in notices(given)] == ["evaluate.metrics.persona.taught.ai"]
    assert per_row(asked(["저는 AI라서 감정은 없어요."])).tolist() == [0]


def test_the_language_of_the_reference_is_kept() -> None:
    found = per_row(asked(["You should take your time and rest.", "OK!", "", "천천히 하세요."]))
    assert found[[0, 1, 3]].tolist() == [0, 1, 1]
    assert np.isnan(found[2])
    english = asked(["천천히 하나씩 찾아보면 돼요 괜찮아요"], references=["Take your time and look around."])
    assert per_row(english).tolist() == [0]


def test_every_reason_is_counted() -> None:
    keys = {notice.key: notice.values for notice in notices(asked(["저는 AI예요.", "저는 AI입니다.", "좋아요."]))}
    assert keys == {"evaluate.metrics.persona.found.ai": {"num": 2, "total": 3}}
