"""Whose opportunities and tickets are alive is found in an index alone: lists of one's own customers begin there."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = {"opportunities": "owner_id, customer_id", "tickets": "assignee_id, customer_id"}


def _name(table: str) -> str:
    return f"ix_{table}_{COLUMNS[table].replace(', ', '_')}"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for table, columns in COLUMNS.items():
            # What an earlier attempt has left behind is an index that nobody can use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(table)}_alive")
            op.execute(
                f"CREATE INDEX CONCURRENTLY {_name(table)}_alive ON {table} ({columns}) WHERE deleted_at IS NULL"
            )
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(table)}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for table, columns in COLUMNS.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(table)}")
            op.execute(f"CREATE INDEX CONCURRENTLY {_name(table)} ON {table} ({columns})")
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(table)}_alive")
