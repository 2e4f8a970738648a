"""Training of embedding models: questions with the chunks that answer them, and with chunks that only look so."""
