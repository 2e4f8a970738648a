"""What a conversation that a model wrote is turned away for, looked at by itself and beside its category's examples.

The first fault counts. Reasons have their names in `data.expand.reason`. Whether an answer is true, or belongs to its
question, no rule here can tell: people have to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from dadeum.core.endings import breaks_off
from dadeum.core.examples import Turn
from dadeum.core.korean_phrases import listed_phrase
from dadeum.core.letters import is_korean, letters
from dadeum.core.loops import loops
from dadeum.core.speech import SOLILOQUY, analyse, overall
from dadeum.data.builders.expand_asking import BROKEN
from dadeum.data.builders.expand_examples import Style, foreign_letters, latin_share, own_sentences, personal_in
from dadeum.data.builders.expand_words import matching
from dadeum.data.checks.control_tokens import find as control_tokens
from dadeum.data.checks.punctuation import find as punctuation
from dadeum.data.checks.repetition import find as repetition
from dadeum.data.texts.mixture import mixture
from dadeum.data.texts.prose import without_code
from dadeum.data.texts.questions import bare, copied_letters
from dadeum.data.texts.sentences import Answer

Fault = tuple[str, str]
"""(reason, what was found); two empty texts for none."""
NO_FAULT: Fault = ("", "")
MAX_ECHO = 0.6
"""Share of an answer that is one run of its question."""
MIN_ECHOED = 10
"""Letters of a question that an answer may not have in it."""
_REFUSING = ("refusal", "identity")
_SHOWN, _NEAR = 60, 10
_MIN_LETTERS = 5
"""Of a question that has to be in Korean: "72?" is in every language."""
_BROKEN = re.compile(f"[{BROKEN}\\x00-\\x08\\x0b-\\x1f\\x7f]")
_FENCE = "```"


def shape_fault(turns: Sequence[Turn], style: Style) -> Fault:
    """Whether it is a conversation: user and assistant in turn, each says something, no more rounds than shown."""
    roles = [turn["role"] for turn in turns]
    if not turns or len(turns) % 2 or roles != ["user", "assistant"] * (len(turns) // 2):
        return "turns", ", ".join(roles)
    if empty := [str(number) for number, turn in enumerate(turns, start=1) if not turn["content"]]:
        return "empty", ", ".join(empty)
    return ("rounds", f"{len(turns)} > {style.max_turns}") if len(turns) > style.max_turns else NO_FAULT


def fault(said: Sequence[str], style: Style) -> Fault:
    """Of a conversation whose shape is right; `said` is user and assistant in turn."""
    return next((found for look in _LOOKS for found in look(said, style)), NO_FAULT)


def _broken(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for text in said:
        if broken := _BROKEN.search(text):
            yield "broken", f"{broken[0]!r} {text[max(0, broken.start() - _NEAR) : broken.start() + _NEAR]!r}"


def _leftovers(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for text in said:
        for span in control_tokens(text):
            yield "template", text[span.start : span.end]
        if found := matching("leftovers", without_code(text), style.leftovers):
            yield "template", found


def _stock(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for answer in said[1::2]:
        if found := matching("refusals", answer):
            yield "refusal", found
        if listed := listed_phrase(answer):
            start, end, kind = listed
            yield "refusal" if kind in _REFUSING else "stock", answer[start:end]
        if found := matching("openings", answer):
            yield "stock", found


def _marks(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for answer in said[1::2]:
        if unicodedata.category(answer[0])[0] in "PSMC" and answer[0] not in style.marks:
            yield "mark_first", answer[:_SHOWN]
        for span in punctuation(answer):
            yield "marks", answer[span.start : span.end][:_SHOWN]


def _length(said: Sequence[str], style: Style) -> Iterator[Fault]:
    shortest, longest = style.question_characters
    for question, least in zip(said[::2], [shortest, *[1] * len(said)], strict=False):
        if not least <= len(question) <= longest:
            yield "question_length", f"{len(question)} ({least}-{longest})"
    shortest, longest = style.answer_characters
    for answer in said[1::2]:
        if len(answer) < shortest:
            yield "short", f"{len(answer)} < {shortest}"
        if len(answer) > longest:
            yield "long", f"{len(answer)} > {longest}"


def _endings(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for answer in said[1::2]:
        if loops(answer):
            yield "loop", answer[-_SHOWN:]
        for span in repetition(answer):
            yield "loop", answer[span.start : span.end][:_SHOWN]
        # A fence is closed or not; what stands in it is code and ends as code does.
        open_fence = answer.count(_FENCE) % 2 == 1
        if open_fence or (not answer.endswith(_FENCE) and breaks_off([answer])[0] == 1):
            yield "breaks_off", answer[-_SHOWN:]


def _language(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for text in said:
        prose = without_code(text)
        if foreign := [letter for letter in foreign_letters(prose) if letter not in style.foreign]:
            yield "foreign", "".join(foreign)[:_SHOWN]
        if letters(prose)[1] >= _MIN_LETTERS and not is_korean(prose):
            yield "not_korean", text[:_SHOWN]
    for answer in said[1::2]:
        prose = without_code(answer)
        if not is_korean(prose):
            yield "not_korean", answer[:_SHOWN]
        if (share := latin_share(prose)) > style.max_latin:
            yield "latin", f"{share:.0%} > {style.max_latin:.0%}"
        if "`" in answer and not style.has_code:
            yield "code", answer[answer.index("`") :][:_SHOWN]


def _speech(said: Sequence[str], style: Style) -> Iterator[Fault]:
    """Levels of the examples only, one of them throughout; a quotation may have its own."""
    kept = set()
    for answer, analysis in zip(said[1::2], analyse(said[1::2]), strict=True):
        if mixture(Answer(0, "assistant", answer, analysis)):
            yield "mixed_speech", ", ".join(dict.fromkeys(one.level for one in analysis.sentences))
        own = own_sentences(answer, analysis.sentences)
        level = overall(own)
        if level != "undecided":
            kept.add(level)
            if level not in style.levels:
                yield "speech", f"{level}: {answer[:_SHOWN]}"
        others = [
            one for one in own
            if one.level not in {*style.levels, "noun", "nominal", "undecided"} and one.ending not in SOLILOQUY
        ]  # fmt: skip
        if others:
            yield "mixed_speech", f"{others[0].level}: {answer[others[0].start : others[0].end][:_SHOWN]}"
    if len(kept) > 1:
        yield "mixed_speech", ", ".join(sorted(kept))


def _personal(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for kind, text in personal_in(said):
        yield "personal", f"{kind}: {text}"


def _echo(said: Sequence[str], style: Style) -> Iterator[Fault]:
    for question, answer in zip(said[::2], said[1::2], strict=True):
        asked = bare(question)
        if len(asked) >= MIN_ECHOED and asked in bare(answer):
            yield "echo", question[:_SHOWN]
        copied, total = copied_letters(without_code(answer), without_code(question))
        if copied >= max(MIN_ECHOED, MAX_ECHO * total):
            yield "echo", f"{copied}/{total}"


_LOOKS: tuple[Callable[[Sequence[str], Style], Iterator[Fault]], ...] = (
    _broken, _leftovers, _stock, _marks, _length, _endings, _language, _echo, _speech, _personal,
)  # fmt: skip
"""What is wrong whatever else is comes first; what depends on the examples later."""
