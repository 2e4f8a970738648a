"""fresh-bart: the same model for the same data and seed, and no letter of any text is lost in its tokens."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from dadeum.core.errors import RunError
from dadeum.core.run import Run
from dadeum.data.build import build_data
from dadeum.data.lengths.tokens import TokenCounter
from dadeum.models import fresh
from dadeum.models.load import load_base, load_config, load_tokenizer
from dadeum.models.precision import Precision
from dadeum.models.seq2seq_render import Seq2SeqRenderer, load_renderer
from dadeum.training.architecture import method_problems
from tests.models.tiny_seq2seq import DIALOGUES, summary_example, summary_recipe

FP32 = Precision("fp32", "train.precision.asked", {}, None)
TEXTS = [text for pair in DIALOGUES for text in pair]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    recipe = summary_recipe(fresh.NAME)
    folder = tmp_path_factory.mktemp("fresh") / fresh.NAME
    fresh.make(recipe, TEXTS, folder)
    return fresh.placed(recipe, folder)


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".json"}


def test_the_same_texts_and_seed_make_the_same_model(made, tmp_path):
    first = load_file(f"{made.model.base}/model.safetensors")
    for seed, same in ((42, True), (43, False)):
        fresh.make(summary_recipe(fresh.NAME, seed=seed), TEXTS, tmp_path / str(seed))
        again = load_file(tmp_path / str(seed) / "model.safetensors")
        assert all((first[name] == again[name]).all() for name in first) == same
    assert (tmp_path / "42" / "tokenizer.json").read_bytes() == (tmp_path / "43" / "tokenizer.json").read_bytes()


def test_it_is_a_bart_of_about_ten_million_weights(made):
    model = load_base(made.model, FP32)
    assert 6e6 < sum(one.numel() for one in model.parameters()) < 12e6
    assert load_config(made.model).max_position_embeddings >= made.render.max_length_tokens


@pytest.mark.parametrize(
    "text",
    [
        "#Person1#는 번호 #PhoneNumber#를 확인합니다.",
        "#Person2#: 네.\n#Person1#: 3시 30분, 12,500원",
        "뷁 English 漢字 🙂 처음 보는 글자",
        "</s> 회의 <0x41> #Person9#",
        "빈칸  두 개",
    ],
)
def test_every_text_comes_back_as_it_was(made, text):
    renderer = load_renderer(made)
    assert isinstance(renderer, Seq2SeqRenderer)
    ids = renderer.target_ids(text)
    assert renderer.decode(ids) == text
    assert renderer.tokenizer.unk_token_id not in ids and ids.count(renderer.tokenizer.eos_token_id) == 1


def test_masks_of_the_data_are_one_token_each(made):
    tokenizer = load_tokenizer(made.model)
    for mask in ("#Person1#", "#Person2#", "#PhoneNumber#"):
        assert load_renderer(made).target_ids(f"가 {mask}는").count(tokenizer.convert_tokens_to_ids(mask)) == 1


def test_the_tokenizer_alone_ends_a_text_as_training_does(made):
    renderer = load_renderer(made)
    assert renderer.tokenizer(TEXTS[0]).input_ids == renderer.source_ids(TEXTS[0])


def test_data_build_leaves_it_in_the_run_and_later_steps_find_it(tmp_path):
    data = tmp_path / "talks.csv"
    rows = "".join(f'"#Person1#: 회의 {i}번은 {i}시입니다.","#Person1#는 {i}시라고 합니다."\n' for i in range(1, 21))
    data.write_text("dialogue,summary\n" + rows, encoding="utf-8")
    recipe = summary_recipe(fresh.NAME, data={"sources": [{"path": str(data)}], "split": {"group": "none"}})
    run = Run.create(recipe, tmp_path / "run")
    with pytest.raises(RunError):
        fresh.in_run(recipe, run)
    build_data(recipe, run)
    found = fresh.in_run(recipe, run)
    assert found.model.base.endswith(f"base/{fresh.NAME}")
    assert load_renderer(found).target_ids("#Person1#")[:-1] == [
        load_tokenizer(found.model).convert_tokens_to_ids("#Person1#")
    ]
    again = Run.create(recipe, tmp_path / "again")
    build_data(recipe, again)
    assert files(fresh.folder_in(run)) == files(fresh.folder_in(again))


def test_a_counter_makes_it_from_the_training_rows_and_takes_it_away_with_itself():
    counter = TokenCounter(summary_recipe(fresh.NAME))
    assert not counter.is_ready
    counter.learn([summary_example(number) for number in range(4)])
    folder = counter.made
    fitted = counter([summary_example(0)])
    assert folder.is_dir() and fitted[0].answer_tokens == len(counter.renderer.answer_ids(DIALOGUES[0][1]))
    del counter
    assert not folder.exists()


def test_an_adapter_on_random_weights_is_refused():
    recipe = summary_recipe(fresh.NAME, {"type": "lora", "r": 4})
    assert [problem.key for problem in method_problems(recipe)] == ["models.seq2seq.fresh_adapter"]
    assert method_problems(summary_recipe(fresh.NAME)) == []
