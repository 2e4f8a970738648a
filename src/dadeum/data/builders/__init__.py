"""Data that is not there yet: chunks of documents as a file, and drafts of questions about them for people to read."""
