"""Users, teams, and the roles and grants that say what they may do."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Date,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    case,
    cast,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, Relationship

from app.db.ids import print_id
from app.models.base import Entity, Record, Row, Summary, Versioned, choice, moment, ordered, searched, short, words
from app.models.computed import computed
from app.models.enums import AuditOutcome, FieldAccess, RowScope


def _requests_today(row: Any) -> Any:
    today = cast(func.timezone(literal_column("'UTC'"), func.now()), Date)
    return case((row.counted_on == today, row.requests_counted), else_=literal_column("0"))


class Team(Versioned, table=True):
    """A group of users who see one another's rows where a grant covers ``TEAM``."""

    __tablename__ = "teams"
    __table_args__ = (
        *short("name"),
        Index("uq_teams_name", literal_column('name COLLATE "C"'), unique=True),
        Index("ix_teams_region", "region"),
    )
    prefix: ClassVar[str] = "tm"
    listed: ClassVar[tuple[str, ...]] = ("name", "id")

    name: str = words(required=True)
    region: str | None = words()

    members: list["User"] = Relationship(
        back_populates="team", sa_relationship_kwargs={"order_by": '(collate(User.name, "C"), User.id)'}
    )


class Role(Versioned, table=True):
    """A named set of grants. ``access_version`` rises, by trigger, with every change of what the role may do."""

    __tablename__ = "roles"
    __table_args__ = (*short("name"), Index("uq_roles_name", literal_column('name COLLATE "C"'), unique=True))
    prefix: ClassVar[str] = "rol"
    listed: ClassVar[tuple[str, ...]] = ("name", "id")
    summaries: ClassVar[Mapping[str, Summary]] = {"user_count": Summary("users")}

    name: str = words(required=True)
    description: str | None = words()
    built_in: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    access_version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})

    grants: list["Grant"] = Relationship(
        back_populates="role", sa_relationship_kwargs={"order_by": "(Grant.entity, Grant.action)"}
    )
    users: list["User"] = Relationship(back_populates="role")


class Grant(Entity, table=True):
    """One action on one entity, and the rows it covers. Entity, action and fields are named as in the API."""

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("role_id", "entity", "action"),)
    prefix: ClassVar[str] = "grt"
    parent: ClassVar[str | None] = "role"

    role_id: UUID = Field(foreign_key="roles.id", ondelete="CASCADE")
    entity: str = words(required=True)
    action: str = words(required=True)
    rows: RowScope = choice(RowScope)

    role: Role = Relationship(back_populates="grants")
    fields: list["FieldGrant"] = Relationship(  # The contract's name; pydantic's class attribute is deprecated.
        back_populates="grant", sa_relationship_kwargs={"order_by": "(FieldGrant.position, FieldGrant.id)"}
    )


class FieldGrant(Entity, table=True):
    """How much of one field a grant opens: ``access`` on the rows of ``on_rows``, ``otherwise`` elsewhere."""

    __tablename__ = "field_grants"
    __table_args__ = (UniqueConstraint("grant_id", "field"),)
    prefix: ClassVar[str] = "fgr"
    parent: ClassVar[str | None] = "grant"

    grant_id: UUID = Field(foreign_key="grants.id", ondelete="CASCADE")
    position: int
    field: str = words(required=True)
    access: FieldAccess = choice(FieldAccess)
    on_rows: RowScope = choice(RowScope)
    otherwise: FieldAccess = choice(FieldAccess, check="otherwise")

    grant: Grant = Relationship(back_populates="fields")


class User(Record, table=True):
    """Somebody who may sign in. ``access_version`` rises, by trigger, when role, team, or active changes."""

    __tablename__ = "users"
    __table_args__ = (
        *short("name", "email"),
        Index("uq_users_email_lower", literal_column("lower(email)"), unique=True),
        *ordered("users", "created_at"),
        *ordered("users", "updated_at"),
        *ordered("users", "name", text_column=True),
        *ordered("users", "email", text_column=True),
        *ordered("users", "last_login_at", nullable=True),
        Index("ix_users_role_id", "role_id"),
        Index("ix_users_team_id", "team_id"),
        searched("users", "name", "email"),
    )
    prefix: ClassVar[str] = "usr"
    searched: ClassVar[tuple[str, ...]] = ("name", "email")

    name: str = words(required=True)
    email: str = words(required=True)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    role_id: UUID = Field(foreign_key="roles.id")
    team_id: UUID | None = Field(default=None, foreign_key="teams.id")
    password_hash: str | None = words()
    last_login_at: datetime | None = moment()
    access_version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})

    role: Role = Relationship(back_populates="users")
    team: Team = Relationship(back_populates="members")


