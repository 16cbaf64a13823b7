"""What merges of customers move, and the index by which the same phone number is found however it is written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _ids(name: str) -> sa.Column:
    return sa.Column(name, postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "customer_merges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("merged_id", sa.Uuid(), nullable=False),
        sa.Column("kept_id", sa.Uuid(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fields", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        _ids("contacts"),
        _ids("opportunities"),
        _ids("orders"),
        _ids("tickets"),
        sa.Column("external_refs", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        _ids("redirected"),
        _ids("unset_primary"),
        sa.ForeignKeyConstraint(["merged_id"], ["customers.id"], name=op.f("fk_customer_merges_merged_id")),
        sa.ForeignKeyConstraint(["kept_id"], ["customers.id"], name=op.f("fk_customer_merges_kept_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_merges")),
    )
    op.create_index("ix_customer_merges_merged_id_merged_at", "customer_merges", ["merged_id", "merged_at"])
    op.create_index("ix_customer_merges_kept_id", "customer_merges", ["kept_id"])
    op.create_index("ix_customer_merges_operation_id", "customer_merges", ["operation_id"])
    with op.get_context().autocommit_block():
        # What an earlier attempt has left behind is an index that nobody can use.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_customers_phone_digits")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_customers_phone_digits ON customers"
            " ((regexp_replace(phone, '[^0-9]', '', 'g')))"
        )


def downgrade() -> None:
    op.execute("DROP INDEX ix_customers_phone_digits")
    op.drop_table("customer_merges")
