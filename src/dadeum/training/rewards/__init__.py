"""Rewards of free answers: one file = one reward, found by its file name; `training/rewards/base.py` says how."""
