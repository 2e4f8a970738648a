from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from dadeum.core.messages import LANGUAGES, text
from dadeum.core.run import Run
from dadeum.serving.card import model_card
from dadeum.serving.card_scores import read_figures, score_table
from tests.serving.conftest import SECRET_ROW, ready_run
from tests.tiny import decide_recipe

CHAT = {"type": "chat", "instruction": "당신은 ```진로 상담사```입니다."}


def chat_run(folder: Path, systems: dict[str, Any]) -> tuple[Any, Run]:
    recipe = decide_recipe("acme/tiny-base", task=CHAT)
    run = Run.create(recipe, folder)
    run.scores_path.parent.mkdir(parents=True)
    run.scores_path.write_text(json.dumps({"task": "chat", "systems": systems}))
    return recipe, run


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("chat", "[system]\n요약가\n\n[user]\n요약하세요.\n\n..."),
        ("instruction", "[system]\n요약하세요.\n\n[user]\n..."),
        ("seq2seq", "요약가\n\n요약하세요.\n\n..."),
    ],
)
def test_a_summarising_model_shows_the_form_of_its_input(tmp_path: Path, form: str, shown: str) -> None:
    task = {"type": "summarize", "instruction": "요약하세요.", "system": "요약가"}
    changes: dict[str, Any] = {"task": task}
    if form == "seq2seq":
        changes |= {"stages": [{"name": "base", "method": "seq2seq"}]}
    else:
        changes |= {"render": {"format": form}}
    recipe = decide_recipe("acme/tiny-base", **changes)
    card = model_card(recipe, Run.create(recipe, tmp_path / "run"), "notes", "adapter")
    assert card.count(f"```text\n{shown}\n```") == 2
    for language in LANGUAGES:
        assert text("export.card.task.summarize", language) in card
        assert text("export.card.limit_summarize", language) in card
    assert ("pipeline_tag: summarization" in card) == (form == "seq2seq")
    assert ("- seq2seq" in card.split("---")[1]) == (form == "seq2seq")


def test_a_card_has_every_section_in_both_languages(tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    card = model_card(recipe, run, "somi/mails", "adapter")
    korean, english = card.split("# mails (English)")
    for part in ("## 데이터", "## 평가", "## 한계", "## 불러오기", "## 라이선스", "## 만든 방법"):
        assert part in korean
    for part in ("## Data", "## Evaluation", "## Limits", "## Loading", "## Licence", "## How it was made"):
        assert part in english
    for half in (korean, english):
        assert "`BLOCK`, `ALLOW`" in half and "train 20, validation 6, test 8" in half
        assert "near_duplicate 6" in half and "DA999" in half and "3 / 40" in half
        assert "0.912 (0.880 – 0.940)" in half and "lora r=4 alpha=8" in half
    assert SECRET_ROW not in card


def test_what_limits_the_figures_stands_in_the_card(tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run")
    card = model_card(recipe, run, "mails", "merged")
    assert "31%" in card and "시험 8행" in card
    assert "AutoModelForCausalLM.from_pretrained" in card and "AutoPeft" not in card


def test_figures_of_any_task_are_found_by_their_shape(tmp_path: Path) -> None:
    def measured(value: float | None) -> dict[str, float | None]:
        return {"value": value, "low": 0.1, "high": 0.9}

    flat = {"tuned": {"similarity": measured(0.71), "perplexity": measured(12.5), "unfinished": 3}}
    nested = {"nearest": {"metrics": {"similarity": measured(0.4), "perplexity": measured(None)}}}
    recipe, run = chat_run(tmp_path / "run", nested | flat)
    assert {name: set(found) for name, found in read_figures(run).items()} == {
        "nearest": {"similarity"},
        "tuned": {"similarity", "perplexity"},
    }
    table = score_table(run, "en")
    assert table is not None
    lines = table.splitlines()
    assert lines[0] == "| | tuned | nearest |"
    assert lines[2].startswith("| similarity | 0.710 (0.100 – 0.900) | 0.400")
    assert lines[3].endswith("| - |")
    card = model_card(recipe, run, "counsel", "adapter")
    assert "similarity" in card and "Labels:" not in card


def test_an_instruction_with_fences_stays_inside_its_own(tmp_path: Path) -> None:
    recipe, run = chat_run(tmp_path / "run", {})
    card = model_card(recipe, run, "counsel", "adapter")
    assert f"````text\n{CHAT['instruction']}\n````" in card
    assert "아직 평가하지 않았습니다" in card


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("smollm2-135m", {"base_model": "HuggingFaceTB/SmolLM2-135M-Instruct", "license": "apache-2.0"}),
        ("google/gemma-3-1b-it", {"license": "other", "license_name": "gemma-terms-of-use"}),
        ("someone/unknown", {"base_model": "someone/unknown", "license": None}),
    ],
)
def test_the_front_matter_names_base_and_licence(base: str, expected: dict[str, Any], tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", base=base)
    data = ModelCard(model_card(recipe, run, "mails", "adapter")).data.to_dict()
    assert {key: data.get(key) for key in expected} == expected
    assert data["base_model_relation"] == "adapter"


def test_a_base_folder_is_named_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "own-base").mkdir()
    recipe, run = ready_run(tmp_path / "run", base=str(tmp_path / "own-base"))
    card = model_card(recipe, run, "mails", "merged")
    assert "`own-base`" in card and str(tmp_path) not in card
    assert "base_model" not in ModelCard(card).data.to_dict()


def test_terms_that_forbid_money_are_said_in_both_languages(tmp_path: Path) -> None:
    recipe, run = ready_run(tmp_path / "run", base="LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct")
    card = model_card(recipe, run, "EXAONE-mails", "adapter")
    assert "**상업적으로 쓸 수 없습니다.**" in card and "**Commercial use is not allowed.**" in card
    lines = card.split("## 라이선스")[1].split("##")[0].splitlines()
    assert len(lines) == len(set(lines) | {""}) + lines.count("") - 1
    assert "trust_remote_code=True" in card and "vLLM" in card
