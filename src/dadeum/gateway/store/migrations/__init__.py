"""How the tables of the request log came to be, one file a step; Alembic runs them in order."""
