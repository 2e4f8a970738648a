"""What stands in single texts: all text checks in one pass, sentences, stock phrases, code, markup."""
