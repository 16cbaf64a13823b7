"""What every table shares: keys, times, versions, and how money, text and enums are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, DateTime, Enum, Index, Numeric, Text, func, literal_column, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlmodel import Field, SQLModel

from app.db.ids import new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING

TRIGRAM = "gin_trgm_ops"


def utcnow() -> datetime:
    """The present moment with its time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over the rows at the end of ``relation``: how many there are."""

    relation: str


class Row(SQLModel):
    """A table that can be read.

    ``prefix`` opens the typed ids of its rows, ``parent`` names the relation that it follows in every right,
    ``searched`` the attributes that a search looks into, ``summaries`` its figures over related rows, ``listed`` the
    order in which it is listed where it is listed whole, ``newest`` the moment by which pages go that are asked for in
    no order, ``only`` the id of the one row of a table that never has another. ``outlasts`` says that a row is shown by
    those that refer to it also when it is deleted.
    """

    model_config = {"ignored_types": (hybrid_property,)}
    prefix: ClassVar[str] = ""
    parent: ClassVar[str | None] = None
    searched: ClassVar[tuple[str, ...]] = ()
    summaries: ClassVar[Mapping[str, Summary]] = {}
    listed: ClassVar[tuple[str, ...]] = ()
    newest: ClassVar[str] = "created_at"
    outlasts: ClassVar[bool] = False
    only: ClassVar[UUID | None] = None


class Entity(Row):
    """A table of the business, whose rows have ids."""

    id: UUID = Field(default_factory=new_id, primary_key=True)


class Versioned(Entity):
    """A row that people change: ``version`` rises by one with every change."""

    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})


class Record(Versioned):
    """A versioned row that knows when it was made and last changed (UTC)."""

    created_at: datetime = Field(
        default_factory=utcnow,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": func.now()},
    )
    updated_at: datetime = Field(
        default_factory=utcnow,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": func.now()},
    )


def moment(*, required: bool = False, **options: Any) -> Any:
    """A column of the type timestamptz."""
    default = {"default_factory": utcnow} if required else {"default": None}
    return Field(sa_type=DateTime(timezone=True), nullable=not required, **default, **options)


def words(*, required: bool = False, **options: Any) -> Any:
    """A column of unbounded text."""
    default: dict[str, Any] = {} if required else {"default": None}
    return Field(sa_type=Text, nullable=not required, **default, **options)


def number(letter: str, sequence: str) -> Any:
    """A server-made number, unique and rising: a letter and the next of ``sequence``; gaps are allowed."""
    return words(required=True, sa_column_kwargs={"server_default": text(f"next_number('{letter}', '{sequence}')")})


def choice(kind: type[StrEnum], *, required: bool = True, check: str | None = None, **options: Any) -> Any:
    """A text column that holds the members of ``kind``; ``check`` names the constraint where a table has two."""
    name = check or "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("_")
    return Field(
        sa_type=Enum(kind, name=name, native_enum=False, create_constraint=True, length=24),
        nullable=not required,
        **options,
    )


def money(currency: str = "currency", **options: Any) -> Any:
    """An exact amount whose scale is the minor units of the currency in the column ``currency`` of the same row."""
    return Field(
        sa_type=Numeric(asdecimal=True),
        nullable=False,
        sa_column_kwargs={"info": {"currency": currency}},
        **options,
    )


_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV")
) | {
    "XAF",
    "XOF",
    "XPF",
}
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def currency_scale(currency: str) -> int:
    """The minor units of a currency of ISO 4217, as the database's function of that name has them."""
    return 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2


def currency_code(**options: Any) -> Any:
    """An ISO 4217 code."""
    return Field(sa_type=Text, nullable=False, **options)


def amount_checks(*columns: str, currency: str = "currency", negative: tuple[str, ...] = ()) -> list[CheckConstraint]:
    """The checks of the amounts of a table: scale by currency, size, sign. Amounts print exactly as they are stored."""
    checks = [CheckConstraint(f"{currency} ~ '^[A-Z]{{3}}$'", name="currency_is_iso_4217")]
    for column in columns:
        low = f"{column} > -1e15" if column in negative else f"{column} >= 0"
        checks.append(
            CheckConstraint(
                f"scale({column}) = currency_scale({currency}) AND {low} AND {column} < 1e15", name=f"{column}_is_money"
            )
        )
    return checks


def short(*columns: str, limit: int = 500) -> list[CheckConstraint]:
    """Checks that text stays within ``limit`` characters: a B-tree entry holds 2,700 bytes at most."""
    return [CheckConstraint(f"char_length({column}) <= {limit}", name=f"{column}_is_short") for column in columns]


def ordered(table: str, column: str, *, text_column: bool = False, nullable: bool = False) -> list[Index]:
    """The indexes that keyset paging by ``column`` seeks in, ties broken by id; a nullable one needs both ends."""
    term: ColumnElement[Any] = literal_column(f'{column} COLLATE "C"') if text_column else literal_column(column)
    found = [Index(f"ix_{table}_{column}_id", term, literal_column("id"))]
    if nullable:
        found.append(Index(f"ix_{table}_{column}_desc_id", term.desc().nulls_last(), literal_column("id").desc()))
    return found


def searched(table: str, *columns: str) -> Index:
    """One trigram index over the text columns that search and text filters look into."""
    return Index(
        f"ix_{table}_text",
        *columns,
        postgresql_using="gin",
        postgresql_ops=dict.fromkeys(columns, TRIGRAM),
        postgresql_with={"fastupdate": True, "gin_pending_list_limit": 16_384},
    )


def referring(table: str, column: str) -> Index:
    """The index by which rows are found that refer to a record; most refer to none, and have no entry."""
    return Index(f"ix_{table}_{column}", column, postgresql_where=text(f"{column} IS NOT NULL"))


def alive(name: str, *columns: Any) -> Index:
    """A unique index over the rows that are not deleted, so that deleted rows never block."""
    return Index(name, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))
