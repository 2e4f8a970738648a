"""Every family: what is trained is what the template writes, and what is learnt is the answers with their ends."""

from __future__ import annotations

from itertools import groupby

import pytest

from dadeum.core.errors import ModelError
from dadeum.core.examples import Example
from dadeum.core.recipe import Render
from dadeum.models.render import IGNORED, Renderer
from tests.models.families.build import CHAT, SPECS

SYSTEM = {"role": "system", "content": "진로 상담사입니다. 존댓말로 답하세요."}
ANSWERS = ["반갑습니다. 요즘 어떤 일이 즐거우신가요?", "그림이군요.\n얼마나 자주 그리세요?", "좋습니다!"]
QUESTIONS = ["안녕하세요. 진로 상담을 받고 싶습니다.", "그림 그리기요. {a} < b", "매일요."]


def row(answers=ANSWERS, system=False, questions=QUESTIONS, **changes):
    turns = [SYSTEM] if system else []
    for question, answer in zip(questions, answers, strict=False):
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    fields = {"id": "chat:7", "source": "chat", "origin": "chat", "group": "7", "text": "", "label": ""}
    return Example(**(fields | {"prompt": turns[:-1], "completion": turns[-1:]} | changes))


def ids_of(tokenizer, turns, **settings):
    return tokenizer.apply_chat_template(turns, return_dict=True, **settings)["input_ids"]


def spans(rendered):
    """Ids of every run of tokens that carries a loss."""
    places = enumerate(rendered.labels)
    return [
        [rendered.input_ids[at] for at, _ in run]
        for learnt, run in groupby(places, key=lambda place: place[1] != IGNORED)
        if learnt
    ]


def taken(name, turns):
    """Turns as the family's template takes them."""
    if name != "gemma2" or turns[0]["role"] != "system":
        return turns
    return [{"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}, *turns[2:]]


@pytest.mark.parametrize("system", [False, True], ids=["plain", "system"])
@pytest.mark.parametrize("name", CHAT)
def test_the_prompt_is_the_one_that_is_served(tokenizers, name, system):
    tokenizer, example = tokenizers(name), row(system=system)
    prompt = Renderer(tokenizer, Render()).prompt_ids(example.prompt)
    assert prompt == ids_of(tokenizer, taken(name, example.prompt), add_generation_prompt=True)
    assert tokenizer.decode(prompt).count(SYSTEM["content"]) == system


@pytest.mark.parametrize(
    "answers", [ANSWERS[:1], ANSWERS, ["  앞뒤에 빈칸 \n", "둘째"]], ids=["one", "three", "padded"]
)
@pytest.mark.parametrize("system", [False, True], ids=["plain", "system"])
@pytest.mark.parametrize("name", [name for name in CHAT if name != "qwen3"])
def test_a_row_is_the_whole_conversation_token_for_token(tokenizers, name, system, answers):
    tokenizer, example = tokenizers(name), row(answers, system)
    found = Renderer(tokenizer, Render()).render(example).input_ids
    whole = ids_of(tokenizer, taken(name, [*example.prompt, *example.completion]))
    added = tokenizer(SPECS[name].after_answer, add_special_tokens=False).input_ids
    found = found[: len(found) - len(added)]
    assert whole[: len(found)] == found
    assert tokenizer.decode(whole[len(found) :]).strip() == ""


def test_qwen3_is_taught_what_its_generation_prompt_is_followed_by(tokenizers):
    """Closed conversations have an empty reasoning block before the last answer that is never served."""
    tokenizer, example = tokenizers("qwen3"), row()
    renderer = Renderer(tokenizer, Render())
    text = tokenizer.decode(renderer.render(example).input_ids)
    closed = tokenizer.apply_chat_template([*example.prompt, *example.completion], tokenize=False)
    assert closed.replace("<think>\n\n</think>\n\n", "").strip() == text
    reasoned = row(["<think>\n자주 그린다.\n</think>\n\n매일이군요."])
    closed = ids_of(tokenizer, [*reasoned.prompt, *reasoned.completion])
    found = renderer.render(reasoned)
    assert closed[: len(found.input_ids)] == found.input_ids
    assert tokenizer.decode(spans(found)[0]) == "<think>\n자주 그린다.\n</think>\n\n매일이군요.<|im_end|>"


@pytest.mark.parametrize("system", [False, True], ids=["plain", "system"])
@pytest.mark.parametrize("name", CHAT)
def test_the_loss_is_on_the_last_answer_and_its_end(tokenizers, name, system):
    renderer = Renderer(tokenizers(name), Render())
    [span] = spans(renderer.render(row(system=system)))
    assert renderer.tokenizer.decode(span) == ANSWERS[-1] + SPECS[name].end
    assert span == renderer.answer_ids(ANSWERS[-1])


@pytest.mark.parametrize("padded", [False, True], ids=["clean", "padded"])
@pytest.mark.parametrize("system", [False, True], ids=["plain", "system"])
@pytest.mark.parametrize("name", [name for name in CHAT if name != "solar"])
def test_the_loss_is_on_every_answer_and_each_end(tokenizers, name, system, padded):
    spec = SPECS[name]
    answers = [f"{answer} " for answer in ANSWERS] if padded else ANSWERS
    renderer = Renderer(tokenizers(name), Render(), loss_on="all_answers")
    rendered = renderer.render(row(answers, system))
    written = [answer.strip() for answer in answers] if spec.trims else answers
    assert [renderer.tokenizer.decode(span) for span in spans(rendered)] == [text + spec.end for text in written]
    assert rendered.input_ids == Renderer(renderer.tokenizer, Render()).render(row(answers, system)).input_ids


def test_polyglot_has_no_template_and_says_what_to_do(tokenizers):
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers("polyglot"), Render())
    assert caught.value.key == "models.families.base"
    assert "render.format: instruction" in caught.value.in_language("ko")


@pytest.mark.parametrize("name", ["polyglot", "solar", "gemma3"])
def test_the_instruction_format_holds_conversations_and_teaches_every_end(tokenizers, name):
    tokenizer = tokenizers(name)
    rendered = Renderer(tokenizer, Render(format="instruction"), loss_on="all_answers").render(row(system=True))
    eos = SPECS[name].eos
    assert [tokenizer.decode(span) for span in spans(rendered)] == [answer + eos for answer in ANSWERS]
    assert rendered.labels.count(tokenizer.eos_token_id) == len(ANSWERS)
    if name == "polyglot":
        assert tokenizer.pad_token_id == tokenizer.eos_token_id  # and the end is taught all the same


def test_solar_has_no_end_after_earlier_answers_so_they_are_not_learnt(tokenizers):
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers("solar"), Render(), loss_on="all_answers").render(row())
    assert caught.value.key == "models.families.no_end_in_history"
    [span] = spans(Renderer(tokenizers("solar"), Render(), loss_on="all_answers").render(row(ANSWERS[:1])))
    assert tokenizers("solar").decode(span) == ANSWERS[0] + "</s>"


