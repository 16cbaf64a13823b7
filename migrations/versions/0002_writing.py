"""What writes leave behind: the audit log, the outbox, and the keys of repeated requests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The log is only added to. A value and its salt may be taken out, when a person asks for it; nothing else may change.
FUNCTIONS = (
    """
    CREATE FUNCTION keep_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
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
    """,
    """
    CREATE TRIGGER audit_events_are_kept BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION keep_audit_events()
    """,
    """
    CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_events()
    """,
)


def _place() -> list[sa.Column]:
    return [
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
        ),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_place(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("impersonator_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("record_version", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=True),
        sa.Column("salts", postgresql.JSONB(), nullable=True),
        sa.Column("hashes", postgresql.JSONB(), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint("outcome IN ('OK', 'DENIED', 'FAILED')", name=op.f("ck_audit_events_audit_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        "uq_audit_events_transaction_id_position", "audit_events", ["transaction_id", "position"], unique=True
    )
    op.create_index("ix_audit_events_at_id", "audit_events", ["at", "id"])
    op.create_index("ix_audit_events_actor_id_at_id", "audit_events", ["actor_id", "at", "id"])
    op.create_index("ix_audit_events_record_id_at_id", "audit_events", ["record_id", "at", "id"])
    op.create_index("ix_audit_events_entity_action_at_id", "audit_events", ["entity", "action", "at", "id"])
    op.create_index("ix_audit_events_request_id", "audit_events", ["request_id"])
    op.create_index(
        "ix_audit_events_outcome_at_id",
        "audit_events",
        ["outcome", "at", "id"],
        postgresql_where=sa.text("outcome <> 'OK'"),
    )
    op.create_table(
        "outbox",
        *_place(),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("record_version", sa.Integer(), nullable=True),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "position", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_at", "outbox", ["at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "token_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_table("outbox")
    op.drop_table("audit_events")
    op.execute("DROP FUNCTION keep_audit_events()")
