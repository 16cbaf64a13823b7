"""Mistakes of whoever works the command line."""


class UserMistakeError(Exception):
    """Something that whoever typed the command can put right; the message says how."""
