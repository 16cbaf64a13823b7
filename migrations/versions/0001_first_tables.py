"""The first tables of the business and of its users."""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Currencies of ISO 4217 whose minor unit is not a hundredth.
WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"


def _listed(codes: str) -> str:
    return ", ".join(f"'{code}'" for code in codes.split())


FUNCTIONS = (
    f"""
    CREATE FUNCTION currency_scale(currency text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN currency IN ({_listed(WHOLE)}) THEN 0 WHEN currency IN ({_listed(THOUSANDTHS)}) THEN 3 ELSE 2 END
    $$
    """,
    """
    CREATE FUNCTION next_number(letter text, sequence text) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT letter || to_char(nextval(sequence::regclass), 'FM9999999999000000000')
    $$
    """,
    "CREATE SEQUENCE customer_codes",
    "CREATE SEQUENCE order_numbers",
    "CREATE SEQUENCE ticket_numbers",
)

# Every statement that reads for a caller compares these versions with those that its rights were loaded at.
TRIGGERS = (
    """
    CREATE FUNCTION raise_user_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.role_id, NEW.team_id, NEW.active) IS DISTINCT FROM (OLD.role_id, OLD.team_id, OLD.active) THEN
            NEW.access_version := OLD.access_version + 1;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER users_access_version BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION raise_user_access_version()
    """,
    """
    CREATE FUNCTION raise_role_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE roles SET access_version = access_version + 1
        WHERE id IN (SELECT NEW.role_id WHERE TG_OP <> 'DELETE' UNION SELECT OLD.role_id WHERE TG_OP <> 'INSERT');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER grants_access_version AFTER INSERT OR UPDATE OR DELETE ON grants
    FOR EACH ROW EXECUTE FUNCTION raise_role_access_version()
    """,
    """
    CREATE FUNCTION raise_grant_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE roles SET access_version = access_version + 1 FROM grants
        WHERE grants.role_id = roles.id AND grants.id IN (
            SELECT NEW.grant_id WHERE TG_OP <> 'DELETE' UNION SELECT OLD.grant_id WHERE TG_OP <> 'INSERT'
        );
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER field_grants_access_version AFTER INSERT OR UPDATE OR DELETE ON field_grants
    FOR EACH ROW EXECUTE FUNCTION raise_grant_access_version()
    """,
)


def _trigram_index(name: str, table: str, columns: list[str]) -> None:
    """An index for substrings, where the server has pg_trgm; without it the same queries scan."""
    if _has_trigrams():
        op.create_index(
            name, table, columns, postgresql_using="gin", postgresql_ops=dict.fromkeys(columns, "gin_trgm_ops")
        )


