"""Second factors, recovery codes, and whom OpenID providers know our users as."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TRIGGERS = (
    # Who is made inactive is signed out for good: made active again, one signs in again.
    """
    CREATE OR REPLACE FUNCTION end_impersonations_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE sessions SET revoked_at = now()
        WHERE revoked_at IS NULL AND (
            impersonator_id = NEW.id OR (user_id = NEW.id AND (impersonator_id IS NOT NULL OR NOT NEW.active))
        );
        RETURN NULL;
    END $$
    """,
    # Whether a role's users may go on depends on it.
    """
    CREATE FUNCTION change_second_factor() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET access_version = access_version + 1 WHERE id = OLD.user_id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER second_factors_confirmed AFTER UPDATE OF confirmed_at ON second_factors
    FOR EACH ROW EXECUTE FUNCTION change_second_factor()
    """,
    """
    CREATE TRIGGER second_factors_deleted AFTER DELETE ON second_factors
    FOR EACH ROW EXECUTE FUNCTION change_second_factor()
    """,
)


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
    )
    op.create_index("uq_identities_user_id_issuer", "identities", ["user_id", "issuer"], unique=True)
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("identities")
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
    op.execute("DROP FUNCTION change_second_factor()")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION end_impersonations_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE sessions SET revoked_at = now()
            WHERE impersonator_id IS NOT NULL AND revoked_at IS NULL AND (impersonator_id = NEW.id OR user_id = NEW.id);
            RETURN NULL;
        END $$
        """
    )