class Session(Entity, table=True):
    """A sign-in that lasts, with the family of its refresh tokens.

    A refresh token is made of the server's secret, ``refresh_seed`` and ``generation``; the last one alone is good, and
    neither the row nor the secret is enough to make it. When a session is revoked or deleted, a trigger raises its
    user's ``access_version``, and those that it opened as somebody else (``parent_id``) end with it.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id_last_used_at", "user_id", "last_used_at"),
        Index("ix_sessions_expires_at", "expires_at"),
        Index("ix_sessions_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_sessions_impersonator_id", "impersonator_id", postgresql_where=text("impersonator_id IS NOT NULL")),
    )
    prefix: ClassVar[str] = "ses"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    refresh_seed: bytes = Field(sa_type=LargeBinary, nullable=False)
    generation: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = moment(required=True)
    last_used_at: datetime = moment(required=True)
    expires_at: datetime = moment(required=True)
    revoked_at: datetime | None = moment()
    ip: str | None = words()
    user_agent: str | None = words()
    impersonator_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="CASCADE")
    parent_id: UUID | None = Field(default=None, foreign_key="sessions.id", ondelete="CASCADE")


class OneTimeCode(Entity, table=True):
    """A code that was sent to a user and is good once; one of each purpose at a time, kept as a SHA-256 hash only."""

    __tablename__ = "one_time_codes"
    __table_args__ = (
        Index("uq_one_time_codes_user_id_purpose", "user_id", "purpose", unique=True),
        Index("ix_one_time_codes_expires_at", "expires_at"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    purpose: str = words(required=True)
    code_hash: bytes = Field(sa_type=LargeBinary, nullable=False)
    created_at: datetime = moment(required=True)
    expires_at: datetime = moment(required=True)
    used_at: datetime | None = moment()
    guesses: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class SlowedDown(Row, table=True):
    """Something that is guessed at, or an address that guesses: how often it failed, and until when it has to wait.

    ``key`` is the SHA-256 hash of what it is. ``failures`` counts from below zero: the first few make nobody wait.
    """

    __tablename__ = "slowed_down"
    __table_args__ = (Index("ix_slowed_down_failed_at", "failed_at"),)

    key: bytes = Field(primary_key=True, sa_type=LargeBinary)
    failures: int
    failed_at: datetime = moment(required=True)
    until: datetime = moment(required=True)


class ApiToken(Entity, table=True):
    """What a program calls with: its owner's rights, narrowed by ``scopes``. Secrets are kept as SHA-256 hashes only.

    After a rotation the former secret is good until ``former_until``. When anything that decides about the token
    changes, a trigger raises its owner's ``access_version``. How it is used is written once a minute at most:
    ``requests_counted`` are those of the day ``counted_on`` (UTC).
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        *short("name", limit=100),
        Index("uq_api_tokens_secret_hash", "secret_hash", unique=True),
        Index("ix_api_tokens_former_hash", "former_hash", postgresql_where=text("former_hash IS NOT NULL")),
        Index("ix_api_tokens_owner_id_created_at_id", "owner_id", "created_at", "id"),
        *ordered("api_tokens", "created_at"),
    )
    prefix: ClassVar[str] = "tok"

    name: str = words(required=True)
    beginning: str = words(required=True)
    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    scopes: list[str] = Field(sa_type=ARRAY(Text), nullable=False)
    allowed_ips: list[str] = Field(default_factory=list, sa_type=ARRAY(Text), nullable=False)
    secret_hash: bytes = Field(sa_type=LargeBinary, nullable=False)
    former_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    former_until: datetime | None = moment()
    expires_at: datetime | None = moment()
    revoked_at: datetime | None = moment()
    created_at: datetime = moment(required=True)
    last_used_at: datetime | None = moment()
    requests_total: int = Field(default=0, sa_type=BigInteger, nullable=False)
    requests_counted: int = Field(default=0, sa_type=BigInteger, nullable=False)
    counted_on: date | None = Field(default=None)

    owner: User = Relationship()

    @computed("requests_total", expression=_requests_today)
    def requests_today(self: Any) -> Any:
        """The requests of this day, as far as they are written."""
        return self.requests_counted if self.counted_on == datetime.now(UTC).date() else 0


RECORDED = {
    "Customer": "cus",
    "Contact": "con",
    "Stage": "stg",
    "Opportunity": "opp",
    "Product": "prd",
    "Order": "ord",
    "Ticket": "tkt",
    "TicketComment": "cmt",
    "User": "usr",
    "Team": "tm",
    "Role": "rol",
    "SlaPolicy": "sla",
    "ApiToken": "tok",
}
"""The entities of whose records there may be events, and how their typed ids begin."""


