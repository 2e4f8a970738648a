"""REINFORCE leave-one-out: an answer is good where it beats the mean of the other answers to its prompt."""

from __future__ import annotations

from contextlib import AbstractContextManager

from dadeum.training.work import Ready, Work

CONFIG = ("trl", "RLOOConfig")


def ready(work: Work) -> AbstractContextManager[Ready]:
    """DataError for a split without usable rows, ModelError for what this machine cannot hold."""
    from trl import RLOOConfig

    from dadeum.training.grouped import RlooTrainer, ready_with

    return ready_with(work, RlooTrainer, RLOOConfig)
