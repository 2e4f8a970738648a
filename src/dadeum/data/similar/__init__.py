"""Which texts say the same: exactly, nearly, or but for names and numbers."""
