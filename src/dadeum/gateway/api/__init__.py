"""Routes: the shapes of OpenAI and System One, and the tasks of recipes."""
