"""A run folder as the steps would leave it, made without a model: answers are drawn, scores computed from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from dadeum.core.examples import Example, to_table
from dadeum.core.findings import Finding, write_findings
from dadeum.core.measured import Measured
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_json, write_jsonl
from dadeum.core.stats import bootstrap, mcnemar
from dadeum.evaluation.decide.scores import (
    Calibration,
    ClassScores,
    Comparison,
    Generation,
    Reliability,
    Sample,
    Scores,
    SystemScores,
)
from dadeum.evaluation.scores import Bin, Gate

SUBJECTS = {
    "BLOCK": (
        "(광고) 김하늘님의 치아보험료, 3월에만 확인할 수 있습니다",
        "[Web발신] 무료 체험 마지막 날: 지금 신청하면 90% 할인",
        "Re: 대출 한도 조회 결과 안내드립니다",
        "Limited offer: contextual advertising for your site",
        "(광고) <치매 진단금 + 평생 간병비> 보장되는 보험이 있습니다",
    ),
    "ALLOW": (
        "2026학년도 2학기 수강신청 안내",
        "[도서관] 추석 연휴 휴관 및 반납 연장 안내",
        "캡스톤디자인 경진대회 참가팀 모집 (~11/28)",
        "장학금 지급 계좌 확인 요청",
        "세미나 안내: 한국어 대규모 언어 모델의 평가",
    ),
}
ORIGINS = ("우편함", "cse.example.ac.kr", "library.example.ac.kr", "accounting.example.ac.kr")


@dataclass(frozen=True)
class FakeRun:
    """What to make; the defaults are a spam agent that TF-IDF matches."""

    verdict: str = "as_good"
    right: dict[str, float] = field(
        default_factory=lambda: {"tuned": 0.93, "tfidf": 0.945, "base_model": 0.52, "majority": 0.0}
    )
    """Share of rows that each system gets right; majority always says the first label."""
    labels: tuple[str, ...] = ("BLOCK", "ALLOW")
    num_test: int = 400
    one_label: bool = False
    subject: str | None = None
    """Subject of every test row, instead of a realistic one."""
    base: str = "smollm2-135m"
    source: str = "synthetic_mail.csv"
    hold_out: tuple[str, ...] = ("accounting.example.ac.kr",)
    seed: int = 7


MakeRun = Callable[..., tuple[Recipe, Run]]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(verdict="worse", num_test=50, ...)`: any field of FakeRun → (recipe, run)."""

    def make(folder: Path | None = None, **wanted: Any) -> tuple[Recipe, Run]:
        return write_fake_run(FakeRun(**wanted), folder or tmp_path / "run")

    return make


def write_fake_run(fake: FakeRun, folder: Path) -> tuple[Recipe, Run]:
    recipe = fake_recipe(fake)
    run = Run.create(recipe, folder)
    examples = fake_examples(fake)
    (folder / "data").mkdir()
    for split, rows in examples.items():
        pq.write_table(to_table(rows), run.split_path(split))
    write_removed(run.split_path("removed"))
    write_findings(run.findings_path, fake_findings())
    write_jsonl(run.metrics_path, fake_metrics())
    scores, samples = fake_scores(fake, examples)
    write_json(run.scores_path, json.loads(scores.model_dump_json()))
    write_jsonl(run.samples_path, (sample.model_dump() for sample in samples))
    write_fake_manifest(run, sum(map(len, examples.values())) + 11)
    return recipe, run


def fake_recipe(fake: FakeRun) -> Recipe:
    task = {
        "type": "decide",
        "instruction": "메일을 차단할지 정하세요.",
        "labels": fake.labels,
        "input_fields": ["subject", "attachments"],
    }
    return Recipe.model_validate(
        {
            "name": "spam-agent",
            "task": task,
            "model": {"base": fake.base, "adapter": {"type": "lora", "r": 16}},
            "data": {"sources": [{"path": f"/data/{fake.source}"}], "split": {"hold_out": fake.hold_out}},
            "stages": [{"name": "sft", "method": "sft", "epochs": 4, "learning_rate": 1e-3}],
            "evaluate": {"gates": {"macro_f1": ">= baselines.tfidf", "json_valid": ">= 0.95"}},
            "seed": 42,
        }
    )


def fake_examples(fake: FakeRun) -> dict[str, list[Example]]:
    return {
        split: [fake_example(fake, split, index) for index in range(num)]
        for split, num in {"train": 2 * fake.num_test, "validation": 60, "test": fake.num_test}.items()
    }


