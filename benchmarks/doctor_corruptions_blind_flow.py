"""Faults of spaces, repetition, symbols and structure for doctor_corruptions_blind.py, written as blind as that."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

from doctor_corruptions_blind_signs import HANGUL, Form, adds, frames, inside, long_enough, word


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if len(part) >= 8]


# -- spaces, repetition, symbols --------------------------------------------------------------------
PARTICLE = re.compile(r"(?<=[가-힣]{2})(에서|으로|까지|부터|을|를|은|는|이|가|에|의|와|과|도|로)(?=[\s,.])")


def changed_often(change: Callable[[str, random.Random], str], num_places: int) -> Form:
    def form(text: str, rng: random.Random) -> str | None:
        changed = change(text, rng)
        return changed if abs(len(changed) - len(text)) >= num_places else None

    return form


def shifted(text: str, rng: random.Random) -> str:
    letters, parts = re.sub(r"\s", "", text), []
    while letters:
        size = rng.randint(2, 5)
        parts, letters = [*parts, letters[:size]], letters[size:]
    return " ".join(parts)


def wrapped(text: str, rng: random.Random) -> str:
    width = rng.randint(9, 14)
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def split_words(text: str, rng: random.Random) -> str:
    """Half of the words broken in two."""
    return HANGUL.sub(lambda m: inside(m[0], rng.randint(1, len(m[0]) - 1), " ") if rng.random() < 0.5 else m[0], text)


SPACING: dict[str, Form] = {
    "no space at all": long_enough(lambda text, rng: re.sub(r"\s", "", text), 5),
    "most spaces lost": long_enough(lambda text, rng: re.sub(" ", lambda _: " " * (rng.random() < 0.2), text), 7),
    "runs of spaces": long_enough(lambda text, rng: re.sub(" ", lambda _: " " * rng.randint(2, 6), text), 4),
    "particles split off": changed_often(lambda text, rng: PARTICLE.sub(r" \1", text), 3),
    "spaces at wrong places": long_enough(shifted, 4),
    "words broken in two": long_enough(changed_often(split_words, 3), 5),
    "lines of a PDF cut inside words": long_enough(wrapped, 6, 36),
    "no space after sentences": changed_often(lambda text, rng: re.sub(r"(?<=[.!?]) (?=[가-힣])", "", text), 2),
    "tabs for spaces": long_enough(lambda t, rng: re.sub(" ", lambda _: rng.choice(("\t", "\t\t", "  ")), t), 4),
}


def spread(glue: str, gap: str) -> Form:
    """Every letter apart, words still further apart."""
    return long_enough(lambda text, rng: gap.join(glue.join(token) for token in text.split()), 2, 10)


def spread_sentence(text: str, rng: random.Random) -> str | None:
    found = sentences(text)
    return text.replace(one, " ".join(one), 1) if len(found) > 1 and (one := rng.choice(found)) else None


def spread_run(text: str, rng: random.Random) -> str | None:
    """Eight to twelve syllables in a row apart, the rest sound."""
    size, start = rng.randint(8, 12), rng.randint(0, max(0, len(text) - 24))
    return (
        text[:start] + " ".join(text[start : start + size].replace(" ", "")) + text[start + size :]
        if (len(text) > 24)
        else None
    )


SPLIT: dict[str, Form] = {
    "one space everywhere": spread(" ", " "),
    "wider between words": spread(" ", "   "),
    "two spaces everywhere": spread("  ", "  "),
    "nbsp": spread("\u00a0", " "),
    "one letter a line": spread("\n", "\n"),
    "thin or wide space": spread("\u2009", " "),
    "one sentence of several": spread_sentence,
    "a run of syllables": spread_run,
}


def looped(glue: str, least: int, most: int, tail: bool = False) -> Form:
    """One sentence said again and again; with a tail, the last time is cut off."""

    def form(text: str, rng: random.Random) -> str | None:
        if not (found := sentences(text)):
            return None
        last = found[-1]
        again = glue + glue.join([last] * rng.randint(least, most))
        return text.strip() + again + (glue + last[: len(last) // 2] if tail else "")

    return form


def almost_again(text: str, rng: random.Random) -> str | None:
    """A sentence again with other spaces or another end."""
    if not (found := sentences(text)):
        return None
    one = rng.choice(found)
    bare = one.rstrip(".!?~ ")
    others = [bare + "!", bare + "..", bare, one.replace(" ", "", 1), one.replace(" ", "  "), bare + "~", bare + " ."]
    return " ".join([text, *rng.sample([other for other in others if other != one], rng.randint(1, 2))])


def last_word_loop(text: str, rng: random.Random) -> str:
    return text + f" {text.split()[-1]}" * rng.randint(6, 30)


REPETITION: dict[str, Form] = {
    "last sentence once more": looped(" ", 1, 1),
    "last sentence in a loop": looped(" ", 3, 12),
    "loop line by line": looped("\n", 3, 10),
    "loop cut off": looped(" ", 2, 6, tail=True),
    "whole answer twice": lambda text, rng: (
        f"{text}{rng.choice((' ', chr(10), chr(10) * 2))}{text}" * (len(text) > 9) or None
    ),
    "again with other spaces or points": almost_again,
    "last word in a loop": last_word_loop,
    "phrase in a loop": lambda text, rng: (
        f"{text} "
        + f"{rng.choice(('그리고 또', '그래서 이제', '아니 그러니까', '할 수 있는', '정말 정말'))} "
        * rng.randint(5, 15)
    ),
    "last syllable in a loop": lambda text, rng: text.rstrip(".!? ") + text.rstrip(".!? ")[-1] * rng.randint(15, 60),
    "numbered copies": lambda text, rng: "\n".join(f"{n}. {text}" for n in range(1, rng.randint(4, 9))),
}


def bursts(marks: list[str], share: float = 0.5) -> Form:
    """Marks after words until they are about as many as half the letters or more."""

    def form(text: str, rng: random.Random) -> str:
        tokens, wanted = text.split(), max(10, int(len(text) * rng.uniform(share, 1.5)))
        for _ in range(wanted):
            tokens[rng.randrange(len(tokens))] += rng.choice(marks)
        return " ".join(tokens)

    return form


def at_end(marks: list[str]) -> Form:
    return lambda text, rng: text + rng.choice(marks) * max(12, int(len(text) * rng.uniform(0.8, 1.5)))


PUNCTUATION: dict[str, Form] = {
    "exclamation and question marks": bursts(["!", "?"]),
    "waves and hearts": bursts(["~", "♡", "♥", "^^"]),
    "emoji": bursts(list("😀😂🔥✨💯👍🎉❤🙏🚀")),
    "points and commas": bursts([".", ",", "…", ";;"]),
    "stars and bullets": bursts(["★", "☆", "※", "■", "●", "▶"]),
    "markdown debris": bursts(["*", "#", "_", "`", "|"]),
    "marks at the end": at_end(["!", "~", "ㅡ.ㅡ;", "?!", ".", "♥"]),
    "lines of a table": at_end(["|---", "=====", "─────", "+--", "-----"]),
    "censored letters": long_enough(lambda text, rng: re.sub("[가-힣]", lambda m: m[0] + rng.choice("@#^&"), text), 2),
}


# -- structure --------------------------------------------------------------------------------------
def one_side(marks: list[str], before: bool) -> Form:
    return word(lambda token, rng: rng.choice(marks) + token if before else token + rng.choice(marks))


def phrase_in(pairs: list[str]) -> Form:
    return adds([pair.replace("@", rest) for pair in pairs for rest in ("참고", "안내 사항", "아주 중요한 말")])


QUOTES: dict[str, Form] = {
    "opened only": one_side(['"', "“", "(", "[", "「", "『", "《", "<", "{", "‘"], True),
    "closed only": one_side(['"', "”", ")", "]", "」", "』", "》", "}"], False),
    "text begins with a quote": frames(['"@', "“@", "「@", "(@"]),
    "text ends with a quote": frames(['@"', "@”", '@""" ', "@」", "@)"]),
    "wrong partner": phrase_in(["(@]", "[@)", "「@』", "“@’", "《@>", "‘@”", "{@)"]),
    "same side twice": phrase_in(["“@“", "((@)", "”@”", "「@「", "[[@]", "(@("]),
    "aside cut off": lambda text, rng: (
        text.rstrip(". ") + rng.choice((" (예: 서울", ' "그렇게 말', " [참고", " (자세한", " 「민법"))
    ),
}
KEYS = ["답변", "answer", "response", "output", "summary", "결과"]


