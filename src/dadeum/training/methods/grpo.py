"""Group relative policy optimization: rewards in standard deviations from the mean of the answers to one prompt."""

from __future__ import annotations

from contextlib import AbstractContextManager

from dadeum.training.work import Ready, Work

CONFIG = ("trl", "GRPOConfig")


def ready(work: Work) -> AbstractContextManager[Ready]:
    """DataError for a split without usable rows, ModelError for what this machine cannot hold."""
    from trl import GRPOConfig

    from dadeum.training.grouped import GrpoTrainer, ready_with

    return ready_with(work, GrpoTrainer, GRPOConfig)
