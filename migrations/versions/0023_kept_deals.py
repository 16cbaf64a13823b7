"""What is kept of the opportunities: facts of each, and their roll-ups."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEYS = ("OWNER", "TEAM", "PRODUCT", "MONTH")
TABLES = ("opportunity_facts", "pipeline_ways", "funnel_buckets", "pipeline_buckets", "closing_buckets")

# What is kept is counted anew: it lacks what was not kept before.
_ANEW = "UPDATE analytics_state SET built = false"


def _column(name: str, kind: sa.types.TypeEngine[object], *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "opportunity_facts",
        _column("opportunity_id", sa.Uuid()),
        _column("stage_id", sa.Uuid()),
        _column("owner_id", sa.Uuid(), nullable=True),
        _column("product_id", sa.Uuid(), nullable=True),
        _column("way", sa.Uuid()),
        _column("opened", sa.Date()),
        _column("closed", sa.Date(), nullable=True),
        _column("expected", sa.Date(), nullable=True),
        _column("entered_at", sa.DateTime(timezone=True)),
        _column("length", sa.Numeric(), nullable=True),
        _column("currency", sa.Text()),
        _column("amount", sa.Numeric()),
        _column("weighted", sa.Numeric()),
        sa.PrimaryKeyConstraint("opportunity_id", name="pk_opportunity_facts"),
    )
    op.create_index("ix_opportunity_facts_stage_id_entered_at", "opportunity_facts", ["stage_id", "entered_at"])
    op.create_table(
        "pipeline_ways",
        _column("way", sa.Uuid()),
        _column("stages", sa.ARRAY(sa.Uuid())),
        sa.PrimaryKeyConstraint("way", name="pk_pipeline_ways"),
    )
    op.create_table(
        "funnel_buckets",
        _column("month", sa.Date()),
        _column("way", sa.Uuid()),
        _column("opportunities", sa.Integer()),
        sa.PrimaryKeyConstraint("month", "way", name="pk_funnel_buckets"),
    )
    op.create_table(
        "pipeline_buckets",
        _column("stage_id", sa.Uuid()),
        _column("closed", sa.Boolean()),
        _column("currency", sa.Text()),
        _column("expected", sa.Date()),
        _column("opportunities", sa.Integer()),
        _column("entered", sa.Numeric()),
        _column("amount", sa.Numeric()),
        _column("weighted", sa.Numeric()),
        sa.PrimaryKeyConstraint("stage_id", "closed", "currency", "expected", name="pk_pipeline_buckets"),
    )
    key = sa.Enum(*KEYS, name="win_rate_key", native_enum=False, create_constraint=True, length=24)
    op.create_table(
        "closing_buckets",
        _column("by", key),
        _column("month", sa.Date()),
        _column("id", sa.Uuid()),
        _column("stage_id", sa.Uuid()),
        _column("currency", sa.Text()),
        _column("opportunities", sa.Integer()),
        _column("amount", sa.Numeric()),
        _column("length", sa.Numeric()),
        sa.PrimaryKeyConstraint("by", "month", "id", "stage_id", "currency", name="pk_closing_buckets"),
    )
    op.execute(_ANEW)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute(_ANEW)
