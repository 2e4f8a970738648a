"""What made mail is like: rows per origin, style and label, and what can be told without reading it.

`surface_auc` looks at everything but the words (length, signs, files, time, origin, style), `word_auc` at words alone.
Both judge topics that they have not seen. The first should be at chance, the second clearly above it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dadeum.core.korean import masked
from dadeum.data.builders.made_quality import SIMILARITY, distinct, share
from dadeum.data.builders.mail_bank import bank
from dadeum.data.builders.mail_rows import MailRow
from dadeum.data.similar.duplicates import near_copies

MIN_ROWS = 100
"""Below this an area is mostly chance and is not told."""
_FOLDS, _ROUNDS = 5, 3
_SIGNS = {
    "hangul": "[\uac00-\ud7a3]",
    "latin": "[A-Za-z]",
    "digits": r"\d",
    "spaces": r"\s",
    "marks": r"[.,:!?~\-]",
    "brackets": r"[()\[\]{}（）【】「」《》〔〕]",
    "emoji": "[\u2600-\u27bf\U0001f000-\U0001faff]",
}


def mail_quality(rows: Sequence[MailRow]) -> dict[str, Any]:
    """Shares are of all subjects, distinct-n of all their words (divided at spaces)."""
    words = [row.subject.split() for row in rows]
    subjects = [row.subject for row in rows]
    return {
        "rows": len(rows),
        "labels": _counts([row.label for row in rows]),
        "origins": _by_label(rows, "origin"),
        "styles": _by_label(rows, "style"),
        "topics": len({(row.origin, row.topic) for row in rows}),
        "rules": _by_label(rows, "rule"),
        "distinct_1": distinct([(word,) for found in words for word in found]),
        "distinct_2": distinct([pair for found in words for pair in pairwise(found)]),
        "distinct_subjects": len(set(subjects)),
        "distinct_masked": len({masked(subject) for subject in subjects}),
        "near_duplicates": len(near_copies([row.said for row in rows], SIMILARITY)),
        "with_attachments": _means(rows, lambda row: bool(row.attachments)),
        "characters": _means(rows, lambda row: len(row.subject)),
        "surface_auc": surface_auc(rows),
        "word_auc": word_auc(rows),
    }


def surface_auc(rows: Sequence[MailRow]) -> float | None:
    """How well the label is told without reading a word; 0.5 is chance."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    model = make_pipeline(DictVectorizer(), MaxAbsScaler(), LogisticRegression(max_iter=1000))
    return _area(model, [surface(row) for row in rows], rows)


def word_auc(rows: Sequence[MailRow]) -> float | None:
    """How well words and pairs of words tell the label in topics that were not seen."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+", sublinear_tf=True)
    return _area(make_pipeline(vectors, LogisticRegression(C=10.0, max_iter=1000)), [row.subject for row in rows], rows)


def surface(row: MailRow) -> dict[str, float | str]:
    """Everything about a mail but what it says."""
    kinds = Counter(file.rpartition(".")[2] for file in row.attachments)
    return {
        "characters": len(row.subject),
        "words": len(row.subject.split()),
        "advert": float(bank().advert in row.subject),
        "files": len(row.attachments),
        "hour": str(row.received.hour),
        "weekday": str(row.received.weekday()),
        "month": str(row.received.month),
        "origin": row.origin,
        "style": row.style,
        **{name: len(re.findall(pattern, row.subject)) for name, pattern in _SIGNS.items()},
        **{f"file {kind}": num for kind, num in kinds.items()},
    }


def _area(model: Any, inputs: Sequence[Any], rows: Sequence[MailRow]) -> float | None:
    """Area under the ROC curve over rows judged by a model that saw nothing of their topic; mean of three rounds."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    groups = [f"{row.origin} {row.topic}" for row in rows]
    blocked = np.array([row.label == "BLOCK" for row in rows])
    if len(rows) < MIN_ROWS or len(set(groups)) < _FOLDS:
        return None
    areas = []
    for turn in range(_ROUNDS):
        folds = GroupKFold(_FOLDS, shuffle=True, random_state=turn)
        told = cross_val_predict(model, list(inputs), blocked, groups=groups, cv=folds, method="predict_proba")
        areas.append(roc_auc_score(blocked, told[:, 1]))
    return round(float(np.mean(areas)), 4)


def _by_label(rows: Sequence[MailRow], field: str) -> dict[str, dict[str, int]]:
    values = sorted({getattr(row, field) for row in rows})
    return {value: _counts([row.label for row in rows if getattr(row, field) == value]) for value in values}


def _means(rows: Sequence[MailRow], of: Callable[[MailRow], float]) -> dict[str, float]:
    labels = sorted({row.label for row in rows})
    return {label: share(sum(of(row) for row in rows if row.label == label),
                         sum(row.label == label for row in rows)) for label in labels}  # fmt: skip


def _counts(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