def test_reasoning_that_the_history_loses_is_refused_by_row(tokenizers):
    example = row(["<think>\n음\n</think>\n\n네.", "둘째"])
    assert Renderer(tokenizers("qwen3"), Render()).render(example)
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers("qwen3"), Render(), loss_on="all_answers").fit(example)
    assert caught.value.key == "models.families.history_rewritten"
    assert caught.value.values == {"id": "chat:7", "turn": 2}


def test_an_answer_that_the_template_shortens_is_refused(tokenizers):
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers("exaone4"), Render()).render(row(["<think>\n음\n</think>\n\n네."]))
    assert caught.value.key == "models.families.answer_rewritten"


def test_an_answer_that_melts_into_its_prompt_is_refused_where_it_is_learnt(tokenizers, monkeypatch):
    tokenizer = tokenizers("qwen2_5")
    renderer = Renderer(tokenizer, Render(), loss_on="all_answers")
    encode = renderer.control.encode

    def melting(text, continues=False):
        """A vocabulary in which two line breaks are one token."""
        ids, double = encode(text, continues), encode("\n\n")
        line = encode("\n")
        melted = []
        for one in ids:
            if melted[-1:] == line and [one] == line:
                melted[-1] = 9999
            else:
                melted.append(one)
        return melted if double != [9999] else ids

    monkeypatch.setattr(renderer.control, "encode", melting)
    with pytest.raises(ModelError) as caught:
        renderer.render(row(["\n첫째", "둘째"]))
    assert caught.value.key == "models.families.answer_joins_prompt"
    assert renderer.render(row(["첫째", "둘째"]))


@pytest.mark.parametrize("name", ["gemma2", "gemma3"])
def test_turns_that_the_template_refuses_are_named_by_row(tokenizers, name):
    twice = [{"role": "user", "content": "하나"}, {"role": "user", "content": "둘"}]
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers(name), Render()).fit(row(prompt=twice))
    assert caught.value.key == "models.families.turns_refused"
    assert caught.value.values["id"] == "chat:7"
    assert "alternate" in caught.value.values["detail"]


def test_a_conversation_that_begins_with_an_answer_teaches_the_later_ones_only(tokenizers):
    turns = [{"role": "assistant", "content": "무엇을 도와드릴까요?"}, {"role": "user", "content": "하나"}]
    with pytest.raises(ModelError) as caught:
        Renderer(tokenizers("exaone3_5"), Render(), loss_on="all_answers").render(row(prompt=turns))
    assert caught.value.key == "models.families.answer_first"
    assert Renderer(tokenizers("exaone3_5"), Render()).render(row(prompt=turns))
