"""General ability: Korean questions of four choices that have nothing to do with the data. What was unlearnt?"""
