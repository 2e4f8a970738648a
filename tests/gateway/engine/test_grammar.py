"""Answers of a schema: always valid or cut by their length, and schemas that cannot be kept are refused."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

import jsonschema
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.gateway.catalogue import ServedModel
from dadeum.gateway.engine.choosing import Chooser, choose_all
from dadeum.gateway.engine.grammar import _vocabularies, compiled
from dadeum.gateway.engine.pieces import Pieces
from dadeum.gateway.engine.work import Ask, Sampling
from dadeum.gateway.settings import Limits
from tests.models.families.build import save_tokenizer
from tests.tiny import decide_recipe

WIDER = 5
"""Heads are wider than vocabularies."""
FAMILIES = ("qwen2_5", "gemma2", "solar", "llama3")
LIMITS = Limits()
KOREAN = {
    "type": "object",
    "properties": {
        "조치": {"enum": ["차단", "허용"]},
        "이유": {"type": "string", "maxLength": 4},
        "점수": {"type": "integer", "minimum": 0, "maximum": 10},
    },
    "required": ["조치", "이유", "점수"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from transformers import AutoTokenizer

    folders = {name: save_tokenizer(tmp_path_factory.mktemp(name), name) for name in FAMILIES}
    return {name: AutoTokenizer.from_pretrained(str(folder)) for name, folder in folders.items()}


def answer(tokenizer: Any, schema: Any, seed: int, most: int = 300, **sampling: Any) -> tuple[str, str]:
    """Text and how it ended, by a model that knows nothing."""
    model = ServedModel("tiny", "tiny", decide_recipe("tiny"), None, None, None)
    asked = Sampling(**({"temperature": 1.0, "seed": seed, "json_schema": json.dumps(schema)} | sampling))
    size = len(tokenizer) + WIDER
    chooser = Chooser(Ask("1", model, (1,), most, asked), tokenizer, (tokenizer.eos_token_id,), size)
    pieces, shown = Pieces(tokenizer, ()), []
    numbers = torch.Generator().manual_seed(seed)
    while True:
        chosen = choose_all([chooser], torch.randn(1, size, generator=numbers) * 2)[0]
        shown.append(pieces.add(chosen))
        if chosen.ended:
            assert chosen.ended != "error", chooser.fault
            return "".join(piece.text for piece in [*shown, pieces.rest()] if piece), chosen.ended


def refused(schema: Any, tokenizer: Any, limits: Limits = LIMITS) -> DataError:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(DataError) as caught:
        compiled(text, tokenizer, (tokenizer.eos_token_id,), len(tokenizer), limits)
    assert str(caught.value)
    return caught.value


@pytest.mark.parametrize("family", FAMILIES)
def test_a_korean_schema_is_kept(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    found = [answer(tokenizer, KOREAN, seed) for seed in range(12)]
    assert {ended for _, ended in found} == {"stop"}
    for text, _ in found:
        jsonschema.validate(json.loads(text), KOREAN)
    assert {json.loads(text)["조치"] for text, _ in found} == {"차단", "허용"}
    greedy, ended = answer(tokenizer, KOREAN, 1, temperature=0.0)
    assert ended == "stop"
    jsonschema.validate(json.loads(greedy), KOREAN)


def test_no_schema_is_any_object(tokenizers: dict[str, Any]) -> None:
    for seed in range(6):
        text, ended = answer(tokenizers["qwen2_5"], {}, seed)
        assert text.lstrip().startswith("{")
        assert ended == "length" or isinstance(json.loads(text), dict)


def test_an_answer_that_is_whole_ends_at_once(tokenizers: dict[str, Any]) -> None:
    text, ended = answer(tokenizers["qwen2_5"], {"const": "가나"}, 0)
    assert (text, ended) == ('"가나"', "stop")
    # A number may go on or end: there the end token is a choice.
    text, ended = answer(tokenizers["qwen2_5"], {"type": "integer"}, 0)
    assert isinstance(json.loads(text), int) or ended == "length"


def test_spaces_cannot_go_on_for_ever(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    size, stop = len(tokenizer), (tokenizer.eos_token_id,)
    follower = compiled('{"type": "object"}', tokenizer, stop, size).begin()
    brace, space = (tokenizer.encode(text)[0] for text in ("{", "\n"))
    follower.take(brace)
    for _ in range(24):
        assert space in follower.allowed()
        follower.take(space)
    assert space not in follower.allowed()


SMALL = st.deferred(lambda: LEAVES | ARRAYS | OBJECTS)
LEAVES = st.one_of(
    st.just({"type": "boolean"}), st.just({"type": "null"}), st.just({"type": "integer", "minimum": -9, "maximum": 99}),
    st.integers(1, 6).map(lambda most: {"type": "string", "maxLength": most}),
    st.integers(0, 3).map(lambda least: {"type": "string", "minLength": least, "maxLength": least + 2}),
    st.just({"type": "string", "pattern": "^[가-힣]{2,3}$"}), st.just({"type": "string", "format": "date"}),
    st.lists(st.text("가나다ab\"\\\n", min_size=1, max_size=4), min_size=1, max_size=3, unique=True)
    .map(lambda texts: {"enum": texts}),
)  # fmt: skip
ARRAYS = SMALL.flatmap(
    lambda items: st.integers(0, 2).map(
        lambda least: {"type": "array", "items": items, "minItems": least, "maxItems": least + 1}
    )
)
OBJECTS = st.dictionaries(st.text("가나다ab ", min_size=1, max_size=3), SMALL, max_size=3).map(
    lambda inner: {
        "type": "object", "properties": inner, "required": list(inner)[:2], "additionalProperties": False,
    }
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=SMALL, family=st.sampled_from(FAMILIES[:2]), seed=st.integers(0, 10**6))
def test_whatever_a_model_says_is_valid_or_cut(
    tokenizers: dict[str, Any], schema: dict[str, Any], family: str, seed: int
) -> None:
    text, ended = answer(tokenizers[family], schema, seed, most=150)
    if ended == "stop":
        jsonschema.validate(json.loads(text), schema)
        assert "\ufffd" not in text.encode().decode()  # strict: no half of a pair of surrogates


@pytest.mark.parametrize(
    ("schema", "key", "told"),
    [
        ("nope", "no_json", "Expecting"),
        ("[1]", "no_object", "[1]"),
        ({"$ref": "http://169.254.169.254/schema"}, "remote", "169.254"),
        ({"properties": {"a": {"items": {"$ref": "file:///etc/passwd"}}}}, "remote", "file:"),
        ({"anyOf": [{"type": "null"}, {"$ref": "other.json"}]}, "remote", "other.json"),
        ({"type": "banana"}, "refused", "banana"),
        ({"type": "object", "not": {}}, "refused", "not"),
        ({"type": "object", "not": {}, "x-guidance": {"lenient": True}}, "refused", "x-guidance"),
        ({"type": "string", "pattern": "(?=a)b"}, "refused", "look-around"),
        ({"enum": []}, "refused", "nsatisfiable"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "no_answer", ""),
        ({"$ref": "#/$defs/none"}, "refused", "none"),
        ('{"enum": ["\\ud800"]}', "refused", ""),
        ('{"const": NaN}', "refused", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_reason(
    tokenizers: dict[str, Any], schema: Any, key: str, told: str
) -> None:
    error = refused(schema, tokenizers["qwen2_5"])
    assert error.key == f"gateway.schema.{key}" and told in str(error)
    assert "/" not in str(error.values.get("reason", "")) or told == "none"  # no path of ours


def test_size_and_depth_have_limits(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    assert refused({"description": "가" * 7000}, tokenizer).key == "gateway.schema.too_large"
    assert refused({"title": "abc"}, tokenizer, Limits(schema_bytes=10)).values["size"] == 16
    deep: dict[str, Any] = {"type": "null"}
    for _ in range(12):
        deep = {"type": "object", "properties": {"properties": deep}}
    compiled(json.dumps(deep), tokenizer, (tokenizer.eos_token_id,), len(tokenizer), Limits())
    # Let in by a gateway that allows more: looking it up again refuses nothing.
    compiled(json.dumps({"anyOf": [deep]}), tokenizer, (tokenizer.eos_token_id,), len(tokenizer))
    assert refused({"properties": {"properties": deep}}, tokenizer).key == "gateway.schema.too_deep"
    assert refused({"anyOf": [deep]}, tokenizer).key == "gateway.schema.too_deep"
    assert refused("[" * 9000 + "]" * 9000, tokenizer).key == "gateway.schema.too_deep"
    assert refused('{"a":' * 3000 + "1" + "}" * 3000, tokenizer).key == "gateway.schema.too_deep"
    # A key may have any name.
    named = {"type": "object", "properties": {"$ref": {"type": "null"}, "x-guidance": {"type": "null"}}}
    compiled(json.dumps(named), tokenizer, (tokenizer.eos_token_id,), len(tokenizer), Limits())


BOMBS = [
    {"type": "string", "pattern": "(a{1,1000}){1,1000}"},
    {"type": "string", "pattern": "^(a|b)*a(a|b){20}$"},
    {"allOf": [{"type": "string", "pattern": f"^(a|b)*{letter}(a|b){{14}}$"} for letter in "abab"]},
    {"type": "array", "minItems": 10000, "items": {"type": "array", "minItems": 10000, "items": {"type": "string"}}},
    {"anyOf": [{"type": "string", "pattern": f"^.*{number}.*$"} for number in range(300)]},
    {"type": "object", "properties": {f"k{number}": {"type": "string"} for number in range(500)}},
    {
        "$defs": {
            f"d{n}": {
                "anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"}}]
            }
            for n in range(40)
        }
        | {"d40": {"type": "string"}},
        "$ref": "#/$defs/d0",
    },
]


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_its_own_answer_at_most(tokenizers: dict[str, Any], bomb: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    started = time.perf_counter()
    try:
        follower = compiled(json.dumps(bomb), tokenizer, (tokenizer.eos_token_id,), len(tokenizer)).begin()
    except DataError:
        return
    numbers, slowest = random.Random(0), 0.0
    for _ in range(60):
        step = time.perf_counter()
        allowed = follower.allowed()
        slowest = max(slowest, time.perf_counter() - step)
        if follower.fault or follower.is_complete:
            break
        follower.take(int(numbers.choice(allowed)))
    assert slowest < 1.0 and time.perf_counter() - started < 5


def test_a_fault_ends_the_row_with_an_error(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["qwen2_5"]
    model = ServedModel("tiny", "tiny", decide_recipe("tiny"), None, None, None)
    asked = Sampling(json_schema=json.dumps(KOREAN))
    size = len(tokenizer)
    grammar = compiled(asked.json_schema or "", tokenizer, (tokenizer.eos_token_id,), size)
    bad, good = (Chooser(Ask("1", model, (1,), 5, asked), tokenizer, (), size, grammar) for _ in range(2))
    assert bad._grammar is not None
    bad._grammar.take(tokenizer.encode("a")[0])
    found = choose_all([bad, good], torch.zeros(2, size))
    assert [one.ended for one in found] == ["error", None] and bad.fault


def test_tables_and_grammars_are_made_once_and_by_one(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["llama3"]
    found: list[Any] = []
    schema = json.dumps(KOREAN)
    threads = [
        threading.Thread(target=lambda: found.append(compiled(schema, tokenizer, (0,), 500).begin().allowed()))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len({tuple(one) for one in found}) == 1
    assert compiled(schema, tokenizer, (0,), 500) is compiled(schema, tokenizer, (0,), 500)
    assert len([key for key in _vocabularies[tokenizer] if key == ((0,), 500)]) == 1
    for number in range(140):
        compiled(json.dumps({"const": number}), tokenizer, (0,), 500)
    assert len(_vocabularies[tokenizer][(0,), 500]._grammars) == 128


def test_a_tokenizer_without_a_table_is_told() -> None:
    class Slow:
        name_or_path = "somebody/slow"
        eos_token_id = 0

        def __len__(self) -> int:
            return 10

    assert refused({"type": "null"}, Slow()).key == "gateway.schema.no_table"
