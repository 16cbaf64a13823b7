"""What is promised for tickets, and the pauses of their clocks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Business minutes until the first response and until the resolution, by priority.
TARGETS = {"low": (960, 4_800), "normal": (480, 2_400), "high": (240, 960), "urgent": (60, 480)}
HOURS = [
    f"{day} {hours}"
    for day in ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
    for hours in ("09:00-12:30", "13:30-17:30")
]
POLICY = "00000000-0000-7000-8000-000000000001"


def upgrade() -> None:
    columns = {
        f"{priority}_{name}_minutes": minutes
        for priority, targets in TARGETS.items()
        for name, minutes in zip(("first_response", "resolution"), targets, strict=True)
    }
    policies = op.create_table(
        "sla_policies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("hours", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("holidays", postgresql.ARRAY(sa.Date()), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in columns),
        sa.CheckConstraint(f"id = '{POLICY}'", name=op.f("ck_sla_policies_there_is_one")),
        sa.CheckConstraint("cardinality(hours) > 0", name=op.f("ck_sla_policies_there_are_hours")),
        *(sa.CheckConstraint(f"{name} > 0", name=op.f(f"ck_sla_policies_{name}_is_positive")) for name in columns),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policies")),
    )
    op.bulk_insert(policies, [{"id": POLICY, "hours": HOURS, "holidays": [], **columns}])
    # Constant defaults are kept in the catalogue: no row is rewritten.
    op.add_column("tickets", sa.Column("pending_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tickets", sa.Column("paused", sa.Interval(), server_default=sa.text("'0'"), nullable=False))


def downgrade() -> None:
    op.drop_column("tickets", "paused")
    op.drop_column("tickets", "pending_since")
    op.drop_table("sla_policies")
