"""From examples to weights: one spine, methods that differ only in what they must."""
