"""What a model is taught: one file = one kind of job, found by its file name."""
