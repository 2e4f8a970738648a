"""Two or more runs on exactly the same test rows: one table, paired tests, and which run to take."""
