"""The settings of the program: one frozen object, read once from the environment."""

import re
from email.utils import parseaddr
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that may differ between two installations."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", frozen=True, extra="ignore", populate_by_name=True)

    environment: Literal["development", "production"] = Field(
        default="development", description="In production, secrets must be set and nothing is shown to strangers."
    )
    data_dir: Path = Field(default=Path(".data"), description="Where the embedded PostgreSQL and local secrets live.")
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="An external PostgreSQL 15 or later; absent, the embedded one is started.",
    )
    host: str = Field(default="127.0.0.1", validation_alias=AliasChoices("HOST", "host"), description="Address served.")
    port: int = Field(default=8000, validation_alias=AliasChoices("PORT", "port"), description="Port served.")
    workers: int = Field(default=1, ge=1, description="Server processes.")
    secret: str | None = Field(
        default=None,
        description="The key that signs tokens and cursors, 32 characters or more; made and kept in development.",
    )
    former_secrets: tuple[str, ...] = Field(
        default=(),
        description="Secrets that signed what is still about, the latest first, as a JSON list: nobody is signed out.",
    )
    audit_key: str | None = Field(
        default=None,
        description="The key that seals the audit log, 32 characters or more; absent, it is made of the secret.",
    )
    audit_former_keys: tuple[str, ...] = Field(
        default=(), description="Keys that sealed earlier events, the latest first, as a JSON list."
    )
    keeper: bool = Field(
        default=True, description="Seals and checks the audit log, and clears what has expired; one process must."
    )
    audit_check_minutes: int = Field(default=60, ge=1, description="Minutes between two checks of the audit log.")
    outbox_hours: int = Field(default=168, ge=1, description="Hours for which events wait for those who follow them.")
    debug: bool = Field(default=False, description="Shows ADMIN the plan of each read; never in production.")
    introspection: bool | None = Field(
        default=None, description="Whether the schema may be asked for; absent: in development only."
    )
    graphiql: bool | None = Field(
        default=None, description="Whether browsers get GraphiQL at /graphql; absent: in development only."
    )
    shortcut: bool = Field(default=True, description="Answers repeated reads without entering the GraphQL executor.")

    shop_name: str = Field(default="Rapport Demo Shop", description="The shop's name.")
    shop_currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$", description="The shop's currency, ISO 4217.")
    shop_timezone: str = Field(default="Europe/Berlin", description="The shop's time zone, an IANA name.")
    shop_locale: str = Field(default="en", description="The shop's locale, BCP 47.")

    access_token_seconds: int = Field(default=900, gt=0, description="Life of an access token.")
    refresh_token_seconds: int = Field(default=2_592_000, gt=0, description="Life of a refresh token.")
    refresh_grace_seconds: int = Field(
        default=10, ge=0, le=60, description="Seconds in which a refresh token that comes again gets the same answer."
    )
    session_seconds: int = Field(
        default=7_776_000, gt=0, description="Life of a session, however often it is renewed: then one signs in again."
    )
    impersonation_seconds: int = Field(
        default=1_800, gt=0, le=28_800, description="Life of a session that an admin opens as somebody else."
    )
    second_factor_roles: tuple[str, ...] = Field(
        default=(), description="Roles whose users need a second factor, as a JSON list of their names."
    )
    oidc_issuer: str | None = Field(
        default=None, description="The OpenID provider by which people may sign in, as its discovery document names it."
    )
    oidc_client_id: str = Field(default="rapport", description="What that provider knows this server as.")
    oidc_client_secret: str | None = Field(default=None, description="The secret that goes with it, if there is one.")
    oidc_scopes: str = Field(default="openid email", description="What the provider is asked for, email included.")
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="Where browsers reach this server, for the provider's way back."
    )
    password_workers: int = Field(default=1, ge=1, description="Passwords hashed at once, each for about 0.1 s.")
    password_queue: int = Field(default=50, ge=1, description="Sign-ins that may wait for hashing; more are refused.")

    smtp_host: str | None = Field(
        default=None, description="The server for mail; absent, messages go to the log, and in production nowhere."
    )
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How mail is encrypted on its way there; `none` only to this machine."
    )
    smtp_user: str | None = Field(default=None, description="The name to sign in with there.")
    smtp_password: str | None = Field(default=None, description="The password to sign in with there.", repr=False)
    smtp_from: str = Field(default="Rapport <rapport@localhost>", description="Whom mail comes from.")
    smtp_timeout_seconds: float = Field(default=20, gt=0, description="Longest that server may take for a step.")
    password_page: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s#]+$",
        description="The page where people set a password, for links in mail; email and code follow after a #.",
    )

    kept_statements: int = Field(
        default=400,
        ge=1,
        description="Statements that each connection for reading keeps prepared, at 0.1 to 0.3 MB of the database's.",
    )
    read_pool: int = Field(default=8, ge=1, description="Connections for reading, each worker.")
    write_pool: int = Field(default=4, ge=1, description="Connections for writing, each worker.")
    write_timeout_ms: int = Field(default=30_000, gt=0, description="Longest a statement of a write may run or wait.")
    export_pool: int = Field(default=2, ge=1, description="Exports under way at once, each worker; more are refused.")
    export_link_seconds: int = Field(default=300, gt=0, description="Life of the link to an export.")
    root_concurrency: int = Field(default=4, ge=1, description="Root fields of one operation that run at once.")
    statement_timeout_ms: int = Field(default=10_000, gt=0, description="Longest a read statement may run.")

    max_depth: int = Field(default=12, ge=1, description="Nesting of fields in an operation.")
    max_aliases: int = Field(default=50, ge=0, description="Aliases in an operation, through fragments too.")
    max_fields: int = Field(default=2_000, ge=1, description="Fields in an operation, through fragments too.")
    max_tokens: int = Field(default=5_000, ge=1, description="Lexical tokens in a document.")
    max_cost: int = Field(default=100_000, ge=1, description="Rows that an operation may touch.")
    max_body_bytes: int = Field(default=262_144, ge=1, description="Bytes in a request body.")
    max_filter_terms: int = Field(default=200, ge=1, description="Comparisons in the filters of an operation.")
    max_relation_filters: int = Field(
        default=25, ge=1, description="Filters through relations in an operation; planning takes longer with each."
    )
    lookup_per_minute: int = Field(
        default=30, ge=1, description="Times a minute that a user may look customers up, each worker."
    )
    bulk_cap: int = Field(default=10_000, ge=1, description="Records that one bulk mutation may change.")
    plan_cache: int = Field(default=1_000, ge=1, description="Compiled statements kept, each worker.")
    document_cache: int = Field(default=500, ge=1, description="Parsed documents kept, each worker.")

    budget_points: int = Field(default=500_000, ge=0, description="Points that a user has to spend; 0: no budgets.")
    budget_restore: float = Field(default=5_000, gt=0, description="Points that a user gets back in a second.")
    budget_token_points: int = Field(default=500_000, ge=0, description="Points that an API token has; 0: no budget.")
    budget_token_restore: float = Field(default=5_000, gt=0, description="Points that a token gets back in a second.")
    budget_stranger_points: int = Field(
        default=5_000, ge=0, description="Points that the strangers of one address have together; 0: no budget."
    )
    budget_stranger_restore: float = Field(default=50, gt=0, description="Points that they get back in a second.")
    redis_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="A Redis where processes share budgets; absent, they share them in the database.",
    )

    max_batch: int = Field(default=0, ge=0, description="Operations in one request; 0: one, and not as a list.")
    persisted_queries: int = Field(
        default=1_000, ge=0, description="Documents kept by hash for automatic persisted queries, each worker; 0: none."
    )
    trusted_documents: Path | None = Field(
        default=None, description="A manifest of documents; with one, nothing else is run."
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins whose pages may use the API, such as https://crm.example, as a JSON list."
    )
    cors_credentials: bool = Field(default=False, description="Whether those pages may use cookies.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses or networks of proxies whose headers are believed, as a JSON list."
    )
    proxy_header: Literal["X-Forwarded-For", "Forwarded"] = Field(
        default="X-Forwarded-For", description="Where those proxies say for whom they ask."
    )
    compress_bytes: int = Field(
        default=4_096,
        ge=0,
        description="Answers to queries of so many bytes are compressed for those who take it; 0: none.",
    )
    access_log: bool = Field(default=True, description="Logs a line for each request.")

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.hostname
                or f"{parts.scheme}://{parts.netloc}" != origin
            ):
                raise ValueError("It has to be a list of origins such as https://crm.example, without a path")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        for each in said:
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("It has to be a list of addresses or networks such as 10.0.0.0/8") from None
        return said

    @field_validator("shop_timezone")
    @classmethod
    def _is_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("It has to be a name of the IANA time zone database, such as Europe/Berlin") from None
        return name

    @field_validator("smtp_from")
    @classmethod
    def _is_sender(cls, sender: str) -> str:
        _, address = parseaddr(sender)
        if not sender.isprintable() or not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise ValueError(
                "It has to be an address, or a name and an address, such as Rapport <rapport@shop.example>"
            )
        return sender

    @field_validator("oidc_issuer", "public_url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "https:")
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("It has to begin with https://, but for this machine itself")
        return url

    @property
    def production(self) -> bool:
        """Whether this is a production installation."""
        return self.environment == "production"

    @property
    def shows_graphiql(self) -> bool:
        """Whether browsers get GraphiQL."""
        return not self.production if self.graphiql is None else self.graphiql

    @property
    def shows_schema(self) -> bool:
        """Whether introspection is answered."""
        return not self.production if self.introspection is None else self.introspection


def setting_name(field: str) -> str:
    """The environment variable of a setting."""
    return field if field.isupper() else f"RAPPORT_{field.upper()}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
