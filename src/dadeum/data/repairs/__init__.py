"""The clean steps of a recipe or command line: counted, reversible."""
