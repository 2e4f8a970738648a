"""Figures of docs/howto/demo-data.md, as Markdown: how many rows of what, how long, and how hard the demo mail is.

Run: python benchmarks/measure_demo_mail.py [--tokenizer FOLDER_OR_HUB_ID]
"""

from __future__ import annotations

import argparse
import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from make_demo_mail import Mail, make_rows
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

HOLD_OUT = (
    "도서관",
    "거래처",
    "국제협력",
    "학회사무국",
    "etax-view.example",
    "prize-office.example",
    "auto-renew.example",
    "journal-call.example",
)
"""Origins that the recipe keeps for the test."""
EXTRA = ("exact duplicate", "near duplicate", "NFD copy", "both labels", "empty")
"""Dirt that adds a row; the figures are taken without these rows."""


def text_of(mail: Mail) -> str:
    """What a model may see after cleaning: subject and attachment names, never time or origin."""
    subject = html.unescape(re.sub(r"</?b>|\u200b", "", unicodedata.normalize("NFC", mail.subject)))
    return "\n".join([" ".join(subject.split()), *mail.attachments])


def model() -> Pipeline:
    """Character 1- to 4-grams and logistic regression: the baseline to beat."""
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
    return make_pipeline(vectors, LogisticRegression(C=10.0, max_iter=1000))


def accuracy(train: Sequence[Mail], test: Sequence[Mail]) -> float:
    """Share of `test` that the baseline gets right after learning `train`."""
    fitted = model().fit([text_of(mail) for mail in train], [mail.label for mail in train])
    return float(fitted.score([text_of(mail) for mail in test], [mail.label for mail in test]))


def fold_accuracy(rows: list[Mail], group: str | None) -> list[float]:
    """Five folds (80 % train); with a group, no template or kind stands on both sides."""
    if group is None:
        folds = StratifiedKFold(5, shuffle=True, random_state=0).split(rows, [mail.label for mail in rows])
    else:
        groups = [getattr(mail, group) for mail in rows]
        folds = GroupKFold(5, shuffle=True, random_state=0).split(rows, groups=groups)
    return [accuracy([rows[i] for i in train], [rows[i] for i in test]) for train, test in folds]


def best_rules(rows: list[Mail], split: Callable[[str], Iterable[str]]) -> list[tuple[str, float]]:
    """The five best rules `token present: one label, absent: the other`, with their accuracy on all rows."""
    present: dict[str, set[int]] = defaultdict(set)
    for number, mail in enumerate(rows):
        for token in split(text_of(mail).casefold()):
            present[token].add(number)
    blocked = {number for number, mail in enumerate(rows) if mail.label == "BLOCK"}
    wrong = {token: len(numbers ^ blocked) / len(rows) for token, numbers in present.items()}
    best = sorted(wrong, key=lambda token: (min(wrong[token], 1 - wrong[token]), token))[:5]
    return [(token, max(wrong[token], 1 - wrong[token])) for token in best]


def words(text: str) -> Iterable[str]:
    """Words, numbers and single signs."""
    return re.findall(r"\w+|[^\w\s]", text)


def grams(text: str) -> Iterable[str]:
    """Character 1- to 4-grams."""
    return (text[start : start + n] for n in range(1, 5) for start in range(len(text) - n + 1))


def percentiles(values: Iterable[int]) -> str:
    """Minimum, median, 90th and 99th percentile, maximum, as table cells."""
    return " | ".join(f"{value:.0f}" for value in np.percentile(list(values), [0, 50, 90, 99, 100]))


def print_kinds(rows: list[Mail]) -> None:
    """One table row per kind: origins, rows, attachments, language; one for the hold-outs and one for all."""
    print("\n| label | kind | origins | rows | with attachments | no Korean |\n|---|---|---|---|---|---|")
    for label, kind in sorted({(mail.label, mail.kind) for mail in rows}, reverse=True):
        mine = [mail for mail in rows if (mail.label, mail.kind) == (label, kind)]
        origins = ", ".join(sorted({mail.origin for mail in mine}))
        print(f"| {label} | {kind} | {origins} | {len(mine)} | {attached(mine)} | {foreign(mine)} |")
    for name, some in (("hold-outs", [mail for mail in rows if mail.origin in HOLD_OUT]), ("all", rows)):
        for label in ("BLOCK", "ALLOW"):
            mine = [mail for mail in some if mail.label == label]
            print(f"| {label} | {name} | | {len(mine)} | {attached(mine)} | {foreign(mine)} |")


