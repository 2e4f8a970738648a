"""Find chunks for a question: by words (BM25), by meaning (vectors), by both; keep them in an index; judge the result.

`places.open_index` opens a folder or a PostgreSQL database; `figures` says how good a ranking is.
"""
