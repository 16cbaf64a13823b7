"""What can be imported: the entities and their fields, read from the tables themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import ARRAY, Boolean, Column, Date, DateTime, Enum, Integer, Numeric, Table
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

from app.importing.errors import ImportRefusedError
from app.models import (
    Contact,
    Customer,
    ExchangeRate,
    Opportunity,
    Order,
    OrderLine,
    Product,
    Role,
    Stage,
    Team,
    Ticket,
    User,
)

Kind = Literal[
    "text",
    "name",
    "email",
    "address",
    "currency",
    "enum",
    "integer",
    "boolean",
    "money",
    "rate",
    "date",
    "time",
    "tags",
    "reference",
]

MODELS: Mapping[str, type[SQLModel]] = {
    "team": Team,
    "user": User,
    "customer": Customer,
    "contact": Contact,
    "product": Product,
    "stage": Stage,
    "opportunity": Opportunity,
    "order": Order,
    "order-line": OrderLine,
    "ticket": Ticket,
    "rates": ExchangeRate,
}
ENTITIES = tuple(MODELS)

# The column of the state whose changes are recorded, and its type.
STATES: Mapping[str, tuple[str, str]] = {"opportunity": ("stage_id", "uuid"), "order": ("status", "text")}

# The field by which a record is known without an external id. Roles are only ever referred to.
NATURAL_KEYS: Mapping[str, str] = {
    "team": "name",
    "user": "email",
    "role": "name",
    "customer": "code",
    "product": "sku",
    "stage": "name",
    "order": "number",
    "ticket": "number",
}
# The fields that together say which record a row is, where it is no one field.
COMPOSITE_KEYS: Mapping[str, tuple[str, ...]] = {"order-line": ("order", "position"), "rates": ("currency", "day")}
REFERENCED = frozenset({"customer", "contact", "product", "opportunity", "order", "ticket"})

_NOT_IMPORTED = frozenset(
    {"id", "version", "access_version", "password_hash", "last_login_at", "updated_at", "deleted_at", "merged_into_id"}
    | {"subtotal", "total", "pending_since", "paused"}
)
# What the database can work out where the file says nothing, so that the map need not name it.
FALLBACKS: Mapping[str, frozenset[str]] = {
    "opportunity": frozenset({"amount", "currency", "probability", "opened_at", "stage_entered_at"}),
    "order": frozenset({"placed_at"}),
    "order-line": frozenset({"sku", "name", "unit_price", "quantity"}),
}
_LONG = frozenset({"notes", "description", "loss_notes"})
_RANGES: Mapping[str, tuple[int, int]] = {
    "probability": (0, 100),
    "satisfaction": (1, 5),
    "rotting_after_days": (1, 100_000),
    "quantity": (1, 2_147_483_647),
}
_BY_TABLE = {str(model.__tablename__): name for name, model in MODELS.items()} | {str(Role.__tablename__): "role"}
_ANY_INTEGER = (-2_147_483_648, 2_147_483_647)


@dataclass(frozen=True)
class TargetField:
    """A field that a map may fill. ``default`` is SQL for what an empty one becomes; ``column`` is where it goes."""

    name: str
    column: str
    kind: Kind
    required: bool
    nullable: bool
    default: str | None = None
    server_default: bool = False
    choices: tuple[str, ...] = ()
    limit: int | None = None
    range: tuple[int, int] = _ANY_INTEGER
    entity: str | None = None

    @property
    def staged_type(self) -> str:
        """The SQL type of the value as the file gives it: a reference is still a key."""
        types = {
            "integer": "integer",
            "boolean": "boolean",
            "money": "numeric",
            "rate": "numeric",
            "date": "date",
            "time": "timestamptz",
            "tags": "text[]",
        }
        return types.get(self.kind, "text")

    @property
    def stored_type(self) -> str:
        """The SQL type of the column that it goes to."""
        return "uuid" if self.kind == "reference" else self.staged_type


@dataclass(frozen=True)
class Target:
    """An entity that can be imported."""

    name: str
    entity: str
    table: str
    fields: Mapping[str, TargetField]
    natural_key: str | None
    composite_key: tuple[str, ...]
    has_ids: bool
    has_references: bool
    versioned: bool
    dated: bool
    deletable: bool

    def field(self, name: str) -> TargetField:
        """The field called ``name``; ImportRefusedError names the ones that there are."""
        if name in self.fields:
            return self.fields[name]
        if name == "subtotal":
            raise ImportRefusedError("subtotal is not imported: it is the sum of the order's lines.")
        raise ImportRefusedError(f"{self.name} has no field {name!r}: there are {', '.join(sorted(self.fields))}.")


@cache
def target(name: str) -> Target:
    """The entity called ``name`` on the command line; ImportRefusedError names the ones that there are."""
    if name not in MODELS:
        raise ImportRefusedError(f"There is no entity {name!r} to import: choose one of {', '.join(ENTITIES)}.")
    model = MODELS[name]
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel makes it for every table.
    fields = {}
    for column in table.columns:
        if column.name in _NOT_IMPORTED or column.computed is not None:
            continue
        if name == "order-line" and column.name == "currency":  # An order's lines are in the order's currency.
            continue
        found = _field(name, model, column)
        fields[found.name] = found
    for extra in _virtual(name):
        fields[extra.name] = extra
    return Target(
        name=name,
        entity=model.__name__,
        table=table.name,
        fields=fields,
        natural_key=NATURAL_KEYS.get(name),
        composite_key=COMPOSITE_KEYS.get(name, ()),
        has_ids="id" in table.columns,
        has_references=name in REFERENCED,
        versioned="version" in table.columns,
        dated="updated_at" in table.columns,
        deletable="deleted_at" in table.columns,
    )


def table_of(entity: str) -> str:
    """The table of an entity by its command-line name, roles included."""
    return str(Role.__tablename__) if entity == "role" else target(entity).table


def is_deletable(entity: str) -> bool:
    """Whether records of ``entity`` can be deleted and then still lie in the table."""
    return entity != "role" and target(entity).deletable


def _virtual(entity: str) -> list[TargetField]:
    """Fields that are no columns of the table, but tell something about it."""
    if entity == "opportunity":
        return [TargetField("first_stage", "_first_stage_id", "reference", False, True, entity="stage", limit=500)]
    if entity == "order-line":
        return [TargetField(n, f"_{n}", "money", False, True) for n in ("shipping_fee", "discount")]
    return []


def _field(entity: str, model: type[SQLModel], column: Column[Any]) -> TargetField:
    default = _default_sql(model, column)
    if column.foreign_keys or column.name == "order_id":
        reference = next((key.column.table.name for key in column.foreign_keys), "orders")
        return TargetField(
            name=column.name.removesuffix("_id"),
            column=column.name,
            kind="reference",
            required=not column.nullable,
            nullable=bool(column.nullable),
            limit=500,
            entity=_BY_TABLE[reference],
        )
    kind = _kind(column)
    has_default = default is not None or column.name in FALLBACKS.get(entity, ())
    return TargetField(
        name=column.name,
        column=column.name,
        kind=kind,
        required=not column.nullable and not has_default,
        nullable=bool(column.nullable),
        default=default,
        server_default=column.server_default is not None,
        choices=tuple(column.type.enums) if isinstance(column.type, Enum) else (),
        limit=None if column.name in _LONG else 500,
        range=_RANGES.get(column.name, _ANY_INTEGER),
    )


def _kind(column: Column[Any]) -> Kind:
    if column.table.name == "exchange_rates" and column.name == "rate":
        return "rate"
    kinds: list[tuple[type[Any], Kind]] = [
        (Enum, "enum"),
        (Integer, "integer"),
        (Boolean, "boolean"),
        (Numeric, "money"),
        (DateTime, "time"),
        (Date, "date"),
        (ARRAY, "tags"),
    ]
    for type_, kind in kinds:
        if isinstance(column.type, type_):
            return kind
    if column.table.name in ("users", "teams") and column.name == "name":
        return "name"
    if column.table.name == "users" and column.name == "email":
        return "address"
    named: dict[str, Kind] = {"email": "email", "currency": "currency"}
    return named.get(column.name, "text")


def _default_sql(model: type[SQLModel], column: Column[Any]) -> str | None:
    """SQL for the default of a NOT NULL column, whether the server or Python knows it."""
    if column.nullable:
        return None
    if column.server_default is not None:
        argument = column.server_default.arg  # type: ignore[attr-defined]  # It is a DefaultClause here.
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        return f"'{argument}'" if isinstance(argument, str) else str(argument.compile(dialect=dialect))
    field = model.model_fields[column.name]
    if isinstance(column.type, DateTime) and field.default_factory is not None:
        return "now()"
    if field.is_required() or field.default is None:
        return None
    value = field.default
    return f"'{value.value}'" if isinstance(column.type, Enum) else str(value)
