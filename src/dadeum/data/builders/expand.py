"""`dadeum data expand`: example conversations → new ones that a model writes, looked at at once, even over categories.

Accepted ones stand in the file with `review: draft`, the others with their reason in `<name>.rejected.jsonl`. Both grow
as replies come: a second call goes on. Where hardly anything is accepted it stops: replies cost money.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

from dadeum.core.errors import DataError
from dadeum.core.examples import Turn
from dadeum.core.progress import Progress, silent
from dadeum.core.run import append_jsonl, read_jsonl
from dadeum.data.builders.authors import Author
from dadeum.data.builders.draft import rejected_path
from dadeum.data.builders.expand_asking import Wish, prompt_version, read_conversations, readable
from dadeum.data.builders.expand_examples import Examples, Style
from dadeum.data.builders.expand_known import Known
from dadeum.data.builders.expand_rules import Fault, fault, shape_fault
from dadeum.data.builders.made_topics import MadeRow

TEMPERATURE = 0.8
"""Of the model: at 0 the same beginnings come again and again."""
TOKENS_EACH = 512
"""Of a model on this machine, for each conversation."""
SHOWN_EXAMPLES, SHOWN_TAKEN = 3, 8
"""Conversations, and latest accepted questions, in a prompt."""
ROOM_CHARACTERS = 1500
"""Of a whole reply: fewer conversations are asked for at once where they are long, or the last one is cut."""
MIN_ACCEPTED = 0.05
"""Share of what was asked for last, below which it is not worth its cost."""
LAST, LAST_OF_CATEGORY = 100, 40
"""Conversations asked for, in all and of a category, of which that share is taken."""
_REPLY_CHARACTERS = 500


@dataclass
class Expanded:
    """What became of what was asked for."""

    out: Path
    rejected_file: Path
    quota: Mapping[str, int]
    """Category → rows wanted of it, earlier calls' included."""
    before: int = 0
    """Accepted by earlier calls."""
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    replies: int = 0
    failed: int = 0
    """Calls without a reply."""
    detail: str = ""
    """Of the last failure."""
    stopped: Literal["", "low", "failed"] = ""
    """Why it did not go on, though rows are missing."""
    given_up: list[str] = field(default_factory=list)
    """Categories of which hardly anything was accepted."""

    @property
    def rows(self) -> int:
        """Wanted in all."""
        return sum(self.quota.values())

    @property
    def missing(self) -> int:
        return max(0, self.rows - self.before - self.accepted)


