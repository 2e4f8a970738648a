"""Proximal policy optimization with a value head: formulas, forward passes, rollouts, and the trainer."""
