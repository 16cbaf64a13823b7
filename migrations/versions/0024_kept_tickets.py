"""What is kept of tickets: facts of each of them, and how many there are of which sort by time."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BUCKETS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
CHANNELS = ("PHONE", "EMAIL", "CHAT", "WEB", "SOCIAL")
KINDS = ("INQUIRY", "COMPLAINT", "AFTER_SALES", "TECHNICAL", "OTHER")
PRIORITIES = ("LOW", "NORMAL", "HIGH", "URGENT")
COUNTS = (
    "OPENED",
    "RESOLVED",
    "SETTLED",
    "CHANNEL",
    "KIND",
    "PRIORITY",
    "SATISFACTION",
    "RESPONSE_KEPT",
    "RESOLUTION_KEPT",
    "ANSWERED_IN",
    "RESOLVED_IN",
)

INDEXES = {
    "ix_ticket_facts_response_minutes": "(response_minutes) INCLUDE (day)",
    "ix_ticket_facts_resolution_minutes": "(resolution_minutes) INCLUDE (day)",
    "ix_ticket_facts_settled_on": "(settled_on)",
    "ix_ticket_facts_unsettled": "(day) INCLUDE (created_at, response_due_at, resolution_due_at)"
    " WHERE settled_on IS NULL",
}


def _one_of(name: str, members: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "ticket_facts",
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", _one_of("ticket_channel", CHANNELS), nullable=False),
        sa.Column("kind", _one_of("ticket_kind", KINDS), nullable=False),
        sa.Column("priority", _one_of("ticket_priority", PRIORITIES), nullable=False),
        sa.Column("satisfaction", sa.Integer(), nullable=True),
        sa.Column("resolved_on", sa.Date(), nullable=True),
        sa.Column("settled_at", moment, nullable=True),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("response_minutes", sa.Float(53), nullable=True),
        sa.Column("resolution_minutes", sa.Float(53), nullable=True),
        sa.Column("response_kept", sa.Boolean(), nullable=True),
        sa.Column("resolution_kept", sa.Boolean(), nullable=True),
        sa.Column("response_due_at", moment, nullable=True),
        sa.Column("resolution_due_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_ticket_facts"),
    )
    for name, rest in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON ticket_facts {rest}")
    # Percentiles and what is late are read from indexes alone, as long as the pages behind them are known to be old.
    op.execute(
        "ALTER TABLE ticket_facts SET (autovacuum_vacuum_scale_factor = 0.02,"
        " autovacuum_vacuum_insert_scale_factor = 0.02)"
    )
    op.create_table(
        "ticket_buckets",
        sa.Column("what", _one_of("ticket_count", COUNTS), nullable=False),
        sa.Column("bucket", _one_of("time_bucket", BUCKETS), nullable=False),
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("what", "bucket", "start", "label", name="pk_ticket_buckets"),
    )
    op.execute("UPDATE analytics_state SET built = false")


def downgrade() -> None:
    op.drop_table("ticket_buckets")
    op.drop_table("ticket_facts")
