"""Seals of the audit log, the door through which old events are archived, and places that outlive a restored dump."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEPT = """
    CREATE OR REPLACE FUNCTION keep_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        erased audit_events;
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            erased := OLD;
            erased.changes := NEW.changes;
            erased.salts := NEW.salts;
            IF erased IS NOT DISTINCT FROM NEW
                AND coalesce(OLD.changes, '{}') @> coalesce(NEW.changes, '{}')
                AND coalesce(OLD.salts, '{}') @> coalesce(NEW.salts, '{}') THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'The audit log is only added to.' USING ERRCODE = 'insufficient_privilege';
    END $$
"""

# An event may go once a checkpoint says that it was archived. The checkpoint stays for ever, and is signed with a key
# that the database does not have: whoever makes one up leaves the proof of it. The last 30 days never go.
KEPT_OR_ARCHIVED = KEPT.replace(
    "        RAISE EXCEPTION",
    """        IF TG_OP = 'DELETE' THEN
            IF OLD.at < now() - interval '30 days' AND EXISTS (
                SELECT FROM audit_checkpoints c
                WHERE (c.transaction_id, c.position) >= (OLD.transaction_id, OLD.position)
            ) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION""",
)

SEALS = (
    """
    CREATE FUNCTION keep_audit_seals() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_TABLE_NAME = 'audit_seals' AND TG_OP = 'DELETE' THEN
            IF OLD.number <= (SELECT max(number) FROM audit_checkpoints)
                AND NOT EXISTS (SELECT FROM audit_events WHERE id = OLD.event_id) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'The seals of the audit log are only added to.' USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_are_{what} BEFORE {when} ON {table}
        FOR EACH {each} EXECUTE FUNCTION keep_audit_seals()
        """
        for table in ("audit_seals", "audit_checkpoints")
        for what, when, each in (("kept", "UPDATE OR DELETE", "ROW"), ("not_emptied", "TRUNCATE", "STATEMENT"))
    ),
)

# A dump that is restored on another server finds transaction ids there that are lower than those in it. What is added
# to them is raised then (app/db/places.py), so that later events still have later places.
OFFSET = "CREATE FUNCTION transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint'"
PLACED = ("audit_events", "outbox")


def _link() -> list[sa.Column]:
    return [
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        *_link(),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_index("uq_audit_seals_event_id", "audit_seals", ["event_id"], unique=True)
    op.create_table(
        "audit_checkpoints",
        *_link(),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_verifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("checked_events", sa.BigInteger(), nullable=False),
        sa.Column("first_broken_event_id", sa.Uuid(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("head", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_verifications")),
    )
    for statement in (KEPT_OR_ARCHIVED, *SEALS, OFFSET):
        op.execute(statement)
    for table in PLACED:
        op.execute(
            f"ALTER TABLE {table} ALTER COLUMN transaction_id"
            " SET DEFAULT pg_current_xact_id()::text::bigint + transaction_offset()"
        )


def downgrade() -> None:
    for table in PLACED:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN transaction_id SET DEFAULT pg_current_xact_id()::text::bigint")
    op.execute("DROP FUNCTION transaction_offset()")
    op.execute(KEPT)
    for table in ("audit_verifications", "audit_checkpoints", "audit_seals"):
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_audit_seals()")
