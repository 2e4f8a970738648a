"""What was asked and answered, and what people said about it, in SQLite or PostgreSQL."""
