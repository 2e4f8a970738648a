"""Figures of free answers: one file = one metric, found by its file name."""
