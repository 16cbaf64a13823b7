"""A second, slow way to the same answers: every field by itself, in Python, over rows held in memory."""
