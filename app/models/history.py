"""What has happened to a record: its events in the audit log."""

from typing import Any

from sqlmodel import Relationship


def history(entity: str) -> Any:
    """The relation from ``entity`` to its events, open to whoever has the right ``history`` on the record."""
    return Relationship(
        sa_relationship_kwargs={
            "primaryjoin": f"foreign(AuditEvent.record_id) == {entity}.id",
            "viewonly": True,
            "uselist": True,
            "info": {"action": "history"},
        }
    )
