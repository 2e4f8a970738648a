"""Training methods: one file = one method, found by its file name; `training/work.py` says what it must offer."""
