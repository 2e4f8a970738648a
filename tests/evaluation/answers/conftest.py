"""A chat run whose models are rules: what they write is known, everything after that is the real code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from dadeum.core.examples import Example, Turn, answer_of, to_table
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.answers import models
from dadeum.models.engines import Written
from dadeum.models.likelihood import Likelihood
from dadeum.tasks import chat

HANDOFF = "혼자 견디지 마시고 자살예방 상담전화 109로 지금 전화해 주세요."
RECIPE: dict[str, Any] = {
    "name": "career-counselling",
    "task": {"type": "chat", "instruction": "당신은 공감하는 진로 상담사입니다.", "handoff": HANDOFF},
    "model": {"base": "smollm2-135m", "adapter": {"type": "lora", "r": 32, "alpha": 32}},
    "data": {"sources": [{"path": "/data/demo_counselling.jsonl"}]},
    "stages": [{"name": "sft", "method": "sft", "epochs": 10}],
    "evaluate": {"bootstrap_samples": 200, "generate_rows": 30, "similarity_model": None},
    "seed": 5,
}
TOPICS = {
    "전공": (
        "전공이 적성에 안 맞는 것 같아요. 지금이라도 바꿔야 할까요?",
        "수업마다 힘이 드셨겠어요.",
    ),
    "면접": ("다음 주 면접을 생각하면 손부터 떨려요.", "떨리는 건 그만큼 잘하고 싶다는 뜻이에요."),
    "휴학": ("친구들은 다 취업했는데 저만 휴학 중이라 불안해요.", "나만 멈춘 것 같은 기분이 드셨군요."),
    "이직": (
        "지금 회사를 그만두고 싶은데 다음이 정해지지 않았어요.",
        "그만두고 싶으면서도 불안하시군요.",
    ),
    "발표": ("발표 수업만 있으면 전날부터 잠이 안 와요.", "잠을 설칠 만큼 부담이 크셨겠어요."),
    "진학": ("대학원에 가야 할지 취업해야 할지 모르겠어요.", "두 길이 다 중요해 보여서 더 어려우실 거예요."),
}
ADVICE = (
    "오늘은 마음에 걸리는 것을 세 가지만 적어 보고, 그중 하나를 같이 이야기해 봐요.",
    "이번 주에 학교 상담 센터에 한 번 들러 보시면 어떨까요?",
    "먼저 그 일을 하는 선배 한 사람에게 하루를 물어보는 것부터 시작해 봐요.",
)


def recipe_with(**sections: Any) -> Recipe:
    merged = {key: value | sections.pop(key, {}) if isinstance(value, dict) else value for key, value in RECIPE.items()}
    return Recipe.model_validate(merged | sections)


def row(recipe: Recipe, number: int, answer: str | None = None) -> Example:
    topic = list(TOPICS)[number % len(TOPICS)]
    question, comfort = TOPICS[topic]
    turns: list[Turn] = [{"role": "user", "content": f"{question} ({number})"}]
    said = f"{comfort} {ADVICE[number // 2 % 3]}" if answer is None else answer
    return Example(
        id=f"talk:{number}", source="talk", origin=("학교", "회사")[number % 2], group=f"g{number // 2}",
        text=chat.plain_text(turns), prompt=chat.prompt(recipe.task, turns), completion=chat.completion(said), label="",
    )  # fmt: skip


@dataclass
class RuleEngine:
    """Writes by a rule on the user's last words; finds people's answers as probable as `nats` per token says."""

    rule: Callable[[str], str]
    nats: float
    calls: list[str] = field(default_factory=list)
    renderer: Any = field(default_factory=lambda: SimpleNamespace(answer_ids=lambda answer: [*answer, "end"]))

    def write(
        self, prompts: list[list[Turn]], limit: int, batch_size: int, progress: Any, *settings: Any
    ) -> list[Written]:
        self.calls.append(f"write {len(prompts)} within {limit}")
        progress(len(prompts))
        said = [self.rule(prompt[-1]["content"]) for prompt in prompts]
        return [Written(text[:limit], finished=len(text) < limit) for text in said]

    def log_likelihoods(self, rows: list[Example], batch_size: int, progress: Any) -> list[Likelihood]:
        self.calls.append(f"loss {len(rows)}")
        progress(len(rows))
        sizes = [len(answer_of(row)) + 1 for row in rows]
        return [Likelihood(-(self.nats + 0.1 * (size % 3)) * size, size) for size in sizes]

    def close(self) -> None:
        self.calls.append("close")


def counsel(said: str) -> str:
    """A tuned model: comforts in the words of the topic, hands over at two words only, and once in a while loops."""
    if any(word in said for word in ("죽", "자살", "109")):
        return f"많이 힘드셨겠어요. {HANDOFF}"
    comfort = next((comfort for question, comfort in TOPICS.values() if question[:6] in said), "그러셨군요.")
    if said.endswith("7)"):
        return f"{comfort} " + "힘내세요 그래도 힘내세요 " * 12
    return f"{comfort} {ADVICE[len(said) % 3]}"


def babble(said: str) -> str:
    """A base model: repeats the question and slides into English."""
    return f"{said[:12]} is a good question. I am an AI language model. " * 2


class Engines:
    """What `load_engine` gives; remembers which weights were asked for."""

    def __init__(self) -> None:
        self.tuned = RuleEngine(counsel, 1.1)
        self.base = RuleEngine(babble, 3.4)
        self.loaded: list[Path | None] = []

    def __call__(self, recipe: Recipe, weights: Path | None) -> RuleEngine:
        self.loaded.append(weights)
        return self.base if weights is None else self.tuned


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()
    monkeypatch.setattr(models, "load_engine", found)
    return found


def make_run(recipe: Recipe, folder: Path, splits: dict[str, list[Example]] | None = None) -> Run:
    """A run folder as `data build` and `train` leave it."""
    run = Run.create(recipe, folder)
    starts = {"train": range(60), "validation": range(60, 72), "test": range(100, 140)}
    rows = {split: [row(recipe, number) for number in numbers] for split, numbers in starts.items()} | (splits or {})
    run.split_path("test").parent.mkdir(parents=True)
    for split, examples in rows.items():
        pq.write_table(to_table(examples), run.split_path(split))
    run.adapter_folder(recipe).mkdir(parents=True)
    return run


@pytest.fixture
def chat_world() -> SimpleNamespace:
    """The functions of this file; test modules cannot import a conftest."""
    return SimpleNamespace(recipe_with=recipe_with, row=row, make_run=make_run, handoff=HANDOFF)
