"""Indexes that hold each owner's customers in the orders of their lists."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_customers_owner_id_updated_at_id": "owner_id, updated_at, id",
    "ix_customers_owner_id_name_id": 'owner_id, name COLLATE "C", id',
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, columns in INDEXES.items():
            # What an earlier attempt has left behind is an index that nobody can use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON customers ({columns}) WITH (fillfactor = 70)")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