def fake_example(fake: FakeRun, split: str, index: int) -> Example:
    label = fake.labels[0] if fake.one_label and split == "test" else fake.labels[index % len(fake.labels)]
    known = SUBJECTS.get(label, SUBJECTS["ALLOW"])
    subject = fake.subject or known[index // 2 % len(known)]
    text = f"{subject}\n{'안내문.pdf' if index % 3 else '신청서.hwp, offer.docx'}"
    origin = ORIGINS[index * 7 % len(ORIGINS)]
    return Example(f"mail:{split}-{index + 2}", "mail", origin, str(index), text, [], [], label)


def write_removed(path: Path) -> None:
    reasons = ["exact_duplicate"] * 6 + ["near_duplicate"] * 4 + ["something_new"]
    rows = [
        {
            "id": f"mail:{index + 9000}",
            "source": "mail",
            "origin": "우편함",
            "text": SUBJECTS["BLOCK"][index % 5],
            "label": "BLOCK",
            "reason": reason,
            "detail": "mail:12" if "duplicate" in reason else "",
        }
        for index, reason in enumerate(reasons)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)


def fake_findings() -> list[Finding]:
    row = {"id": "mail:17", "split": "test", "text": "(광고) 김하늘님의 치아보험료", "found": "mail:3"}
    return [
        Finding("ZZ901", "made_up_check", "warn", 12, 1271, {"ratio": 2.5}, [row, row | {"id": "mail:21"}]),
        Finding("ZZ902", "another_made_up_check", "info", 3, 1271),
    ]


def fake_metrics() -> list[dict[str, Any]]:
    random = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for step in range(1, 201):
        loss = 0.15 + 2.1 * np.exp(-step / 28) + random.normal(0, 0.04 + 0.12 * np.exp(-step / 40))
        rows.append({"stage": "sft", "step": step, "epoch": step / 50, "loss": round(max(loss, 0.02), 4)})
        if step % 25 == 0:
            eval_loss = 0.22 + 1.9 * np.exp(-step / 30) + max(0, step - 125) * 0.0011
            rows.append({"stage": "sft", "step": step, "epoch": step / 50, "eval_loss": round(eval_loss, 4)})
    return [*rows, {"stage": "sft", "step": 200, "train_runtime": 412.0, "train_loss": 0.41}]


def write_fake_manifest(run: Run, rows_in: int) -> None:
    result = {
        "rows": 800, "steps": 200, "seconds": 412.4, "train_loss": 0.41, "best_step": 125, "best_eval_loss": 0.2495,
        "stopped_early": True, "num_trainable": 4884480, "num_parameters": 139399488, "tokens_per_second": 512.7,
        "peak_memory_mb": 3689.2, "precision": "bf16", "precision_reason": "train.precision.cpu_bf16",
        "gflops": {"bf16": 400, "fp32": 190}, "rows_cut": 0, "tokens": 211_400, "tokens_computed": 118_020,
        "choices": {
            "prefix_shared": True, "prefix_difference": 2.1e-6, "own_head": True, "compiled": False,
            "compile_reason": "train.compile.too_short", "expected_s": 380.0, "threads": 2,
        },
    }  # fmt: skip
    seconds = {"data build": 3.4, "data check": 1.1, "train.sft": 412.4, "evaluate": 96.0}
    steps = {name: {"status": "done", "inputs": "0" * 64, "seconds": taken} for name, taken in seconds.items()}
    manifest = run.manifest() | {"training": {"sft": result}, "steps": steps, "git_revision": "1a2b3c4d5e6f+dirty"}
    manifest["hardware"] = {"machine": "x86_64", "cores": 2, "memory_gib": 15.6}
    manifest["data"] = {"rows_in": rows_in, "hashes": {"mail": "ab" * 32}}
    run.write_manifest(manifest)


# -- scores ---------------------------------------------------------------------------------------
def fake_scores(fake: FakeRun, examples: dict[str, list[Example]]) -> tuple[Scores, list[Sample]]:
    gold = np.array([fake.labels.index(example.label) for example in examples["test"]])
    drawn = {name: draw(fake, name, gold, offset) for offset, name in enumerate(fake.right)}
    systems = {name: system_scores(fake, gold, *answers) for name, answers in drawn.items()}
    samples = [sample(fake, example, index, drawn) for index, example in enumerate(examples["test"])]
    right = {name: predicted == gold for name, (predicted, _) in drawn.items()}
    by_origin = {
        origin: {"num_rows": float(np.sum(at))} | {name: float(hits[at].mean()) for name, hits in right.items()}
        for origin in sorted({example.origin for example in examples["test"]})
        if (at := np.array([example.origin == origin for example in examples["test"]])).any()
    }
    scores = Scores(
        task="decide",
        labels=list(fake.labels),
        positive=fake.labels[0],
        num_rows={split: len(rows) for split, rows in examples.items()},
        systems=systems,
        by_origin=by_origin,
        calibration=fake_calibration(),
        generation=fake_generation(),
        comparisons=[comparison(name, right["tuned"], right[name]) for name in systems if name != "tuned"],
        gates=[
            Gate(metric="macro_f1", condition=">= baselines.tfidf", value=0.93, target=0.945, passed=False),
            Gate(metric="json_valid", condition=">= 0.95", value=0.985, target=0.95, passed=True),
        ],
        verdict=fake.verdict,
        test_hash="cd" * 32,
    )
    return scores, samples


def draw(fake: FakeRun, name: str, gold: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Predicted label indices and probabilities; majority has none and always says the first label."""
    if name == "majority":
        return np.zeros_like(gold), None
    random = np.random.default_rng(fake.seed + offset)
    right = random.random(gold.size) < fake.right[name]
    other = (gold + random.integers(1, len(fake.labels), gold.size)) % len(fake.labels)
    predicted = np.where(right, gold, other)
    sure = np.clip(random.beta(6, 1.2, gold.size), 0.51, 0.998)
    probabilities = np.repeat(((1 - sure) / (len(fake.labels) - 1))[:, None], len(fake.labels), axis=1)
    probabilities[np.arange(gold.size), predicted] = sure
    return predicted, probabilities


def system_scores(
    fake: FakeRun, gold: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
) -> SystemScores:
    size = len(fake.labels)
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (gold, predicted), 1)
    per_class = {label: class_scores(confusion, index) for index, label in enumerate(fake.labels)}
    found: dict[str, Any] = {}
    if probabilities is not None and len(set(gold.tolist())) > 1:
        positive = gold == 0
        false, true, _ = roc_curve(positive, probabilities[:, 0])
        precision, recall, _ = precision_recall_curve(positive, probabilities[:, 0])
        found |= {"roc": at_most_200(false, true)}
        found |= {"precision_recall": at_most_200(recall, precision)}
        found |= {"roc_auc": roc_auc_score(positive, probabilities[:, 0]), "ece": 0.041, "brier": 0.118}
        found |= {"average_precision": average_precision_score(positive, probabilities[:, 0]), "seconds": 31.4}
    return SystemScores(
        accuracy=measured(lambda rows: float(np.mean(gold[rows] == predicted[rows])), gold.size),
        macro_f1=measured(lambda rows: macro_f1(gold[rows], predicted[rows], size), gold.size),
        per_class=per_class,
        confusion=confusion.tolist(),
        **found,
    )


def at_most_200(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
    kept = np.unique(np.linspace(0, xs.size - 1, 200).astype(int))
    return list(zip(xs[kept].tolist(), ys[kept].tolist(), strict=True))


def measured(statistic: Callable[[np.ndarray], float], num_rows: int) -> Measured:
    found = bootstrap(statistic, num_rows, seed=1, samples=60)
    return Measured(value=found.value, low=found.low, high=found.high)


def macro_f1(gold: np.ndarray, predicted: np.ndarray, size: int) -> float:
    return float(np.mean([f1(gold == label, predicted == label) for label in range(size)]))


def f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    return 2 * np.sum(gold & predicted) / max(1, np.sum(gold) + np.sum(predicted))


def class_scores(confusion: np.ndarray, index: int) -> ClassScores:
    right, said, support = confusion[index, index], confusion[:, index].sum(), confusion[index].sum()
    precision, recall = right / max(1, said), right / max(1, support)
    both = precision + recall
    return ClassScores(
        precision=precision, recall=recall, f1=2 * precision * recall / both if both else 0.0, support=int(support)
    )


def comparison(name: str, tuned: np.ndarray, other: np.ndarray) -> Comparison:
    test = mcnemar(tuned, other)
    difference = measured(lambda rows: float(np.mean(tuned[rows]) - np.mean(other[rows])), tuned.size)
    return Comparison(
        baseline=name, only_tuned_right=test.only_first, only_baseline_right=test.only_second, p_value=test.p_value,
        accuracy_difference=difference, macro_f1_difference=difference,
    )  # fmt: skip


def sample(fake: FakeRun, example: Example, index: int, drawn: dict[str, Any]) -> Sample:
    predicted, probabilities = drawn["tuned"]
    chances = dict(zip(fake.labels, probabilities[index].tolist(), strict=True))
    return Sample(
        id=example.id, source=example.source, origin=example.origin, text=example.text, label=example.label,
        predicted=fake.labels[predicted[index]], probabilities=chances, confidence=max(chances.values()),
        baselines={name: fake.labels[said[index]] for name, (said, _) in drawn.items() if name != "tuned"},
    )  # fmt: skip


def fake_calibration() -> Calibration:
    counts = [0, 0, 0, 0, 0, 14, 22, 38, 96, 230]
    before = [(0.55, 0.43), (0.65, 0.5), (0.75, 0.61), (0.86, 0.79), (0.98, 0.95)]
    after = [(0.55, 0.5), (0.65, 0.64), (0.75, 0.74), (0.86, 0.87), (0.96, 0.97)]

    def bins(values: list[tuple[float, float]]) -> list[Bin]:
        padded = [(0.0, 0.0)] * 5 + values
        return [
            Bin(low=index / 10, high=(index + 1) / 10, count=counts[index], confidence=confidence, accuracy=accuracy)
            for index, (confidence, accuracy) in enumerate(padded)
        ]

    return Calibration(
        temperature=1.83,
        num_validation_rows=60,
        before=Reliability(ece=0.083, brier=0.142, bins=bins(before)),
        after=Reliability(ece=0.031, brier=0.118, bins=bins(after)),
    )


def fake_generation() -> Generation:
    return Generation(
        num_rows=200, json_valid=0.985, schema_valid=0.98, agreement=0.965, accuracy=0.92,
        invalid_examples=['{"action": "BLOCK"', '차단: <b>BLOCK</b>', ""],
    )  # fmt: skip
