"""Model families: facts that a chat template cannot say, one family a file; `base.py` says which there are."""
