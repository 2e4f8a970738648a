"""Documents cut into chunks, and chunks that are ready."""
