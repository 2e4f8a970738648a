"""Faults in Korean answers as pipelines make them, written by someone who did not know how the checks look.

`FORMS` holds the real-world forms of each fault by name, `CORRUPTIONS` picks one of them at random; doctor_precision.py
scores them (`--blind`). Every number, name and address is made up. The first scores were blind; afterwards the checks
were improved on what they had missed, so later scores are not.
"""

from __future__ import annotations

import random
import re

import doctor_corruptions_blind_flow as flow
import doctor_corruptions_blind_signs as signs
import doctor_corruptions_blind_values as values
from doctor_corruptions_blind_signs import Form, adds, frames, insert, says, word

# -- left over from pages and templates -------------------------------------------------------------
HTML: dict[str, Form] = {
    "br": adds(["<br>", "<br/>", "<BR />", "<br /><br />"], ""),
    "tags around the text": frames(
        ["<p>@</p>", "<div class='view_cont'>@</div>", "<b>@</b>", "<td colspan=2>@</td>", "<li>@</li>", "<P>@</P>",
         '<p class="0" style="line-height:160%">@</p>', '<span style="font-size: 11pt">@</span>', "<o:p></o:p>@"]
    ),
    "tags around a word": word(lambda t, rng: rng.choice(("<b>@</b>", "<u>@</u>", "<em>@</em>")).replace("@", t)),
    "named entity": adds(
        ["&nbsp;", "&nbsp;&nbsp;", "&amp;", "&lt;공지&gt;", "&quot;", "&middot;", "&hellip;", "&rarr;"], ""
    ),
    "numbered entity": adds(["&#39;", "&#160;", "&#8217;", "&#x200B;", "&#xAC00;", "&#034;"], ""),
    "entity escaped twice": adds(["&amp;nbsp;", "&amp;lt;br&amp;gt;", "&amp;quot;", "&amp;#39;"], ""),
    "escaped tags": frames(["&lt;p&gt;@&lt;/p&gt;", "@&lt;br /&gt;", "&lt;b&gt;@"]),
    "link or picture": adds(
        ['<a href="/board/view.do?seq=12" target="_blank">바로가기</a>', '<img src="/upload/2021/img01.jpg" alt="">',
         "<a href='#none' onclick='goPage(2)'>더보기</a>", '<iframe src="//player.example.com/1"></iframe>']
    ),
    "comment or script": adds(
        ["<!-- 본문 끝 -->", "<!--[if gte mso 9]><xml></xml><![endif]-->", "<script>document.write(ad);</script>",
         "<style>.se_txt{color:#333}</style>", "<!-- //content -->"]
    ),
    "tag cut off": frames(['@<span style="font-fam', "@ <a href=", "@</di", 'an style="color:red">@', "@<br"]),
    "closing tag alone": adds(["</p>", "</div></div>", "</td></tr>", "</span>", "</font>"], ""),
    "entity without semicolon": adds(["&nbsp", "&nbsp&nbsp", "&quot", "&lt"]),
}  # fmt: skip
TOKENS: dict[str, Form] = {
    "ChatML": frames(["<|im_start|>assistant\n@", "@<|im_end|>", "@<|im_end|>\n<|im_start|>user\n"]),
    "Llama 3": frames(["@<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>\n\n@", "<|begin_of_text|>@"]),
    "Llama 2": frames(
        ["[/INST] @", "@ </s>", "<s>[INST] 질문 [/INST] @", "<<SYS>>\n친절히 답하라\n<</SYS>>\n@", "@</s>"]
    ),
    "Gemma": frames(["@<end_of_turn>", "<start_of_turn>model\n@", "<bos>@", "@<eos>"]),
    "EXAONE, HyperCLOVA, Solar": frames(["[|assistant|]@", "@[|endofturn|]", "@<|endofturn|>", "@<|stop|>"]),
    "DeepSeek, Phi, gpt-oss": frames(
        ["<｜Assistant｜>@", "@<｜end▁of▁sentence｜>", "<|assistant|>\n@<|end|>",
         "<|channel|>final<|message|>@<|return|>"]
    ),
    "GPT and BERT": frames(["@<|endoftext|>", "[CLS] @ [SEP]", "@ <unk>", "@<pad><pad>", "@[PAD][PAD]", "@ [EOS]"]),
    "thinking tags": frames(["<think>\n\n</think>\n\n@", "<think>사용자가 묻는다.</think>@", "</think>\n@"]),
    "Korean headings": frames(
        ["### 답변: @", "### 응답:\n@", "@\n\n### 질문: 다른 방법은 없나요?\n### 답변:",
         "### 명령어:\n설명해줘\n\n### 응답:\n@"]
    ),
    "English headings": frames(
        ["### Response:\n@", "@\n\n### Instruction:\n", "### Assistant: @", "@\n### Human: 고마워요", "### Output: @"]
    ),
    "role names": frames(
        ["Assistant: @", "@\nUser: 그럼 언제요?\nAssistant: 내일요.",
         "@\nHuman:", "사용자: 알려줘\n어시스턴트: @", "챗봇: @", "AI: @"]
    ),
    "head of the prompt": frames(
        ["아래는 작업을 설명하는 명령어입니다. 요청을 적절히 완료하는 응답을 작성하세요.\n\n@",
         "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n@"]
    ),
}  # fmt: skip

