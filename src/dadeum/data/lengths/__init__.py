"""How many tokens rows have under a tokenizer, and what a limit does to them."""
