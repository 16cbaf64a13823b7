"""The queue of the analytics names opportunities and tickets, too."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = ("opportunity_id", "ticket_id")
_CHECK = "says_one_thing"


def _says_one_thing(*columns: str) -> None:
    op.create_check_constraint(_CHECK, "analytics_changes", f"num_nonnulls({', '.join(columns)}) <= 1")


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("analytics_changes", sa.Column(column, sa.Uuid(), nullable=True))
    op.drop_constraint(f"ck_analytics_changes_{_CHECK}", "analytics_changes")
    _says_one_thing("customer_id", "order_id", *COLUMNS, "currency")


def downgrade() -> None:
    # What cannot be told any more is counted anew with everything.
    op.execute(
        """
        WITH gone AS (
            DELETE FROM analytics_changes WHERE num_nonnulls(opportunity_id, ticket_id) > 0 RETURNING id
        )
        INSERT INTO analytics_changes (counted) SELECT false FROM gone LIMIT 1
        """
    )
    op.drop_constraint(f"ck_analytics_changes_{_CHECK}", "analytics_changes")
    for column in COLUMNS:
        op.drop_column("analytics_changes", column)
    _says_one_thing("customer_id", "order_id", "currency")