def _typed_id(row: Any) -> Any:
    prefix = case(
        *(
            (row.entity == literal_column(f"'{name}'"), literal_column(f"'{prefix}_'", Text))
            for name, prefix in RECORDED.items()
        )
    )
    return prefix.concat(func.replace(cast(row.record_id, Text), literal_column("'-'"), literal_column("''")))


class AuditEvent(Entity, table=True):
    """Who did what, when, from where. Rows are never changed, but for values that are erased on a person's request.

    ``transaction_id`` and ``position`` are its place in the order in which followers read. ``changes`` holds before and
    after of each field; ``hashes`` the salted hash of each, which the seal covers, and which stays when a value and its
    salt are erased. The actor has no foreign key: its check would lock the actor's row in every write.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("uq_audit_events_transaction_id_position", "transaction_id", "position", unique=True),
        Index("ix_audit_events_at_id", "at", "id"),
        Index("ix_audit_events_actor_id_at_id", "actor_id", "at", "id"),
        Index("ix_audit_events_record_id_at_id", "record_id", "at", "id"),
        Index("ix_audit_events_entity_action_at_id", "entity", "action", "at", "id"),
        Index("ix_audit_events_request_id", "request_id"),
        Index("ix_audit_events_outcome_at_id", "outcome", "at", "id", postgresql_where=text("outcome <> 'OK'")),
    )
    prefix: ClassVar[str] = "aud"
    newest: ClassVar[str] = "at"

    transaction_id: int = Field(
        default=None,
        sa_type=BigInteger,
        nullable=False,
        sa_column_kwargs={"server_default": text("pg_current_xact_id()::text::bigint + transaction_offset()")},
    )
    position: int = Field(default=None, sa_type=BigInteger, nullable=False, sa_column_args=[Identity(always=True)])
    at: datetime = moment(required=True)
    actor_id: UUID | None = Field(default=None)
    token_id: UUID | None = Field(default=None)
    impersonator_id: UUID | None = Field(default=None)
    action: str = words(required=True)
    entity: str | None = words()
    record_id: UUID | None = Field(default=None)
    record_version: int | None = Field(default=None)
    outcome: AuditOutcome = choice(AuditOutcome)
    changes: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    salts: dict[str, str] | None = Field(default=None, sa_type=JSONB)
    hashes: dict[str, str] | None = Field(default=None, sa_type=JSONB)
    ip: str | None = words()
    user_agent: str | None = words()
    request_id: str | None = words()

    @computed("entity", expression=_typed_id)
    def entity_id(self: Any) -> Any:
        """The typed id of the record."""
        return self.record_id and print_id(RECORDED[self.entity], self.record_id)

    @computed("entity_id", expression=lambda row: row.record_id)
    def about(self: Any) -> Any:
        """The record without its prefix: what is looked up when the typed id is asked for."""
        return self.record_id

    actor: User = Relationship(
        sa_relationship_kwargs={"primaryjoin": "foreign(AuditEvent.actor_id) == User.id", "viewonly": True}
    )
    impersonator: User = Relationship(
        sa_relationship_kwargs={"primaryjoin": "foreign(AuditEvent.impersonator_id) == User.id", "viewonly": True}
    )
    token: ApiToken = Relationship(
        sa_relationship_kwargs={"primaryjoin": "foreign(AuditEvent.token_id) == ApiToken.id", "viewonly": True}
    )


class IdempotencyKey(Row, table=True):
    """What a caller's keyed mutation came to, so that a repeat finds it done. Without a token, ``token_id`` is zero."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    user_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    token_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, sa_type=Text)
    request_hash: bytes = Field(sa_type=LargeBinary, nullable=False)
    outcome: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    created_at: datetime = moment(required=True)


class SecondFactor(Row, table=True):
    """What a user proves besides the password; in force once it is confirmed. The secret is encrypted."""

    __tablename__ = "second_factors"

    user_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    secret: bytes = Field(sa_type=LargeBinary, nullable=False)
    created_at: datetime = moment(required=True)
    confirmed_at: datetime | None = moment()
    last_step: int | None = Field(default=None, sa_type=BigInteger)
    failures: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    tried_at: datetime | None = moment()


class RecoveryCode(Row, table=True):
    """A code that stands in for the second factor once; a hash of it is kept."""

    __tablename__ = "recovery_codes"

    user_id: UUID = Field(primary_key=True, foreign_key="users.id", ondelete="CASCADE")
    hash: bytes = Field(primary_key=True, sa_type=LargeBinary)
    used_at: datetime | None = moment()


class ProviderIdentity(Row, table=True):
    """Whom an OpenID provider knows a user as: linked at the first sign-in by it, one of each provider."""

    __tablename__ = "identities"
    __table_args__ = (Index("uq_identities_user_id_issuer", "user_id", "issuer", unique=True),)

    issuer: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(primary_key=True, sa_type=Text)
    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    created_at: datetime = moment(required=True)
