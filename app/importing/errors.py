"""What can go wrong with an import: the whole of it, or one row."""

from app.mistakes import UserMistakeError


class ImportRefusedError(UserMistakeError):
    """The map or the file cannot be used, and nothing was imported; the message says what would be right."""


class RowRefusedError(Exception):
    """One row cannot be imported. ``columns`` are those of the file that are at fault, ``reason`` is for people."""

    def __init__(self, columns: str, reason: str) -> None:
        super().__init__(reason)
        self.columns = columns
        self.reason = reason
