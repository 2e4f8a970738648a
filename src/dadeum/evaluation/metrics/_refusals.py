"""Whether an answer refuses: the sentence that was taught, or what models say that were taught another one."""

from __future__ import annotations

import re
from functools import cache

from dadeum.core.letters import tidy
from dadeum.core.task import Answer
from dadeum.evaluation.metrics._texts import word_list
from dadeum.tasks.answer import is_refusal, split_citations

_SENTENCE = re.compile(r"[^.!?。\n]+")


def refuses(task: Answer, text: str) -> bool:
    """Every sentence of it refuses; one that refuses and answers all the same is an answer."""
    said = tidy(split_citations(text)[0])
    if is_refusal(task, said):
        return True
    taught = {_letters(sentence) for sentence in _SENTENCE.findall(task.refusal)}
    sentences = [sentence for sentence in _SENTENCE.findall(said) if _letters(sentence)]
    return bool(sentences) and all(_letters(one) in taught or _pattern().search(one) for one in sentences)


def _letters(text: str) -> str:
    return "".join(character for character in tidy(text) if character.isalnum())


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(word_list("refusals")["sentences"]), re.IGNORECASE)
