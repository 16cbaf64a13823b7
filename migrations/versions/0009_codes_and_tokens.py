"""One-time codes, who has to wait after wrong guesses, and API tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The next statement of every worker finds the version changed, and asks what has become of the token.
TRIGGERS = (
    """
    CREATE FUNCTION change_api_token() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET access_version = access_version + 1 WHERE id = OLD.owner_id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER api_tokens_changed AFTER UPDATE ON api_tokens FOR EACH ROW
    WHEN ((NEW.owner_id, NEW.scopes, NEW.allowed_ips, NEW.secret_hash, NEW.former_hash, NEW.former_until,
           NEW.expires_at, NEW.revoked_at)
        IS DISTINCT FROM (OLD.owner_id, OLD.scopes, OLD.allowed_ips, OLD.secret_hash, OLD.former_hash,
                          OLD.former_until, OLD.expires_at, OLD.revoked_at))
    EXECUTE FUNCTION change_api_token()
    """,
    """
    CREATE TRIGGER api_tokens_deleted AFTER DELETE ON api_tokens FOR EACH ROW EXECUTE FUNCTION change_api_token()
    """,
)


def upgrade() -> None:
    op.create_table(
        "one_time_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("guesses", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_one_time_codes_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_codes")),
    )
    op.create_index("uq_one_time_codes_user_id_purpose", "one_time_codes", ["user_id", "purpose"], unique=True)
    op.create_index("ix_one_time_codes_expires_at", "one_time_codes", ["expires_at"])
    op.create_table(
        "slowed_down",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_slowed_down")),
    )
    op.create_index("ix_slowed_down_failed_at", "slowed_down", ["failed_at"])
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("beginning", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("allowed_ips", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("former_hash", sa.LargeBinary(), nullable=True),
        sa.Column("former_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requests_total", sa.BigInteger(), nullable=False),
        sa.Column("requests_counted", sa.BigInteger(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.CheckConstraint("char_length(name) <= 100", name=op.f("ck_api_tokens_name_is_short")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_api_tokens_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
    )
    op.create_index("uq_api_tokens_secret_hash", "api_tokens", ["secret_hash"], unique=True)
    op.create_index(
        "ix_api_tokens_former_hash",
        "api_tokens",
        ["former_hash"],
        postgresql_where=sa.text("former_hash IS NOT NULL"),
    )
    op.create_index("ix_api_tokens_owner_id_created_at_id", "api_tokens", ["owner_id", "created_at", "id"])
    op.create_index("ix_api_tokens_created_at_id", "api_tokens", ["created_at", "id"])
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("api_tokens")
    op.execute("DROP FUNCTION change_api_token()")
    op.drop_table("slowed_down")
    op.drop_table("one_time_codes")
