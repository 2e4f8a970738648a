"""Labels that a simple probe denies with confidence: candidates for wrong ones, to be read by a person.

Confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068): a row is a candidate when its out-of-fold
probability of another label reaches the mean that rows of that label get, and its own label gets hardly any.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.korean import masked
from dadeum.data.context import Context
from dadeum.data.similar.shingles import Ints

CODE = "DA204"
NAME = "label_noise"

MIN_ROWS = 200
"""Fewer rows than this cannot teach a probe what a label means."""
MIN_CLASS_ROWS = 20
"""Rows of a label below which its rows are left out, four a fold."""
MAX_ROWS = 10_000
"""Rows looked at unless all are asked for: about 2 s."""
MAX_OWN_PROBABILITY = 0.1
"""Probability of the row's own label up to which the probe denies it; precision 0.97 instead of 0.86 at 5 % noise."""
MIN_SHARE = 0.005
"""Share of candidates below which nothing is said: on clean mail the probe itself errs on one row in 2,000."""
WARN_SHARE = 0.02
"""Share of candidates from which this is a warning, provided that the probe knows what it talks about."""
MIN_CERTAINTY = 0.4
"""Share of candidates among all rows where the probe disagrees. Wrong labels give 0.6, labels that overlap 0.2."""
_NUM_FOLDS = 5
_NUM_EPOCHS = 10
_C = 10
"""C of a logistic regression: the usual weight of the rows against the penalty on TF-IDF vectors."""
_MAX_CHARACTERS = 500
_MAX_FEATURES = 100_000

Probabilities = npt.NDArray[np.float64]


def check(context: Context) -> list[Finding]:
    if context.task != "decide":
        return []
    rows, num_rows = context.labelled(MAX_ROWS, MIN_CLASS_ROWS)
    labels = sorted({context.placed[row][1].label for row in rows})
    if len(rows) < MIN_ROWS or len(labels) < 2:
        return []
    numbers = {label: number for number, label in enumerate(labels)}
    given = np.array([numbers[context.placed[row][1].label] for row in rows])
    probabilities = out_of_fold([context.placed[row][1].text for row in rows], given, len(labels), context.seed)
    own = probabilities[np.arange(len(given)), given]
    candidates = np.flatnonzero(_denied(probabilities, given) & (own <= MAX_OWN_PROBABILITY))
    share = len(candidates) / len(rows)
    if share < MIN_SHARE:
        return []
    instead = probabilities.argmax(axis=1)
    certainty = len(candidates) / max(int((instead != given).sum()), 1)
    hits = []
    for place in candidates[np.argsort(own[candidates], kind="stable")].tolist():
        found = {
            "label": labels[given[place]],
            "probe": labels[instead[place]],
            "probability": round(float(own[place]), 4),
        }
        hits.append(Hit(rows[place], found=found))
    values = {
        "share": share, "agreement": float((instead == given).mean()), "looked": len(rows), "rows": num_rows,
        "certainty": certainty,
    }  # fmt: skip
    severity: Severity = "warn" if share >= WARN_SHARE and certainty >= MIN_CERTAINTY else "info"
    return context.finding(CODE, NAME, severity, hits, values, len(rows))


def _denied(probabilities: Probabilities, given: Ints) -> npt.NDArray[np.bool_]:
    """Rows in the off-diagonal of the confident joint whose likeliest label is that other one."""
    num_labels = probabilities.shape[1]
    thresholds = np.array([probabilities[given == label, label].mean() for label in range(num_labels)])
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    other = reached.argmax(axis=1)
    denied = (reached.max(axis=1) >= 0) & (other != given) & (other == probabilities.argmax(axis=1))
    return np.asarray(denied, dtype=bool)


def out_of_fold(texts: Sequence[str], given: Ints, num_labels: int, seed: int) -> Probabilities:
    """Probability of each label for each text by a model that saw neither it nor its copies; shape (n, labels)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier

    # Copies fall into one fold: they would vouch for each other's wrong label.
    folds = np.array([zlib.crc32(f"{seed} {masked(text)}".encode()) % _NUM_FOLDS for text in texts])
    vectors = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), min_df=2, max_features=_MAX_FEATURES, sublinear_tf=True,
        dtype=np.float32,
    ).fit_transform([text[:_MAX_CHARACTERS] for text in texts])  # fmt: skip
    probabilities = np.zeros((len(texts), num_labels))
    for fold in range(_NUM_FOLDS):
        held_out = folds == fold
        if not held_out.any() or len(set(given[~held_out])) < 2:
            continue
        # Logistic regression; by stochastic gradient it takes a thirtieth of the time of lbfgs.
        model = SGDClassifier(
            loss="log_loss", alpha=1 / (_C * len(texts)), max_iter=_NUM_EPOCHS, tol=None, random_state=seed
        )
        model.fit(vectors[~held_out], given[~held_out])
        probabilities[np.ix_(held_out, model.classes_)] = model.predict_proba(vectors[held_out])
        # A label whose rows are all copies of each other was never seen: nothing is known against it.
        unseen = np.flatnonzero(held_out & ~np.isin(given, model.classes_))
        probabilities[unseen] = np.eye(num_labels)[given[unseen]]
    return probabilities
