"""Judging a run: scores, calibration, baselines, comparison, gates, and the report that says it all in words."""
