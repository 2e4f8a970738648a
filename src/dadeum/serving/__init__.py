"""Shipping what was trained: export now, serving and A/B tests to come."""
