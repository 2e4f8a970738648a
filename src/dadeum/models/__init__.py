"""Everything that touches weights or tokenizers; several steps use it."""