def attached(rows: list[Mail]) -> int:
    """Rows with attachments."""
    return sum(bool(mail.attachments) for mail in rows)


def foreign(rows: list[Mail]) -> int:
    """Rows whose subject has no Hangul."""
    return sum(not re.search("[가-힣]", unicodedata.normalize("NFC", mail.subject)) for mail in rows)


def label_counts(rows: list[Mail], pattern: str) -> dict[str, int]:
    """Rows of each label whose text matches, `$` being the end of any line."""
    return dict(Counter(mail.label for mail in rows if re.search(pattern, text_of(mail), re.MULTILINE)))


def print_lengths(rows: list[Mail], tokenizer_name: str | None) -> None:
    """Characters of the subject and, with a tokenizer, tokens of subject and attachment names."""
    print("\n| label | unit | min | median | 90 % | 99 % | max |\n|---|---|---|---|---|---|---|")
    for label in ("BLOCK", "ALLOW"):
        texts = [text_of(mail) for mail in rows if mail.label == label]
        print(f"| {label} | characters, subject | {percentiles(len(text.splitlines()[0]) for text in texts)} |")
    if not tokenizer_name:
        return
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_name)
    counts = [(mail, len(tokenizer(text_of(mail)).input_ids)) for mail in rows]
    for label in ("BLOCK", "ALLOW"):
        print(f"| {label} | tokens, all | {percentiles(count for mail, count in counts if mail.label == label)} |")
    print(f"| both | tokens, all | {percentiles(count for _, count in counts)} |")
    print("tokens in all rows together:", sum(count for _, count in counts))


def print_difficulty(rows: list[Mail]) -> None:
    """The best one-token rules, and the baseline on folds and on the hold-out origins."""
    for name, split in (("word or sign", words), ("1- to 4-gram", grams)):
        print(f"\nbest {name}:", ", ".join(f"`{token}` {right:.3f}" for token, right in best_rules(rows, split)))
    print("`(광고)`:", label_counts(rows, r"\(광고\)"), "a file ending in html:", label_counts(rows, r"\.html?$"))
    language = (foreign(rows), sum((foreign([mail]) == 1) == (mail.label == "BLOCK") for mail in rows) / len(rows))
    print(f"rule `no Hangul: BLOCK`: {language[1]:.3f} ({language[0]} rows without Hangul)")
    for group, name in ((None, "random rows"), ("template", "unseen templates"), ("kind", "unseen kinds")):
        scores = fold_accuracy(rows, group)
        print(f"TF-IDF, {name}: {np.mean(scores):.3f} (folds {min(scores):.3f} to {max(scores):.3f})")
    held = [mail for mail in rows if mail.origin in HOLD_OUT]
    rest = [mail for mail in rows if mail.origin not in HOLD_OUT]
    print(f"TF-IDF, hold-out origins: {accuracy(rest, held):.3f} of {len(held)} rows, {len(rest)} rows to train on")
    for origin in HOLD_OUT:
        of_origin = [mail for mail in held if mail.origin == origin]
        print(f"- {origin}: {accuracy(rest, of_origin):.3f} of {len(of_origin)}")
    for name, count in (("with", 0), ("without", 1)):
        of_language = [mail for mail in held if foreign([mail]) == count]
        print(f"- {name} Hangul: {accuracy(rest, of_language):.3f} of {len(of_language)}")


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", help="also count tokens with this tokenizer")
    arguments = parser.parse_args()
    rows = make_rows()
    print("rows:", dict(Counter(mail.label for mail in rows)))
    print("dirt:", dict(Counter((mail.dirt, mail.label) for mail in rows if mail.dirt)))
    clean = [mail for mail in rows if not mail.dirt.startswith(EXTRA)]
    print_kinds(clean)
    print_lengths(clean, arguments.tokenizer)
    print_difficulty(clean)


if __name__ == "__main__":
    main()
