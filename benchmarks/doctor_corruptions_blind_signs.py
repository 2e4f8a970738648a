"""Tools of doctor_corruptions_blind.py, and its faults of characters.

Written by someone who did not know how the checks look; keep it out of tuning, or it is blind no more.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

Form = Callable[[str, random.Random], str | None]
HANGUL = re.compile("[가-힣]{2,}")


# -- tools ------------------------------------------------------------------------------------------
def insert(text: str, piece: str, rng: random.Random, glue: str = " ") -> str:
    """The piece between two words, or before the first or after the last."""
    tokens = text.split(" ")
    place = rng.randint(0, len(tokens))
    return glue.join(part for part in (" ".join(tokens[:place]), piece, " ".join(tokens[place:])) if part)


def adds(pieces: list[str], glue: str = " ") -> Form:
    return lambda text, rng: insert(text, rng.choice(pieces), rng, glue)


def frames(pairs: list[str]) -> Form:
    """The text inside one of the frames; @ stands for the text."""
    return lambda text, rng: rng.choice(pairs).replace("@", text)


def says(value: Callable[[random.Random], str], contexts: list[str]) -> Form:
    """A sentence with a made-up value (@), before or after the text."""

    def form(text: str, rng: random.Random) -> str:
        sentence = rng.choice(contexts).replace("@", value(rng))
        return rng.choice((f"{text} {sentence}", f"{sentence} {text}", f"{text}\n{sentence}"))

    return form


def word(change: Callable[[str, random.Random], str]) -> Form:
    """One Hangul word of the text changed; None where nothing changes."""

    def form(text: str, rng: random.Random) -> str | None:
        if not (found := list(HANGUL.finditer(text))):
            return None
        place = rng.choice(found)
        changed = text[: place.start()] + change(place[0], rng) + text[place.end() :]
        return None if changed == text else changed

    return form


def inside(token: str, at: int, piece: str) -> str:
    return token[:at] + piece + token[at:]


def long_enough(form: Form, num_words: int, num_letters: int = 0) -> Form:
    """Some faults are none in three words."""
    return lambda text, rng: form(text, rng) if len(text.split()) >= num_words and len(text) >= num_letters else None


# -- characters -------------------------------------------------------------------------------------
def recode(text: str, written: str, read: str) -> str:
    """Bytes of one encoding read as another; bytes that cp1252 leaves open go through as they are, as browsers do."""
    data = text.encode(written, "replace")
    if read != "cp1252":
        return data.decode(read, "replace")
    return "".join(byte.decode("latin-1" if byte[0] in b"\x81\x8d\x8f\x90\x9d" else "cp1252") for byte in octets(data))


def octets(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def misread(written: str, read: str) -> Form:
    """Bytes of one encoding read as another: the whole text, its last half, or one word."""

    def form(text: str, rng: random.Random) -> str | None:
        if not HANGUL.search(text):
            return None
        kind = rng.choice(("all", "all", "half", "word"))
        if kind == "word":
            return word(lambda token, _: recode(token, written, read))(text, rng)
        cut = len(text) // 2 if kind == "half" and HANGUL.search(text[len(text) // 2 :]) else 0
        return text[:cut] + recode(text[cut:], written, read)

    return form


def twice_utf8(text: str, rng: random.Random) -> str:
    return recode(recode(text, "utf-8", "latin-1"), "utf-8", "latin-1")


def cut_bytes(text: str, rng: random.Random) -> str:
    """A column of so many bytes ends in the middle of a character."""
    end = max(at for at, letter in enumerate(text) if "가" <= letter <= "힣")
    return (text[:end].encode() + text[end].encode()[: rng.choice((1, 2))]).decode("utf-8", "replace")


MOJIBAKE: dict[str, Form] = {
    f"{written} read as {read}": misread(written, read)
    for written, read in (
        ("utf-8", "cp1252"), ("utf-8", "latin-1"), ("utf-8", "cp949"), ("cp949", "cp1252"), ("cp949", "utf-8"),
        ("cp949", "mac-roman"), ("cp949", "shift-jis"), ("cp949", "gb18030"), ("utf-8", "shift-jis"),
        ("utf-8", "gb18030"), ("utf-8", "mac-roman"), ("utf-16-le", "utf-16-be"), ("johab", "cp949"),
    )
}  # fmt: skip
MOJIBAKE |= {
    "utf-8 twice": twice_utf8,
    "cut inside a character": lambda text, rng: cut_bytes(text, rng) if HANGUL.search(text) else None,
    "question marks for Hangul": long_enough(lambda text, rng: re.sub("[가-힣]", "?", text), 3),
    "smart quotes or nbsp of utf-8 as cp1252": word(
        lambda token, rng: rng.choice(("â€œ@â€\x9d", "â€˜@â€™", "@â€¦", "â€“ @", "Â @", "@Â·")).replace("@", token)
    ),
    "replacement characters in a word": word(lambda token, rng: token[:-1] + "\ufffd" * rng.randint(1, 3)),
}


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def final_apart(token: str, rng: random.Random) -> str:
    """An open syllable and its final consonant as a conjoining jamo, as some editors leave it."""
    return "".join(
        chr(ord(letter) - code) + chr(0x11A7 + code) if (code := (ord(letter) - 0xAC00) % 28) else letter
        for letter in token
    )


def compat(token: str) -> str:
    """Conjoining jamo as the jamo of a keyboard."""
    names = ((unicodedata.name(letter).split()[-1], letter) for letter in nfd(token))
    return "".join(unicodedata.lookup(f"HANGUL LETTER {name}") for name, _ in names)


def half_width(token: str) -> str:
    table = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFFA1, 0xFFDD)}
    return "".join(table.get(unicodedata.normalize("NFKC", letter), letter) for letter in compat(token))


def first_in_half(text: str, rng: random.Random) -> str:
    return nfd(text[: len(text) // 2]) + text[len(text) // 2 :]


NFD: dict[str, Form] = {
    "whole": lambda text, rng: nfd(text) if HANGUL.search(text) else None,
    "first half": lambda text, rng: first_in_half(text, rng) if HANGUL.search(text[: len(text) // 2]) else None,
    "one word": word(lambda token, rng: nfd(token)),
    "one syllable": word(lambda token, rng: nfd(token[0]) + token[1:]),
    "final consonants only": word(final_apart),
    "file name from a Mac": adds([nfd(name) for name in ("보고서.hwp", "회의록 최종본.docx", "견적서(수정).xlsx")]),
}
JAMO: dict[str, Form] = {
    "half-width word": word(lambda token, rng: half_width(token)),
    "half-width text": lambda text, rng: HANGUL.sub(lambda m: half_width(m[0]), text) if HANGUL.search(text) else None,
    "word in keyboard jamo": word(lambda token, rng: compat(token)),
    "last syllable fell apart": word(lambda token, rng: token[:-1] + compat(token[-1])),
    "first syllable fell apart": word(lambda token, rng: compat(token[0]) + token[1:]),
    "consonant typed twice": word(lambda token, rng: compat(token[0])[0] + token),
    "vowel left behind": word(lambda token, rng: token + compat(token[-1])[1]),
    "final consonant left loose": word(lambda t, rng: re.sub("[가-힣]", lambda m: loose_final(m[0]), t)),
}


def loose_final(letter: str) -> str:
    code = (ord(letter) - 0xAC00) % 28
    return chr(ord(letter) - code) + compat(letter)[2:] if code else letter


def hides(marks: str, most: int = 4) -> Form:
    """One to `most` of the marks inside words or at the ends."""

    def form(text: str, rng: random.Random) -> str:
        for _ in range(rng.randint(1, most)):
            text = inside(text, rng.randint(0, len(text)), rng.choice(marks))
        return text

    return form


INVISIBLE: dict[str, Form] = {
    "zero-width space": hides("\u200b", 8),
    "joiners": hides("\u200c\u200d\u2060\u034f"),
    "byte order mark": lambda text, rng: rng.choice(("\ufeff" + text, insert(text, "\ufeff", rng, ""))),
    "soft hyphen": hides("\u00ad"),
    "direction marks": hides("\u200e\u200f\u202a\u202c\u202d\u2066\u2069\u061c"),
    "Hangul fillers": hides("\u3164\uffa0\u115f\u1160"),
    "C0 controls": hides("\x00\x01\x02\x03\x07\x08\x0b\x0c\x0e\x1a\x1b\x1f\x7f"),
    "C1 controls": hides("\x80\x85\x8d\x90\x9d"),
    "line and paragraph separators": hides("\u2028\u2029", 2),
    "tag characters": hides("\U000e0020\U000e0061\U000e007f", 12),
    "stray variation selector": hides("\ufe0f\ufe0e", 2),
    "braille blank": hides("\u2800"),
}