class Expansion:
    """One call of the command: `missing()` says what is left, `run` asks until nothing is."""

    def __init__(self, examples: Examples, out: Path, rows: int, seed: int = 42) -> None:
        """Raises DataError where another command wrote what stands in `out`."""
        self._styles, self._seed = examples.styles, seed
        accepted, rejected = read_jsonl(out), read_jsonl(rejected_path(out))
        if any("made_by" not in row or "draw" not in row for row in accepted):
            raise DataError("data.expand.another_file", path=out)
        said = [tuple(turn["content"] for turn in row["messages"]) for row in accepted]
        self._known = Known([row.turns for style in self._styles.values() for row in style.examples], said)
        self._taken = {name: deque[str](maxlen=SHOWN_TAKEN) for name in self._styles}
        self._counts: Counter[str] = Counter()
        for row, turns in zip(accepted, said, strict=True):
            self._note(row["category"], turns[0])
        self._draws = {name: 0 for name in self._styles}
        for row in [*accepted, *rejected]:
            if row.get("category") in self._draws:
                self._draws[row["category"]] = max(self._draws[row["category"]], int(row["draw"]))
        self._quota = quotas([*self._styles], rows, seed)
        self._last = deque[bool](maxlen=LAST)
        self._last_of = {name: deque[bool](maxlen=LAST_OF_CATEGORY) for name in self._styles}
        before = sum(min(self._counts[name], quota) for name, quota in self._quota.items())
        self.expanded = Expanded(out, rejected_path(out), self._quota, before)

    def missing(self) -> dict[str, int]:
        """Category → rows that it still has to get; categories that were given up left out."""
        left = {name: quota - self._counts[name] for name, quota in self._quota.items()}
        return {name: num for name, num in left.items() if num > 0 and name not in self.expanded.given_up}

    def run(self, author: Author, per_call: int = 3, progress: Progress = silent) -> Expanded:
        """The same replies give the same file. Raises DataError when not one reply came."""
        expanded = self.expanded
        expanded.out.parent.mkdir(parents=True, exist_ok=True)
        progress("data.expand.progress", expanded.before, expanded.rows)
        while wishes := self._wishes(author.at_once, per_call):
            replies = dict(author.write(wishes))
            for index, wish in enumerate(wishes):
                if (text := replies[index].text) is None:
                    expanded.failed += 1
                    expanded.detail = replies[index].detail or expanded.detail
                    self._judged(wish, [])
                else:
                    expanded.replies += 1
                    self._take(wish, text, author.name)
            progress("data.expand.progress", expanded.before + expanded.accepted, expanded.rows)
            if not all(reply.asked for reply in replies.values()):
                expanded.stopped = "failed"
                break
            if _is_low(self._last):
                expanded.stopped = "low"
                break
            expanded.given_up += [name for name in self.missing() if _is_low(self._last_of[name])]
        if expanded.failed and not expanded.replies:
            raise DataError("data.builders.no_reply", address=author.address or author.name, detail=expanded.detail)
        return expanded

    def _wishes(self, at_once: int, per_call: int) -> list[Wish]:
        """The next calls, of the categories that lack most; never for more than is missing."""
        left, wishes = Counter(self.missing()), list[Wish]()
        while len(wishes) < at_once and (lacking := +left):
            category = lacking.most_common(1)[0][0]
            style = self._styles[category]
            number = min(per_call, lacking[category], max(1, int(ROOM_CHARACTERS / style.mean_characters)))
            self._draws[category] += 1
            draw = self._draws[category]
            chosen = Random(f"{self._seed} {category} {draw}").sample(style.examples, SHOWN_EXAMPLES)
            wishes.append(Wish(style, tuple(chosen), number, draw, tuple(self._taken[category])))
            left[category] -= number
        return wishes

    def _take(self, wish: Wish, reply: str, model: str) -> None:
        """Accept or turn away each conversation of a reply."""
        made: dict[str, Any] = {"category": wish.style.category, "made_by": model, "prompt_version": prompt_version()}
        made["draw"] = wish.draw
        found = read_conversations(reply)
        if not found:
            reason = "unreadable" if found is None else "nothing"
            self._reject((reason, readable(reply[:_REPLY_CHARACTERS])), [], made)
        judged = []
        for place, turns in enumerate(found or ()):
            wrong = ("too_many", str(wish.number)) if place >= wish.number else self._fault(turns, wish.style)
            if place < wish.number:
                judged.append(not wrong[0])
            if wrong[0]:
                self._reject(wrong, turns, made)
                continue
            row = MadeRow(wish.style.category, tuple(turn["content"] for turn in turns))
            self._known.accept(row.turns)
            self._note(row.category, row.turns[0])
            append_jsonl(self.expanded.out, row.as_json() | made | {"review": "draft"})
            self.expanded.accepted += 1
        self._judged(wish, judged)

    def _fault(self, turns: Sequence[Turn], style: Style) -> Fault:
        said = tuple(turn["content"] for turn in turns)
        wrong = shape_fault(turns, style)
        wrong = wrong if wrong[0] else fault(said, style)
        return wrong if wrong[0] else self._known.fault(said)

    def _reject(self, wrong: Fault, turns: Sequence[Turn], made: Mapping[str, Any]) -> None:
        reason, detail = wrong
        row = {"reason": reason, "detail": detail, "messages": list(turns), **made}
        append_jsonl(self.expanded.rejected_file, row)
        self.expanded.rejected[reason] += 1

    def _judged(self, wish: Wish, judged: Sequence[bool]) -> None:
        """What was asked for and did not come counts as not accepted: it was paid for."""
        outcomes = [*judged, *[False] * (wish.number - len(judged))]
        self._last.extend(outcomes)
        self._last_of[wish.style.category].extend(outcomes)

    def _note(self, category: str, question: str) -> None:
        self._counts[category] += 1
        if category in self._taken:
            self._taken[category].append(question)


def quotas(categories: Sequence[str], rows: int, seed: int) -> dict[str, int]:
    """As many rows of each category as of any other; the seed decides which get one more."""
    order = Random(f"{seed} quotas").sample(categories, len(categories))
    more = set(order[: rows % len(categories)])
    return {name: rows // len(categories) + (name in more) for name in categories}


def _is_low(last: deque[bool]) -> bool:
    return len(last) == last.maxlen and sum(last) < MIN_ACCEPTED * len(last)