# -- people -----------------------------------------------------------------------------------------
IDS: dict[str, Form] = {
    "resident number": says(
        values.resident, ["주민등록번호는 @입니다.", "제 주민번호 @ 맞나요?", "(@)", "@", "홍길동 @"]
    ),
    "resident number since 2020": says(values.resident_since_2020, ["자녀 주민등록번호 @", "주민번호: @", "@"]),
    "foreigner number": says(values.foreigner, ["외국인등록번호 @", "등록번호는 @이에요.", "@"]),
    "card": says(values.card, ["카드번호 @로 결제했어요.", "@ 유효기간 08/27", "카드는 @ 입니다.", "@"]),
    "account": says(
        values.account, ["@로 입금해 주세요.", "계좌: @", "@ 예금주 김민수", "환불은 @ 으로 부탁드립니다."]
    ),
    "passport": says(values.passport, ["여권번호 @", "여권은 @입니다.", "Passport No. @"]),
    "driving licence": says(values.licence, ["운전면허번호 @", "면허번호는 @입니다.", "면허증 @"]),
}
CONTACTS: dict[str, Form] = {
    "mobile": says(values.mobile, ["@으로 연락 주세요.", "제 번호는 @이에요.", "연락처 @", "H.P: @", "@"]),
    "mobile with country": says(values.mobile_abroad, ["@으로 전화 주세요.", "Tel. @", "@"]),
    "mobile in words": says(values.mobile_spoken, ["제 번호 @이에요.", "@ 으로 문자 주세요.", "연락은 @"]),
    "home phone": says(values.home_phone, ["집 전화는 @이에요.", "자택 @", "저희 집 @로 전화 주세요."]),
    "e-mail": says(values.email, ["@으로 보내 주세요.", "메일: @", "@", "제 메일은 @입니다."]),
    "e-mail in disguise": says(values.email_disguised, ["@ 으로 보내 주세요.", "메일 주소는 @ 입니다.", "이메일 @"]),
    "home address": says(
        values.address, ["주소는 @입니다.", "저희 집은 @이에요.", "배송지: @", "@에 살고 있어요.", "@"]
    ),
    "name": says(
        values.name,
        ["@님, 안녕하세요.", "@ 님께서 문의하셨습니다.", "담당은 @님입니다.", "@ 고객님 감사합니다.", "@님!"],
    ),
}

# -- language ---------------------------------------------------------------------------------------
POLITE = re.compile(r"(요|니다|니까|죠|시오)[\s.!?~^ㅎㅋ)\"']*$")
PLAIN = re.compile(r"(?<!니)다[\s.\"']*$")
ENDINGS = [
    ("거예요", "거야"), ("이에요", "이야"), ("있어요", "있어"), ("없어요", "없어"), ("해요", "해"), ("네요", "네"),
    ("돼요", "돼"), ("있습니다", "있다"), ("합니다", "한다"), ("됩니다", "된다"), ("입니다", "이다"), ("보세요", "봐"),
    ("하세요", "해라"), ("죠", "지"),
]  # fmt: skip


def speaks(base: re.Pattern[str], block: str) -> Form:
    """One or two sentences of another register after, before or inside a text that is all in the first one."""
    lines = values.listed(block)

    def form(text: str, rng: random.Random) -> str | None:
        parts = re.split(r"(?<=[.!?])\s+", text.strip())
        if not all(base.search(part) for part in parts):
            return None
        for line in rng.sample(lines, rng.choice((1, 1, 2))):
            parts.insert(rng.choice((0, len(parts), len(parts), rng.randint(0, len(parts)))), line)
        return " ".join(parts)

    return form


def other_ending(text: str, rng: random.Random) -> str | None:
    """One of several polite sentences made plain."""
    parts = re.split(r"(?<=[.!?])\s+", text.strip())
    if len(parts) < 2 or not all(POLITE.search(part) for part in parts):
        return None
    for at in rng.sample(range(len(parts)), len(parts)):
        for polite, plain in ENDINGS:
            if parts[at].rstrip(".!? ").endswith(polite):
                parts[at] = parts[at].rstrip(".!? ")[: -len(polite)] + plain + "."
                return " ".join(parts)
    return None


