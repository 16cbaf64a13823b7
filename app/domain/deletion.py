"""Deleting and restoring: a deleted record stays in its table, out of sight, until somebody brings it back."""

from datetime import datetime
from typing import Protocol, TypeVar

from app.domain.work import Work


class Deletable(Protocol):
    """A record that knows when it was deleted."""

    deleted_at: datetime | None


D = TypeVar("D", bound=Deletable)


def delete(work: Work, row: D) -> D:
    """Mark ``row`` as deleted; one that is deleted already stays as it is."""
    if row.deleted_at is None:
        row.deleted_at = work.now
    return row


def restore(work: Work, row: D) -> D:
    """Bring ``row`` back; RefusedError where it is not deleted.

    Unique indexes leave deleted rows out. Where a live record has taken the code, name or sku meanwhile, the gate
    makes the database's refusal a problem.
    """
    if row.deleted_at is None:
        said = f"This {type(row).__name__} is not deleted: there is nothing to restore."
        work.problems.add(("id",), "INVALID_TRANSITION", said)
        work.problems.refuse()
    row.deleted_at = None
    return row
