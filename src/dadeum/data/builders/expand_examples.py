"""Conversations that a model is to write more of, by category, and what those of one category are like.

Bounds are read off the examples, so that other data than ours is held to its own style and not to ours.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dadeum.core.errors import DataError
from dadeum.core.examples import Example
from dadeum.core.letters import is_korean
from dadeum.core.personal import MASKS, find_personal
from dadeum.core.speech import Level, Sentence, analyse, overall
from dadeum.data.builders.expand_words import words
from dadeum.data.builders.korean_sft_rows import conversations
from dadeum.data.builders.made_topics import MadeRow
from dadeum.data.texts.prose import own_prose, without_code

MIN_EXAMPLES = 3
"""Of a category, so that it can be shown and measured."""
MIN_KOREAN_SHARE = 0.5
"""Of the examples' answers: the prompt and the rules are for Korean."""
MIN_LEVEL_SHARE = 0.1
"""Of a category's answers from which a speech level is one of its own."""
ANSWER_SLACK, QUESTION_SLACK = (0.5, 1.5), (0.5, 3.0)
"""Times the shortest and the longest of the examples."""
MAX_LATIN, MAX_LATIN_TECHNICAL = 0.1, 0.3
"""Share of Latin letters outside code: an ATM in a sentence; a technical text. More where the examples have more."""
_FOREIGN = re.compile(r"[^\W\d_A-Za-z\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_MARKS = " .!?~…。\"'”’)"
_LATIN, _LETTER = re.compile("[A-Za-z]{2,}"), re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Style:
    """What the examples of one category are like; new ones have to be the same."""

    category: str
    examples: tuple[MadeRow, ...]
    answer_characters: tuple[int, int]
    question_characters: tuple[int, int]
    """Of the first question: a text to summarise stands in it."""
    level: Level
    """The commonest of the answers."""
    levels: frozenset[Level]
    max_latin: float
    has_code: bool
    foreign: frozenset[str]
    """Letters that are neither Hangul nor Latin and stand in the examples."""
    marks: frozenset[str]
    """Characters other than letters that answers begin with."""
    leftovers: frozenset[str]
    """Patterns of `expanding.yaml` that are no fault here."""

    @property
    def max_turns(self) -> int:
        return max(len(row.turns) for row in self.examples)

    @property
    def mean_characters(self) -> float:
        return sum(len(row.said) for row in self.examples) / len(self.examples)

    @property
    def is_technical(self) -> bool:
        return self.category in words()["latin_categories"]


@dataclass(frozen=True)
class Examples:
    """What is shown to the model, and what was left out of the files."""

    styles: Mapping[str, Style]
    few: Mapping[str, int]
    """Categories with fewer than MIN_EXAMPLES → how many."""
    unread: int
    """Rows that are no conversation that ends with an answer."""
    personal: int
    """Examples with something that looks like personal data."""
    least: int = MIN_EXAMPLES

    @property
    def num(self) -> int:
        return sum(len(style.examples) for style in self.styles.values())


def examples_of(files: Sequence[Path]) -> Examples:
    """Of the files, or the shipped ones where there is none. Raises DataError where nothing can be shown."""
    rows, unread = _read(files) if files else ([row for found in conversations().values() for row in found], 0)
    by_category: dict[str, list[MadeRow]] = defaultdict(list)
    for row in rows:
        by_category[row.category].append(row)
    few = {name: len(found) for name, found in by_category.items() if len(found) < MIN_EXAMPLES}
    kept = {name: found for name, found in by_category.items() if name not in few}
    if not kept:
        raise DataError("data.expand.no_examples", num=len(rows), unread=unread, least=MIN_EXAMPLES)
    answers = [turn for found in kept.values() for row in found for turn in row.turns[1::2]]
    korean = sum(is_korean(without_code(answer)) for answer in answers)
    if korean < MIN_KOREAN_SHARE * len(answers):
        raise DataError("data.expand.not_korean", num=korean, total=len(answers))
    personal = sum(bool(personal_in(row.turns)) for found in kept.values() for row in found)
    return Examples({name: style_of(name, found) for name, found in kept.items()}, few, unread, personal)


def style_of(category: str, rows: Sequence[MadeRow]) -> Style:
    answers = [turn for row in rows for turn in row.turns[1::2]]
    analysed = [analysis.sentences for analysis in analyse(answers)]
    whole = Counter(overall(sentences) for sentences in analysed)
    prose = [without_code(answer) for answer in answers]
    technical = category in words()["latin_categories"]
    return Style(
        category,
        tuple(rows),
        _bounds(answers, ANSWER_SLACK),
        _bounds([row.turns[0] for row in rows], QUESTION_SLACK),
        whole.most_common(1)[0][0],
        frozenset(level for level, count in whole.items() if count >= MIN_LEVEL_SHARE * len(answers)),
        max(MAX_LATIN_TECHNICAL if technical else MAX_LATIN, *map(latin_share, prose)),
        technical or any("`" in answer for answer in answers),
        frozenset(letter for row in rows for letter in _FOREIGN.findall(row.said)),
        frozenset(answer[0] for answer in answers if not answer[0].isalnum()),
        frozenset(
            pattern for pattern in words()["leftovers"] if any(re.search(pattern, row.said, re.I) for row in rows)
        ),
    )


def _bounds(texts: Sequence[str], slack: tuple[float, float]) -> tuple[int, int]:
    return int(slack[0] * min(map(len, texts))), int(slack[1] * max(map(len, texts)))


def latin_share(prose: str) -> float:
    """Of the letters of a text without its code; A and B of a riddle are no words."""
    return sum(map(len, _LATIN.findall(prose))) / max(len(_LETTER.findall(prose)), 1)


def foreign_letters(prose: str) -> list[str]:
    """Letters that are neither Hangul nor Latin."""
    return _FOREIGN.findall(prose)


def own_sentences(answer: str, sentences: Iterable[Sentence]) -> list[Sentence]:
    """Finished ones that end in the writer's own words, and not in a quotation or in code."""
    prose = own_prose(answer)
    return [one for one in sentences if _is_own(answer, prose, one)]


def _is_own(answer: str, prose: str, one: Sentence) -> bool:
    written = answer[one.start : one.end].rstrip()
    last = one.start + len(written.rstrip(_MARKS)) - 1
    goes_on = answer[one.end :].split("\n", 1)[0].strip()
    return last >= one.start and prose[last].isalpha() and (written[-1] in _MARKS or not goes_on)


def personal_in(turns: Sequence[str]) -> list[tuple[str, str]]:
    """(kind, text) of what looks like personal data, made-up examples of it left out."""
    found = [(text, span) for text in turns for span in find_personal(text)]
    kinds = [name for name in MASKS if not name.startswith("example_")]
    return [(span.found, text[span.start : span.end]) for text, span in found if span.found in kinds]


def _read(files: Sequence[Path]) -> tuple[list[MadeRow], int]:
    from dadeum.data.corpus import Given, read_corpus

    corpus = read_corpus([Given(path, split="train") for path in files], "chat")
    examples = [example for rows in corpus.splits.values() for example in rows]
    rows = [row for example in examples if (row := _row(example))]
    return rows, len(corpus.unread) + len(examples) - len(rows)


def _row(example: Example) -> MadeRow | None:
    """Without its system turn; None where user and assistant do not take turns."""
    turns = [turn for turn in (*example.prompt, *example.completion) if turn["role"] != "system"]
    roles = [turn["role"] for turn in turns]
    if not turns or len(turns) % 2 or roles != ["user", "assistant"] * (len(turns) // 2):
        return None
    said = tuple(turn["content"].strip() for turn in turns)
    return MadeRow(example.extra.get("category") or example.source, said) if all(said) else None
