"""Answers, decisions and vectors for many callers at once: on this machine, or at a server of vLLM."""
