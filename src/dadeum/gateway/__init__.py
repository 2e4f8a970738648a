"""One API for tuned models: engine, routes, request log, variants."""
