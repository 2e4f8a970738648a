"""Judging free answers: what several systems wrote to the same rows, by figures, crisis messages and a judge."""
