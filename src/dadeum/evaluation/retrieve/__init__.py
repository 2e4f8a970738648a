"""How well a tuned retriever finds the right chunks, beside BM25 and itself before tuning."""