MIXED: dict[str, Form] = {
    "polite and banmal": speaks(POLITE, values.BANMAL),
    "polite and written plain": speaks(POLITE, values.WRITTEN),
    "polite and commands": speaks(POLITE, values.COMMANDS),
    "polite and hage, hao": speaks(POLITE, values.ELDER),
    "plain and haeyo": speaks(PLAIN, values.HAEYO),
    "plain and hapsyo": speaks(PLAIN, values.HAPSYO),
    "one ending of several": other_ending,
}
LOOKS = str.maketrans("aeopcxyiAEOPCTHKMB", "аеорсхуіАЕОРСТНКМВ")
OCR = str.maketrans("스그고으호토", "スユコ一立ト")


def homoglyphs(token: str, rng: random.Random) -> str:
    at = rng.choice([place for place, letter in enumerate(token) if letter.translate(LOOKS) != letter])
    return rng.choice((token.translate(LOOKS), token[:at] + token[at].translate(LOOKS) + token[at + 1 :]))


BRANDS = ["Excel", "Google", "Apple", "Coupang", "iPhone", "YouTube", "Microsoft", "Kakao"]
FOREIGN: dict[str, Form] = {
    kind: adds(values.listed(block)) for kind, block in values.FOREIGN.items()
}  # fmt: skip
FOREIGN |= {
    "half a word": word(
        lambda t, rng: t[:-1] + rng.choice(("です", "ます", "的", "们", "ство", "ными", "ครับ", "について"))
    ),
    "Cyrillic letters in a Latin word": lambda text, rng: insert(text, homoglyphs(rng.choice(BRANDS), rng), rng),
    "kana for Hangul": lambda text, rng: text.translate(OCR) if text.translate(OCR) != text else None,
}

# -- boilerplate ------------------------------------------------------------------------------------
boilerplate_phrases: list[str] = [
    "저는 인공지능 언어 모델이므로 개인적인 감정이나 의견을 가지고 있지 않습니다.",
    "정확한 진단과 치료를 위해서는 반드시 전문의와 상담하시기 바랍니다.",
    "본 답변은 일반적인 정보 제공을 목적으로 하며 법률 자문을 대신하지 않습니다.",
    "더 궁금한 점이 있으시면 언제든지 편하게 말씀해 주세요.",
    "제가 학습한 데이터는 2023년까지의 정보이므로 최신 내용과 다를 수 있습니다.",
    "이 답변이 조금이나마 도움이 되셨기를 바랍니다.",
    "모든 투자의 최종 판단과 책임은 투자자 본인에게 있음을 유의하시기 바랍니다.",
    "죄송하지만 해당 요청에는 도움을 드릴 수 없는 점 양해 부탁드립니다.",
]
VARIED = [
    ("않습니다", "않아요"),
    ("바랍니다", "바라요"),
    ("주세요", "주시기 바랍니다"),
    ("있습니다", "있어요"),
    ("부탁드립니다", "바랍니다"),
]


def appended(number: int) -> Form:
    """The phrase behind the text, half the time with another ending."""

    def form(text: str, rng: random.Random) -> str:
        phrase = boilerplate_phrases[number]
        for formal, other in VARIED:
            if rng.random() < 0.5 and phrase.endswith(formal + "."):
                phrase = phrase.replace(formal + ".", other + rng.choice((".", "!", "")))
                break
        return text + rng.choice((" ", "\n\n", "\n\n※ ")) + phrase

    return form


FORMS: dict[str, dict[str, Form]] = {
    "mojibake": signs.MOJIBAKE, "nfd": signs.NFD, "broken_jamo": signs.JAMO, "invisible": signs.INVISIBLE,
    "html": HTML, "control_tokens": TOKENS, "personal_ids": IDS, "personal_contacts": CONTACTS, "mixed_speech": MIXED,
    "foreign_script": FOREIGN, "spacing": flow.SPACING, "split_syllables": flow.SPLIT,
    "repetition": flow.REPETITION, "punctuation": flow.PUNCTUATION, "quotes": flow.QUOTES, "broken_json": flow.JSON,
    "empty_field": flow.EMPTY, "boilerplate": {text: appended(at) for at, text in enumerate(boilerplate_phrases)},
}  # fmt: skip


def any_of(forms: dict[str, Form]) -> Form:
    """The first form, in random order, that this text allows."""

    def corrupt(text: str, rng: random.Random) -> str | None:
        changed = (form(text, rng) for form in rng.sample(list(forms.values()), len(forms)))
        return next((other for other in changed if other is not None and other != text), None)

    return corrupt


CORRUPTIONS: dict[str, Form] = {name: any_of(forms) for name, forms in FORMS.items()}
