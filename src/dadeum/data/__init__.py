"""Raw files → checked, split examples. `prepare` reads and cleans in memory, `build` writes, `check` judges."""
