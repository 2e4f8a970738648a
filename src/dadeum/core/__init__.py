"""Recipe, run folder, examples, errors, messages: imports neither torch nor transformers."""
