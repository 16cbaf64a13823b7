"""What the figures about opportunities and tickets look into: the stages into which each opportunity came, the few
customers that are gone, and tickets without their texts."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_customers_deleted": "customers (id) WHERE deleted_at IS NOT NULL",
    "ix_tickets_figures": "tickets (created_at) INCLUDE (id, customer_id, status, kind, priority, channel,"
    " first_responded_at, first_response_due_at, resolved_at, resolution_due_at, closed_at, pending_since, satisfaction)"
    " WHERE deleted_at IS NULL",
}

# Whoever adds a change takes the row's lock, so that of two at once none is lost.
ADD = """
    INSERT INTO stages_entered AS known (opportunity_id, stages)
    SELECT opportunity_id, array_agg(DISTINCT to_stage_id ORDER BY to_stage_id)
    FROM {changes} GROUP BY opportunity_id ORDER BY opportunity_id
    ON CONFLICT (opportunity_id) DO UPDATE
    SET stages = ARRAY(SELECT DISTINCT stage FROM unnest(known.stages || excluded.stages) AS stage ORDER BY stage)
    WHERE NOT excluded.stages <@ known.stages
"""


def upgrade() -> None:
    op.create_table(
        "stages_entered",
        sa.Column("opportunity_id", sa.Uuid(), nullable=False),
        sa.Column("stages", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunities.id"], name="fk_stages_entered_opportunity_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("opportunity_id", name="pk_stages_entered"),
    )
    op.execute(
        f"""
        CREATE FUNCTION add_stages_entered() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {ADD.format(changes="changed")};
            RETURN NULL;
        END $$
        """
    )
    # Nothing of the program takes a change away or makes another of it; by hand it can be done, and is rare.
    op.execute(
        """
        CREATE FUNCTION find_stages_entered() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM stages_entered WHERE opportunity_id IN (SELECT opportunity_id FROM changed);
            INSERT INTO stages_entered (opportunity_id, stages)
            SELECT opportunity_id, array_agg(DISTINCT to_stage_id ORDER BY to_stage_id)
            FROM stage_changes WHERE opportunity_id IN (SELECT opportunity_id FROM changed) GROUP BY opportunity_id;
            RETURN NULL;
        END $$
        """
    )
    for event, rows, function in (
        ("insert", "NEW", "add"),
        ("update", "NEW", "add"),
        ("update", "OLD", "find"),
        ("delete", "OLD", "find"),
    ):
        op.execute(
            f"CREATE TRIGGER stage_changes_{function}_{event} AFTER {event} ON stage_changes"
            f" REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {function}_stages_entered()"
        )
    with op.get_context().autocommit_block():
        op.execute(ADD.format(changes="stage_changes"))
        for name, rest in INDEXES.items():
            # What an earlier attempt has left behind is an index that nobody can use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {rest}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
    for trigger in ("add_insert", "add_update", "find_update", "find_delete"):
        op.execute(f"DROP TRIGGER stage_changes_{trigger} ON stage_changes")
    for function in ("add", "find"):
        op.execute(f"DROP FUNCTION {function}_stages_entered()")
    op.drop_table("stages_entered")