def _has_trigrams() -> bool:
    return bool(op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')")))


def _want_trigrams() -> None:
    bind = op.get_bind()
    if bind.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')")):
        try:
            with bind.begin_nested():
                op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except sa.exc.DBAPIError:
            logging.getLogger("alembic").warning("pg_trgm may not be created by this user: text search will scan")


def upgrade() -> None:
    _want_trigrams()
    for statement in FUNCTIONS:
        op.execute(statement)
    op.create_table(
        "external_refs",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "system", "external_id", name=op.f("pk_external_refs")),
    )
    op.create_index("ix_external_refs_record_id_system", "external_refs", ["record_id", "system"], unique=False)
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_products_currency_is_iso_4217")),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_products_name_is_short")),
        sa.CheckConstraint("char_length(sku) <= 500", name=op.f("ck_products_sku_is_short")),
        sa.CheckConstraint(
            "scale(price) = currency_scale(currency) AND price >= 0 AND price < 1e15",
            name=op.f("ck_products_price_is_money"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
    )
    op.create_index("ix_products_active_created_at_id", "products", ["active", "created_at", "id"], unique=False)
    op.create_index(
        "ix_products_created_at_id",
        "products",
        [sa.literal_column("created_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_products_name_id",
        "products",
        [sa.literal_column('name COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_products_name_lower", "products", [sa.literal_column("lower(name) text_pattern_ops")], unique=False
    )
    op.create_index(
        "ix_products_price_id", "products", [sa.literal_column("price"), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_products_sku_id", "products", [sa.literal_column('sku COLLATE "C"'), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_products_sku_lower", "products", [sa.literal_column("lower(sku) text_pattern_ops")], unique=False
    )
    _trigram_index("ix_products_text", "products", ["sku", "name", "category"])
    op.create_index(
        "ix_products_updated_at_id",
        "products",
        [sa.literal_column("updated_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index("uq_products_sku", "products", ["sku"], unique=True, postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_table(
        "roles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("built_in", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("access_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_roles_name_is_short")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
    )
    op.create_index("uq_roles_name", "roles", [sa.literal_column('name COLLATE "C"')], unique=True)
    op.create_table(
        "stages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("OPEN", "WON", "LOST", name="stage_kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("rotting_after_days", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_stages_name_is_short")),
        sa.CheckConstraint("probability BETWEEN 0 AND 100", name=op.f("ck_stages_probability_is_percent")),
        sa.CheckConstraint("rotting_after_days > 0", name=op.f("ck_stages_rotting_after_days_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stages")),
    )
    op.create_index("ix_stages_position_id", "stages", ["position", "id"], unique=False)
    op.create_index("uq_stages_name", "stages", ["name"], unique=True, postgresql_where=sa.text("deleted_at IS NULL"))
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_teams_name_is_short")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_index("ix_teams_region", "teams", ["region"], unique=False)
    op.create_index("uq_teams_name", "teams", [sa.literal_column('name COLLATE "C"')], unique=True)
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "rows",
            sa.Enum(
                "NONE",
                "OWN",
                "ASSIGNED",
                "TEAM",
                "ALL",
                name="row_scope",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_grants_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("role_id", "entity", "action", name=op.f("uq_grants_role_id_entity_action")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("char_length(email) <= 500", name=op.f("ck_users_email_is_short")),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_users_name_is_short")),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_users_role_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_users_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(
        "ix_users_created_at_id", "users", [sa.literal_column("created_at"), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_users_email_id", "users", [sa.literal_column('email COLLATE "C"'), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_users_last_login_at_desc_id",
        "users",
        [sa.literal_column("last_login_at DESC NULLS LAST"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_users_last_login_at_id",
        "users",
        [sa.literal_column("last_login_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_users_name_id", "users", [sa.literal_column('name COLLATE "C"'), sa.literal_column("id")], unique=False
    )
    op.create_index("ix_users_role_id", "users", ["role_id"], unique=False)
    op.create_index("ix_users_team_id", "users", ["team_id"], unique=False)
    _trigram_index("ix_users_text", "users", ["name", "email"])
    op.create_index(
        "ix_users_updated_at_id", "users", [sa.literal_column("updated_at"), sa.literal_column("id")], unique=False
    )
    op.create_index("uq_users_email_lower", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("code", sa.Text(), server_default=sa.text("next_number('C', 'customer_codes')"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("PERSON", "COMPANY", name="customer_kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column(
            "tier",
            sa.Enum(
                "STANDARD",
                "SILVER",
                "GOLD",
                "PLATINUM",
                name="customer_tier",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "LEAD",
                "ACTIVE",
                "DORMANT",
                "LOST",
                name="customer_status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("merged_into_id", sa.Uuid(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(code) <= 500", name=op.f("ck_customers_code_is_short")),
        sa.CheckConstraint("char_length(email) <= 500", name=op.f("ck_customers_email_is_short")),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_customers_name_is_short")),
        sa.CheckConstraint("char_length(phone) <= 500", name=op.f("ck_customers_phone_is_short")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["customers.id"], name=op.f("fk_customers_merged_into_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_customers_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    op.create_index(
        "ix_customers_code_id",
        "customers",
        [sa.literal_column('code COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_customers_code_lower", "customers", [sa.literal_column("lower(code) text_pattern_ops")], unique=False
    )
    op.create_index(
        "ix_customers_created_at_id",
        "customers",
        [sa.literal_column("created_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_customers_email_lower", "customers", [sa.literal_column("lower(email) text_pattern_ops")], unique=False
    )
    op.create_index("ix_customers_kind_created_at_id", "customers", ["kind", "created_at", "id"], unique=False)
    op.create_index("ix_customers_merged_into_id", "customers", ["merged_into_id"], unique=False)
    op.create_index(
        "ix_customers_name_id",
        "customers",
        [sa.literal_column('name COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_customers_name_lower", "customers", [sa.literal_column("lower(name) text_pattern_ops")], unique=False
    )
    op.create_index("ix_customers_owner_id_created_at_id", "customers", ["owner_id", "created_at", "id"], unique=False)
    op.create_index(
        "ix_customers_phone_lower", "customers", [sa.literal_column("lower(phone) text_pattern_ops")], unique=False
    )
    op.create_index("ix_customers_status_created_at_id", "customers", ["status", "created_at", "id"], unique=False)
    op.create_index("ix_customers_tags", "customers", ["tags"], unique=False, postgresql_using="gin")
    _trigram_index(
        "ix_customers_text",
        "customers",
        ["name", "code", "email", "phone", "source", "industry", "city", "region", "country"],
    )
    op.create_index("ix_customers_tier_created_at_id", "customers", ["tier", "created_at", "id"], unique=False)
    op.create_index(
        "ix_customers_updated_at_id",
        "customers",
        [sa.literal_column("updated_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "uq_customers_code", "customers", ["code"], unique=True, postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.create_table(
        "field_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column(
            "access",
            sa.Enum(
                "HIDDEN", "MASKED", "READ", name="field_access", native_enum=False, create_constraint=True, length=24
            ),
            nullable=False,
        ),
        sa.Column(
            "on_rows",
            sa.Enum(
                "NONE",
                "OWN",
                "ASSIGNED",
                "TEAM",
                "ALL",
                name="row_scope",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "otherwise",
            sa.Enum("HIDDEN", "MASKED", "READ", name="otherwise", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_field_grants_grant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_grants")),
        sa.UniqueConstraint("grant_id", "field", name=op.f("uq_field_grants_grant_id_field")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("birthday", sa.Date(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(email) <= 500", name=op.f("ck_contacts_email_is_short")),
        sa.CheckConstraint("char_length(first_name) <= 500", name=op.f("ck_contacts_first_name_is_short")),
        sa.CheckConstraint("char_length(last_name) <= 500", name=op.f("ck_contacts_last_name_is_short")),
        sa.CheckConstraint("char_length(phone) <= 500", name=op.f("ck_contacts_phone_is_short")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_contacts_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_birthday", "contacts", ["birthday"], unique=False)
    op.create_index(
        "ix_contacts_created_at_id",
        "contacts",
        [sa.literal_column("created_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_contacts_customer_id_created_at_id", "contacts", ["customer_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_contacts_email_lower", "contacts", [sa.literal_column("lower(email) text_pattern_ops")], unique=False
    )
    op.create_index(
        "ix_contacts_first_name_id",
        "contacts",
        [sa.literal_column('first_name COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_contacts_first_name_lower",
        "contacts",
        [sa.literal_column("lower(first_name) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "ix_contacts_is_primary_created_at_id", "contacts", ["is_primary", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_contacts_last_name_id",
        "contacts",
        [sa.literal_column('last_name COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_contacts_last_name_lower",
        "contacts",
        [sa.literal_column("lower(last_name) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "ix_contacts_phone_lower", "contacts", [sa.literal_column("lower(phone) text_pattern_ops")], unique=False
    )
    _trigram_index("ix_contacts_text", "contacts", ["first_name", "last_name", "title", "email", "phone"])
    op.create_index(
        "ix_contacts_updated_at_id",
        "contacts",
        [sa.literal_column("updated_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_table(
        "opportunities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("stage_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("probability", sa.Integer(), nullable=False),
        sa.Column("expected_close_on", sa.Date(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stage_entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("loss_reason", sa.Text(), nullable=True),
        sa.Column("loss_notes", sa.Text(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_opportunities_currency_is_iso_4217")),
        sa.CheckConstraint("char_length(name) <= 500", name=op.f("ck_opportunities_name_is_short")),
        sa.CheckConstraint("probability BETWEEN 0 AND 100", name=op.f("ck_opportunities_probability_is_percent")),
        sa.CheckConstraint(
            "scale(amount) = currency_scale(currency) AND amount >= 0 AND amount < 1e15",
            name=op.f("ck_opportunities_amount_is_money"),
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_opportunities_contact_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_opportunities_customer_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_opportunities_owner_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_opportunities_product_id")),
        sa.ForeignKeyConstraint(["stage_id"], ["stages.id"], name=op.f("fk_opportunities_stage_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunities")),
    )
    op.create_index(
        "ix_opportunities_amount_id",
        "opportunities",
        [sa.literal_column("amount"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_closed_at_desc_id",
        "opportunities",
        [sa.literal_column("closed_at DESC NULLS LAST"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_closed_at_id",
        "opportunities",
        [sa.literal_column("closed_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index("ix_opportunities_contact_id", "opportunities", ["contact_id"], unique=False)
    op.create_index(
        "ix_opportunities_created_at_id",
        "opportunities",
        [sa.literal_column("created_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_customer_id_created_at_id", "opportunities", ["customer_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_opportunities_expected_close_on_desc_id",
        "opportunities",
        [sa.literal_column("expected_close_on DESC NULLS LAST"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_expected_close_on_id",
        "opportunities",
        [sa.literal_column("expected_close_on"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_name_id",
        "opportunities",
        [sa.literal_column('name COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_name_lower",
        "opportunities",
        [sa.literal_column("lower(name) text_pattern_ops")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_opened_at_id",
        "opportunities",
        [sa.literal_column("opened_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_opportunities_owner_id_created_at_id", "opportunities", ["owner_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_opportunities_owner_id_customer_id", "opportunities", ["owner_id", "customer_id"], unique=False)
    op.create_index(
        "ix_opportunities_probability_id",
        "opportunities",
        [sa.literal_column("probability"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index("ix_opportunities_product_id", "opportunities", ["product_id"], unique=False)
    op.create_index("ix_opportunities_stage_entered_at", "opportunities", ["stage_entered_at"], unique=False)
    op.create_index(
        "ix_opportunities_stage_id_created_at_id", "opportunities", ["stage_id", "created_at", "id"], unique=False
    )
    _trigram_index("ix_opportunities_text", "opportunities", ["name", "loss_reason"])
    op.create_index(
        "ix_opportunities_updated_at_id",
        "opportunities",
        [sa.literal_column("updated_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("number", sa.Text(), server_default=sa.text("next_number('O', 'order_numbers')"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING_PAYMENT",
                "PAID",
                "SHIPPED",
                "DELIVERED",
                "COMPLETED",
                "CANCELLED",
                "REFUNDED",
                name="order_status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.Numeric(), nullable=False),
        sa.Column("discount", sa.Numeric(), nullable=False),
        sa.Column("shipping_fee", sa.Numeric(), nullable=False),
        sa.Column(
            "total", sa.Numeric(), sa.Computed("subtotal - discount + shipping_fee", persisted=True), nullable=False
        ),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_orders_currency_is_iso_4217")),
        sa.CheckConstraint("char_length(number) <= 500", name=op.f("ck_orders_number_is_short")),
        sa.CheckConstraint(
            "scale(discount) = currency_scale(currency) AND discount >= 0 AND discount < 1e15",
            name=op.f("ck_orders_discount_is_money"),
        ),
        sa.CheckConstraint(
            "scale(shipping_fee) = currency_scale(currency) AND shipping_fee >= 0 AND shipping_fee < 1e15",
            name=op.f("ck_orders_shipping_fee_is_money"),
        ),
        sa.CheckConstraint(
            "scale(subtotal) = currency_scale(currency) AND subtotal >= 0 AND subtotal < 1e15",
            name=op.f("ck_orders_subtotal_is_money"),
        ),
        sa.CheckConstraint("total >= 0", name=op.f("ck_orders_total_is_not_negative")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_orders_customer_id")),
        sa.ForeignKeyConstraint(["opportunity_id"], ["opportunities.id"], name=op.f("fk_orders_opportunity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("id", "currency", name="uq_orders_id_currency"),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
    )
    op.create_index(
        "ix_orders_created_at_id", "orders", [sa.literal_column("created_at"), sa.literal_column("id")], unique=False
    )
    op.create_index("ix_orders_customer_id_created_at_id", "orders", ["customer_id", "created_at", "id"], unique=False)
    op.create_index("ix_orders_customer_id_placed_at", "orders", ["customer_id", "placed_at"], unique=False)
    op.create_index("ix_orders_delivered_at", "orders", ["delivered_at"], unique=False)
    op.create_index(
        "ix_orders_number_id",
        "orders",
        [sa.literal_column('number COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_orders_number_lower", "orders", [sa.literal_column("lower(number) text_pattern_ops")], unique=False
    )
    op.create_index("ix_orders_opportunity_id", "orders", ["opportunity_id"], unique=False)
    op.create_index("ix_orders_paid_at", "orders", ["paid_at"], unique=False)
    op.create_index(
        "ix_orders_placed_at_id", "orders", [sa.literal_column("placed_at"), sa.literal_column("id")], unique=False
    )
    op.create_index("ix_orders_shipped_at", "orders", ["shipped_at"], unique=False)
    op.create_index("ix_orders_status_created_at_id", "orders", ["status", "created_at", "id"], unique=False)
    _trigram_index("ix_orders_text", "orders", ["number", "channel"])
    op.create_index("ix_orders_total_id", "orders", [sa.literal_column("total"), sa.literal_column("id")], unique=False)
    op.create_index(
        "ix_orders_updated_at_id", "orders", [sa.literal_column("updated_at"), sa.literal_column("id")], unique=False
    )
    op.create_table(
        "stage_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.Uuid(), nullable=False),
        sa.Column("from_stage_id", sa.Uuid(), nullable=True),
        sa.Column("to_stage_id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["changed_by_id"], ["users.id"], name=op.f("fk_stage_changes_changed_by_id")),
        sa.ForeignKeyConstraint(["from_stage_id"], ["stages.id"], name=op.f("fk_stage_changes_from_stage_id")),
        sa.ForeignKeyConstraint(["opportunity_id"], ["opportunities.id"], name=op.f("fk_stage_changes_opportunity_id")),
        sa.ForeignKeyConstraint(["to_stage_id"], ["stages.id"], name=op.f("fk_stage_changes_to_stage_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_changes")),
    )
    op.create_index("ix_stage_changes_changed_by_id", "stage_changes", ["changed_by_id"], unique=False)
    op.create_index("ix_stage_changes_from_stage_id", "stage_changes", ["from_stage_id"], unique=False)
    op.create_index(
        "ix_stage_changes_opportunity_id_changed_at_id",
        "stage_changes",
        ["opportunity_id", "changed_at", "id"],
        unique=False,
    )
    op.create_index("ix_stage_changes_to_stage_id", "stage_changes", ["to_stage_id"], unique=False)
    op.create_table(
        "order_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total", sa.Numeric(), sa.Computed("quantity * unit_price", persisted=True), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_order_lines_currency_is_iso_4217")),
        sa.CheckConstraint("char_length(sku) <= 500", name=op.f("ck_order_lines_sku_is_short")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_lines_quantity_is_positive")),
        sa.CheckConstraint(
            "scale(unit_price) = currency_scale(currency) AND unit_price >= 0 AND unit_price < 1e15",
            name=op.f("ck_order_lines_unit_price_is_money"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id", "currency"], ["orders.id", "orders.currency"], name="fk_order_lines_order_id_currency"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_order_lines_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_lines")),
    )
    op.create_index("ix_order_lines_order_id_position_id", "order_lines", ["order_id", "position", "id"], unique=False)
    op.create_index("ix_order_lines_product_id", "order_lines", ["product_id"], unique=False)
    op.create_index("ix_order_lines_sku", "order_lines", ["sku"], unique=False)
    op.create_index("ix_order_lines_unit_price", "order_lines", ["unit_price"], unique=False)
    op.create_table(
        "order_status_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "from_status",
            sa.Enum(
                "PENDING_PAYMENT",
                "PAID",
                "SHIPPED",
                "DELIVERED",
                "COMPLETED",
                "CANCELLED",
                "REFUNDED",
                name="from_status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column(
            "to_status",
            sa.Enum(
                "PENDING_PAYMENT",
                "PAID",
                "SHIPPED",
                "DELIVERED",
                "COMPLETED",
                "CANCELLED",
                "REFUNDED",
                name="order_status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["changed_by_id"], ["users.id"], name=op.f("fk_order_status_changes_changed_by_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_status_changes_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_status_changes")),
    )
    op.create_index("ix_order_status_changes_changed_by_id", "order_status_changes", ["changed_by_id"], unique=False)
    op.create_index(
        "ix_order_status_changes_order_id_changed_at_id",
        "order_status_changes",
        ["order_id", "changed_at", "id"],
        unique=False,
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("number", sa.Text(), server_default=sa.text("next_number('T', 'ticket_numbers')"), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "INQUIRY",
                "COMPLAINT",
                "AFTER_SALES",
                "TECHNICAL",
                "OTHER",
                name="ticket_kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column(
            "priority",
            sa.Enum(
                "LOW",
                "NORMAL",
                "HIGH",
                "URGENT",
                name="ticket_priority",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "PENDING",
                "RESOLVED",
                "CLOSED",
                name="ticket_status",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "PHONE",
                "EMAIL",
                "CHAT",
                "WEB",
                "SOCIAL",
                name="ticket_channel",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("assigned_by_id", sa.Uuid(), nullable=True),
        sa.Column("first_response_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("satisfaction", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("char_length(number) <= 500", name=op.f("ck_tickets_number_is_short")),
        sa.CheckConstraint("char_length(subject) <= 500", name=op.f("ck_tickets_subject_is_short")),
        sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name=op.f("ck_tickets_satisfaction_is_1_to_5")),
        sa.ForeignKeyConstraint(["assigned_by_id"], ["users.id"], name=op.f("fk_tickets_assigned_by_id")),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"], name=op.f("fk_tickets_assignee_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_tickets_contact_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_tickets_customer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_tickets_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("number", name=op.f("uq_tickets_number")),
    )
    op.create_index("ix_tickets_assigned_by_id", "tickets", ["assigned_by_id"], unique=False)
    op.create_index(
        "ix_tickets_assignee_id_created_at_id", "tickets", ["assignee_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_tickets_assignee_id_customer_id", "tickets", ["assignee_id", "customer_id"], unique=False)
    op.create_index("ix_tickets_channel_created_at_id", "tickets", ["channel", "created_at", "id"], unique=False)
    op.create_index("ix_tickets_contact_id", "tickets", ["contact_id"], unique=False)
    op.create_index(
        "ix_tickets_created_at_id", "tickets", [sa.literal_column("created_at"), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_tickets_customer_id_created_at_id", "tickets", ["customer_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_tickets_kind_created_at_id", "tickets", ["kind", "created_at", "id"], unique=False)
    op.create_index(
        "ix_tickets_number_id",
        "tickets",
        [sa.literal_column('number COLLATE "C"'), sa.literal_column("id")],
        unique=False,
    )
    op.create_index(
        "ix_tickets_number_lower", "tickets", [sa.literal_column("lower(number) text_pattern_ops")], unique=False
    )
    op.create_index("ix_tickets_order_id", "tickets", ["order_id"], unique=False)
    op.create_index("ix_tickets_priority_created_at_id", "tickets", ["priority", "created_at", "id"], unique=False)
    op.create_index(
        "ix_tickets_resolution_due_at_desc_id",
        "tickets",
        [sa.literal_column("resolution_due_at DESC NULLS LAST"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_tickets_resolution_due_at_id",
        "tickets",
        [sa.literal_column("resolution_due_at"), sa.literal_column("id")],
        unique=False,
    )
    op.create_index("ix_tickets_resolved_at", "tickets", ["resolved_at"], unique=False)
    op.create_index("ix_tickets_satisfaction", "tickets", ["satisfaction"], unique=False)
    op.create_index("ix_tickets_status_created_at_id", "tickets", ["status", "created_at", "id"], unique=False)
    op.create_index(
        "ix_tickets_subject_lower", "tickets", [sa.literal_column("lower(subject) text_pattern_ops")], unique=False
    )
    _trigram_index("ix_tickets_text", "tickets", ["number", "subject", "category"])
    op.create_index(
        "ix_tickets_updated_at_id", "tickets", [sa.literal_column("updated_at"), sa.literal_column("id")], unique=False
    )
    op.create_index(
        "ix_tickets_urgency_id",
        "tickets",
        [
            sa.literal_column(
                "(CASE WHEN priority = 'LOW' THEN 0 WHEN priority = 'NORMAL' THEN 1 WHEN priority = 'HIGH' THEN 2 WHEN priority = 'URGENT' THEN 3 END)"
            ),
            "id",
        ],
        unique=False,
    )
    op.create_table(
        "ticket_comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("internal", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_ticket_comments_author_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_comments_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_comments")),
    )
    op.create_index("ix_ticket_comments_author_id", "ticket_comments", ["author_id"], unique=False)
    op.create_index(
        "ix_ticket_comments_ticket_id_created_at_id", "ticket_comments", ["ticket_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("uq_sessions_refresh_hash", "sessions", ["refresh_hash"], unique=True)
    op.create_index("ix_sessions_user_id_last_used_at", "sessions", ["user_id", "last_used_at"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_index("ix_ticket_comments_ticket_id_created_at_id", table_name="ticket_comments")
    op.drop_index("ix_ticket_comments_author_id", table_name="ticket_comments")
    op.drop_table("ticket_comments")
    op.drop_index("ix_tickets_urgency_id", table_name="tickets")
    op.drop_index("ix_tickets_updated_at_id", table_name="tickets")
    op.drop_index("ix_tickets_text", if_exists=True)
    op.drop_index("ix_tickets_subject_lower", table_name="tickets")
    op.drop_index("ix_tickets_status_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_satisfaction", table_name="tickets")
    op.drop_index("ix_tickets_resolved_at", table_name="tickets")
    op.drop_index("ix_tickets_resolution_due_at_id", table_name="tickets")
    op.drop_index("ix_tickets_resolution_due_at_desc_id", table_name="tickets")
    op.drop_index("ix_tickets_priority_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_order_id", table_name="tickets")
    op.drop_index("ix_tickets_number_lower", table_name="tickets")
    op.drop_index("ix_tickets_number_id", table_name="tickets")
    op.drop_index("ix_tickets_kind_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_customer_id_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_contact_id", table_name="tickets")
    op.drop_index("ix_tickets_channel_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_assignee_id_customer_id", table_name="tickets")
    op.drop_index("ix_tickets_assignee_id_created_at_id", table_name="tickets")
    op.drop_index("ix_tickets_assigned_by_id", table_name="tickets")
    op.drop_table("tickets")
    op.drop_index("ix_order_status_changes_order_id_changed_at_id", table_name="order_status_changes")
    op.drop_index("ix_order_status_changes_changed_by_id", table_name="order_status_changes")
    op.drop_table("order_status_changes")
    op.drop_index("ix_order_lines_unit_price", table_name="order_lines")
    op.drop_index("ix_order_lines_sku", table_name="order_lines")
    op.drop_index("ix_order_lines_product_id", table_name="order_lines")
    op.drop_index("ix_order_lines_order_id_position_id", table_name="order_lines")
    op.drop_table("order_lines")
    op.drop_index("ix_stage_changes_to_stage_id", table_name="stage_changes")
    op.drop_index("ix_stage_changes_opportunity_id_changed_at_id", table_name="stage_changes")
    op.drop_index("ix_stage_changes_from_stage_id", table_name="stage_changes")
    op.drop_index("ix_stage_changes_changed_by_id", table_name="stage_changes")
    op.drop_table("stage_changes")
    op.drop_index("ix_orders_updated_at_id", table_name="orders")
    op.drop_index("ix_orders_total_id", table_name="orders")
    op.drop_index("ix_orders_text", if_exists=True)
    op.drop_index("ix_orders_status_created_at_id", table_name="orders")
    op.drop_index("ix_orders_shipped_at", table_name="orders")
    op.drop_index("ix_orders_placed_at_id", table_name="orders")
    op.drop_index("ix_orders_paid_at", table_name="orders")
    op.drop_index("ix_orders_opportunity_id", table_name="orders")
    op.drop_index("ix_orders_number_lower", table_name="orders")
    op.drop_index("ix_orders_number_id", table_name="orders")
    op.drop_index("ix_orders_delivered_at", table_name="orders")
    op.drop_index("ix_orders_customer_id_placed_at", table_name="orders")
    op.drop_index("ix_orders_customer_id_created_at_id", table_name="orders")
    op.drop_index("ix_orders_created_at_id", table_name="orders")
    op.drop_table("orders")
    op.drop_index("ix_opportunities_updated_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_text", if_exists=True)
    op.drop_index("ix_opportunities_stage_id_created_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_stage_entered_at", table_name="opportunities")
    op.drop_index("ix_opportunities_product_id", table_name="opportunities")
    op.drop_index("ix_opportunities_probability_id", table_name="opportunities")
    op.drop_index("ix_opportunities_owner_id_customer_id", table_name="opportunities")
    op.drop_index("ix_opportunities_owner_id_created_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_opened_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_name_lower", table_name="opportunities")
    op.drop_index("ix_opportunities_name_id", table_name="opportunities")
    op.drop_index("ix_opportunities_expected_close_on_id", table_name="opportunities")
    op.drop_index("ix_opportunities_expected_close_on_desc_id", table_name="opportunities")
    op.drop_index("ix_opportunities_customer_id_created_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_created_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_contact_id", table_name="opportunities")
    op.drop_index("ix_opportunities_closed_at_id", table_name="opportunities")
    op.drop_index("ix_opportunities_closed_at_desc_id", table_name="opportunities")
    op.drop_index("ix_opportunities_amount_id", table_name="opportunities")
    op.drop_table("opportunities")
    op.drop_index("ix_contacts_updated_at_id", table_name="contacts")
    op.drop_index("ix_contacts_text", if_exists=True)
    op.drop_index("ix_contacts_phone_lower", table_name="contacts")
    op.drop_index("ix_contacts_last_name_lower", table_name="contacts")
    op.drop_index("ix_contacts_last_name_id", table_name="contacts")
    op.drop_index("ix_contacts_is_primary_created_at_id", table_name="contacts")
    op.drop_index("ix_contacts_first_name_lower", table_name="contacts")
    op.drop_index("ix_contacts_first_name_id", table_name="contacts")
    op.drop_index("ix_contacts_email_lower", table_name="contacts")
    op.drop_index("ix_contacts_customer_id_created_at_id", table_name="contacts")
    op.drop_index("ix_contacts_created_at_id", table_name="contacts")
    op.drop_index("ix_contacts_birthday", table_name="contacts")
    op.drop_table("contacts")
    op.drop_table("field_grants")
    op.drop_index("uq_customers_code", table_name="customers", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_customers_updated_at_id", table_name="customers")
    op.drop_index("ix_customers_tier_created_at_id", table_name="customers")
    op.drop_index("ix_customers_text", if_exists=True)
    op.drop_index("ix_customers_tags", table_name="customers", postgresql_using="gin")
    op.drop_index("ix_customers_status_created_at_id", table_name="customers")
    op.drop_index("ix_customers_phone_lower", table_name="customers")
    op.drop_index("ix_customers_owner_id_created_at_id", table_name="customers")
    op.drop_index("ix_customers_name_lower", table_name="customers")
    op.drop_index("ix_customers_name_id", table_name="customers")
    op.drop_index("ix_customers_merged_into_id", table_name="customers")
    op.drop_index("ix_customers_kind_created_at_id", table_name="customers")
    op.drop_index("ix_customers_email_lower", table_name="customers")
    op.drop_index("ix_customers_created_at_id", table_name="customers")
    op.drop_index("ix_customers_code_lower", table_name="customers")
    op.drop_index("ix_customers_code_id", table_name="customers")
    op.drop_table("customers")
    op.drop_index("uq_users_email_lower", table_name="users")
    op.drop_index("ix_users_updated_at_id", table_name="users")
    op.drop_index("ix_users_text", if_exists=True)
    op.drop_index("ix_users_team_id", table_name="users")
    op.drop_index("ix_users_role_id", table_name="users")
    op.drop_index("ix_users_name_id", table_name="users")
    op.drop_index("ix_users_last_login_at_id", table_name="users")
    op.drop_index("ix_users_last_login_at_desc_id", table_name="users")
    op.drop_index("ix_users_email_id", table_name="users")
    op.drop_index("ix_users_created_at_id", table_name="users")
    op.drop_table("users")
    op.drop_table("grants")
    op.drop_index("uq_teams_name", table_name="teams")
    op.drop_index("ix_teams_region", table_name="teams")
    op.drop_table("teams")
    op.drop_index("uq_stages_name", table_name="stages", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_stages_position_id", table_name="stages")
    op.drop_table("stages")
    op.drop_index("uq_roles_name", table_name="roles")
    op.drop_table("roles")
    op.drop_index("uq_products_sku", table_name="products", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_index("ix_products_updated_at_id", table_name="products")
    op.drop_index("ix_products_text", if_exists=True)
    op.drop_index("ix_products_sku_lower", table_name="products")
    op.drop_index("ix_products_sku_id", table_name="products")
    op.drop_index("ix_products_price_id", table_name="products")
    op.drop_index("ix_products_name_lower", table_name="products")
    op.drop_index("ix_products_name_id", table_name="products")
    op.drop_index("ix_products_created_at_id", table_name="products")
    op.drop_index("ix_products_active_created_at_id", table_name="products")
    op.drop_table("products")
    op.drop_index("ix_external_refs_record_id_system", table_name="external_refs")
    op.drop_table("external_refs")
    for function in ("raise_user_access_version()", "raise_role_access_version()", "raise_grant_access_version()"):
        op.execute(f"DROP FUNCTION {function}")
    for sequence in ("customer_codes", "order_numbers", "ticket_numbers"):
        op.execute(f"DROP SEQUENCE {sequence}")
    op.execute("DROP FUNCTION next_number(text, text)")
    op.execute("DROP FUNCTION currency_scale(text)")
