"""Preference data: pairs of a better and a worse answer, from a file of people's judgements or from the model."""
