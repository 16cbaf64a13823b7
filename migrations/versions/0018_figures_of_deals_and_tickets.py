"""What the figures about opportunities and tickets look into: the few customers that are gone, the stages into which
an opportunity came, and tickets without their texts."""

from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_customers_deleted": "customers (id) WHERE deleted_at IS NOT NULL",
    "ix_stage_changes_opportunity_id_to_stage_id": "stage_changes (opportunity_id, to_stage_id)",
    "ix_tickets_figures": "tickets (created_at) INCLUDE (id, customer_id, status, kind, priority, channel,"
    " first_responded_at, first_response_due_at, resolved_at, resolution_due_at, closed_at, pending_since, satisfaction)"
    " WHERE deleted_at IS NULL",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, rest in INDEXES.items():
            # What an earlier attempt has left behind is an index that nobody can use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {rest}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
