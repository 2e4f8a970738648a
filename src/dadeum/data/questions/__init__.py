"""Questions about documents: what answers them, what belongs together, and what a model is shown with each."""
