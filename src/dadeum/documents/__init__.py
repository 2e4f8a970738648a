"""Documents (PDF, text, corpus files) as pages of mended text with their tables, and chunks of them for retrieval."""
