"""What `plan` and the model card say of a base's terms: known facts, or that they are not known."""

from __future__ import annotations

import pytest

from dadeum.core.messages import LANGUAGES, text
from dadeum.models import licences
from dadeum.models.licences import licence_of
from tests.models.exaone_reference import save_exaone


def test_every_clause_is_written_in_both_languages():
    keys = {key for licence in licences._BY_PREFIX.values() for key in licence.terms}
    assert keys
    for language in LANGUAGES:
        assert all(text(key, language) for key in keys)


def test_exaone_is_for_research_and_its_output_too():
    licence = licence_of("LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct")
    assert licence.commercial is False
    assert licence.required_prefix == "EXAONE"
    said = " ".join(licence.clauses("ko"))
    assert all(word in said for word in ("연구", "출력물", "증류", "사본"))


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("models/EXAONE-3.5-2.4B-Instruct/", "EXAONE AI Model License Agreement 1.1 - NC"),
        ("beomi/EXAONE-3.5-32B-Instruct-Llamafied", "EXAONE AI Model License Agreement 1.1 - NC"),
        ("LGAI-EXAONE/EXAONE-4.0-1.2B", "EXAONE AI Model License Agreement"),
        ("unsloth/gemma-3-1b-it", "Gemma Terms of Use"),
        ("Qwen/Qwen2.5-3B-Instruct", "Qwen Research License"),
        ("Qwen/Qwen2.5-32B-Instruct", "Apache-2.0 or Qwen licence, by size"),
        ("smollm2-135m", "Apache-2.0"),
        ("minilm-l6", "Apache-2.0"),
        ("BAAI/bge-m3", "MIT"),
        ("nlpai-lab/KoE5", "MIT"),
        ("intfloat/multilingual-e5-small", "MIT"),
        ("models/ko-sroberta-multitask", "not named on the card (unverified)"),
    ],
)
def test_terms_go_with_the_weights(base, name):
    assert licence_of(base).name == name


def test_a_folder_in_exaones_layout_is_exaone_whatever_it_is_called(tmp_path):
    save_exaone(tmp_path)
    assert licence_of(str(tmp_path)).required_prefix == "EXAONE"


def test_what_nobody_read_is_not_called_free():
    for base in ("kakaocorp/kanana-1.5-2.1b-instruct-2505", "upstage/SOLAR-10.7B-v1.0"):
        licence = licence_of(base)
        assert licence.commercial is None
        assert "확인하지 않았습니다" in licence.clauses("ko")[0]
    assert licence_of("someone/unknown") is None
