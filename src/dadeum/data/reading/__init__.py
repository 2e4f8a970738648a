"""Files as they lie on disk → tables and rows: format and encoding by content, columns by name and content."""