def broken(damage: Callable[[str, random.Random], str]) -> Form:
    """The answer as the value of an object, then damaged, sometimes in a fence or after a word of introduction."""

    def form(text: str, rng: random.Random) -> str | None:
        key, indent = rng.choice(KEYS), rng.choice((None, 2, 4))
        fields: dict[str, object] = {"id": rng.randint(1, 99), key: text, "태그": ["일상", "상담"], "valid": True}
        whole = damage(json.dumps(fields, ensure_ascii=False, indent=indent), rng)
        return rng.choice(("@", "@", "```json\n@\n```", "```json\n@", "요청하신 JSON입니다.\n@")).replace("@", whole)

    return form


def cut_short(text: str, rng: random.Random) -> str:
    return text[: rng.randint(len(text) // 3, len(text) - 2)]


JSON: dict[str, Form] = {
    "cut off": broken(cut_short),
    "quote missing": broken(
        lambda t, rng: t.replace(
            *rng.choice((('": "', '": '), ('": "', ': "'), ('일상"', "일상"), ('"상담', "상담"))), 1
        )
    ),
    "brace or bracket missing": broken(lambda t, rng: rng.choice((t.rstrip("}"), t.replace("]", ""), t.lstrip("{")))),
    "comma missing": broken(lambda t, rng: re.sub(r'(\d),(\s)', r"\1\2", t, count=1)),
    "comma too many": broken(
        lambda t, rng: rng.choice(
            (t.replace('상담"', '상담",'), t.replace('"일상",', '"일상",,'), re.sub(r"\s*}$", ",}", t))
        )
    ),
    "python literal": broken(lambda t, rng: t.replace("true", "True").replace('"', rng.choice("'\""))),
    "curly quotes": broken(lambda t, rng: re.sub('"([^"]*)"', "“\\1”", t)),
    "quotes inside": broken(lambda t, rng: re.sub(r'(": ")', r'\1그는 "네"라고 했다. ', t, count=1)),
    "newline inside": broken(lambda t, rng: re.sub(r'(": ")', r'\1첫째\n', t, count=1)),
    "comment or dots": broken(lambda t, rng: inside(t, t.rindex("}"), rng.choice((" // 끝\n", ", ...\n")))),
    "words after it in the fence": lambda text, rng: "```json\n"
    + json.dumps({rng.choice(KEYS): text}, ensure_ascii=False)
    + rng.choice(("\n위와 같이 정리했습니다.", "\n\n설명: 요청하신 형식입니다.", " 이상입니다.", "\n}")) + "\n```",
}  # fmt: skip


def becomes(texts: list[str]) -> Form:
    return lambda text, rng: rng.choice(texts)


EMPTY: dict[str, Form] = {
    "spaces": becomes(["", " ", "   ", "\n", "\n\n", "\t", " \n "]),
    "other blanks": becomes(["\u00a0", "\u3000", "\u2003\u2003", "\u00a0 \u00a0"]),
    "invisible characters": becomes(
        ["\u200b", "\ufeff", "\u3164", "\u2800", "\u200b\u200b\n", "\u00ad", "\u200e", "\u2060"]
    ),
    "dashes": becomes(["-", "--", "---", "—", "–", " - ", "ㅡ", "_"]),
    "points": becomes([".", "...", "…", ",", "?", "*", "·", "/", "※", ":"]),
    "not available": becomes(["N/A", "n/a", "NA", "N.A.", "#N/A", "#VALUE!", "#REF!"]),
    "null": becomes(["null", "NULL", "None", "nan", "NaN", "undefined", "<NA>", "\\N", "nil", "(null)"]),
    "nothing in Korean": becomes(
        ["없음", "없음.", "(없음)", "해당 없음", "해당사항 없음", "내용 없음", "무응답", "미입력", "공란", "빈칸"]
    ),
    "empty structure": becomes(["[]", "{}", '""', "''", "()", "```\n```", '{"답변": ""}', "“”"]),
    "empty page": becomes(["<br>", "<p></p>", "&nbsp;", "<p>&nbsp;</p>", "<div><br></div>"]),
    "to be written": becomes(["TBD", "미정", "작성 중", "추후 작성", "TODO", "(답변)", "[답변 내용]"]),
}
