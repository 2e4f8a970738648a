"""Questions about documents: does the answer stand in the text, does the question give it away, does it stand alone?

Words are compared by Kiwi's morphemes and by their letters, because a compound is cut differently in another sentence;
numbers by value. A right word in the wrong place is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dadeum.core.korean import nfc
from dadeum.core.korean_quantities import Quantity, parsed, quantities, values
from dadeum.core.morphemes import Morpheme, morphemes

_SAYS_WHAT = ("NNG", "NNP", "XR", "SL", "SH")
"""Kiwi's tags (as beginnings) of words that must stand in the source; verbs and adverbs are said in other words."""
_COUNTED = (*_SAYS_WHAT, "SN", "NR", "VV", "VA")
MAX_MISSING = 0.5
"""Share of an answer's words without a source from which it is not supported; right answers to 0.38."""
_SHORT = 2
_NO_LETTER = re.compile(r"[\W_]+")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_RANGE = re.compile(r"(\d[\d,.]*)\s*[~\u223c\u301c-]\s*\d[\d,.]*\s*([가-힣])")


@dataclass(frozen=True)
class Support:
    """How much of an answer stands in its source (or in the question)."""

    words: tuple[str, ...]
    """Nouns, roots and foreign words of the answer that do not."""
    numbers: tuple[str, ...]
    """Numbers of the answer, as written, that neither says."""
    num_words: int
    """Such words in the answer, missing ones included."""

    @property
    def is_lacking(self) -> bool:
        """A number that nobody says, or half of the words or more; one short word alone may be another way to say it.

        Of 79 answers to questions of a public welfare set, written by hand, it finds 33 of 36 wrong ones and none of 43
        right ones; of the 33 that no list was made from, 15 of 16, and 2 of 17 right ones. A wrong yes or no, and a
        right word in the wrong place, it does not see.
        """
        alone = self.missing_share == 1 and any(len(word) > _SHORT for word in self.words)
        return bool(self.numbers) or alone or (self.missing_share >= MAX_MISSING and len(self.words) > 1)

    @property
    def missing_share(self) -> float:
        return len(self.words) / max(self.num_words, 1)


def support(question: str, answer: str, source: str) -> Support:
    """What the question says already needs no source: an answer takes it up."""
    answer, known = nfc(answer), _LIST_NUMBER.sub("", f"{nfc(question)}\n{nfc(source)}")
    said = {word.form.lower() for word in _words(known)}
    letters = bare(known)
    wanted = list(dict.fromkeys(word.form.lower() for word in _words(answer) if word.form not in _says_nothing()))
    missing = [form for form in wanted if form not in said and bare(form) not in letters]
    return Support(tuple(missing), tuple(dict.fromkeys(_unsaid(answer, known))), len(wanted))


def _words(text: str) -> list[Morpheme]:
    return [word for word in morphemes([text])[0] if word.tag.startswith(_SAYS_WHAT)]


def _unsaid(answer: str, known: str) -> Iterator[str]:
    """Numbers of the answer that are not known, or known of something else: 5년 where only 5% is said."""
    # "60~100만" says 600,000 too.
    ranges = (parsed(found[1] + found[2]) for found in _RANGE.finditer(known))
    also = frozenset(value for value in ranges if value is not None)
    numbers = values(known) | also
    units: dict[float, set[str | None]] = {}
    for one, unit in _counted(known):
        units.setdefault(one.value, set()).add(unit)
    for one, unit in _counted(answer):
        others = {None} if one.value in also or one.value == 1 else units.get(one.value, {None})
        is_of_another = unit is not None and None not in others and unit not in others and not one.is_hour
        if not one.is_among(numbers) or is_of_another:
            yield answer[one.start : one.end]


def _counted(text: str) -> Iterator[tuple[Quantity, str | None]]:
    """Numbers with their unit, one word for all ways to write it; None where none that we know stands behind."""
    forms = {word.start: word.form.lower() for word in morphemes([text])[0]}
    for one in quantities(text):
        behind = forms.get(one.end) or (forms.get(one.end + 1) if text[one.end : one.end + 1].isspace() else None)
        yield one, _units().get(behind or "")


def bare(text: str) -> str:
    """Letters and digits alone, small."""
    return _NO_LETTER.sub("", nfc(text)).lower()


def copied_letters(question: str, source: str) -> tuple[int, int]:
    """(letters of the longest run that the question has in common with the source, letters of the question)."""
    asked, text = bare(question), bare(source)
    best = 0
    for start in range(len(asked)):
        while start + best < len(asked) and asked[start : start + best + 1] in text:
            best += 1
    return best, len(asked)


def says_its_answer(question: str, answer: str) -> bool:
    """Whether all that the answer says stands in the question already; an answer of yes or no says nothing else."""
    rest = _after_yes_or_no(answer)
    words = [word.form.lower() for word in morphemes([nfc(rest)])[0] if word.tag.startswith(_COUNTED)]
    if not any(len(word) > 1 or word.isdigit() for word in words):
        return False
    asked = {word.form.lower() for word in morphemes([nfc(question)])[0]}
    return all(word in asked for word in words)


def yes_or_no(answer: str) -> str:
    """`yes`, `no`, or nothing for an answer of another kind."""
    said = re.split(r"[\s,.!。]", answer.strip().lower(), maxsplit=1)[0]
    return next((kind for kind in ("yes", "no") if said in _lists()[kind]), "")


def _after_yes_or_no(answer: str) -> str:
    return re.split(r"[\s,.!。]", answer.strip(), maxsplit=1)[-1] if yes_or_no(answer) else answer


def is_question(text: str) -> bool:
    """A question mark, or an ending that asks or bids."""
    if text.rstrip(" .\"'”’").endswith(("?", "？")):
        return True
    return bare(text).endswith(tuple(_lists()["question_endings"]))


def pointer(question: str) -> str:
    """Words by which a question points at a text that nobody who asks has; empty for one that stands alone."""
    found = _pointers().search(nfc(question))
    return found.group().strip() if found else ""


@cache
def _pointers() -> re.Pattern[str]:
    anywhere = "|".join(_spaced(words) for words in _lists()["points_at_the_text"])
    first = "|".join(map(re.escape, _lists()["points_back"]))
    return re.compile(rf"(?<!\w)(?:{anywhere})|^\W*(?:{first})\s", re.IGNORECASE)


def _spaced(words: str) -> str:
    """With or without the space where Korean writes both."""
    return re.escape(words).replace(r"\ ", r"\s" if words.isascii() else r"\s?")


@cache
def _lists() -> dict[str, Sequence[str]]:
    file = resources.files("dadeum.data.texts").joinpath("questions.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


@cache
def _says_nothing() -> frozenset[str]:
    return frozenset(_lists()["says_nothing"])


@cache
def _units() -> dict[str, str]:
    return {word: same[0] for same in _lists()["units"] for word in same}
