"""Judging decisions: one label per row, beside classical baselines, with probabilities that mean what they say."""
