"""Map files: how the columns of a file become the fields of an entity.

A map is a TOML file::

    entity = "opportunity"          # What each row is; must be the ENTITY of the command.
    system = "maven-crm"            # The system that the external ids are of.
    external_id = "{opportunity_id}"
    encoding = "utf-8"              # Also "cp1252" and the like; a BOM is understood.
    delimiter = ","
    timezone = "UTC"                # Of times that name none: an IANA name.
    dates = ["%m/%d/%Y"]            # Formats of dates and times, tried in turn; ISO 8601 where absent.
    decimal = "."                   # With ",", amounts are read as 1.234,50.
    repeated = "reject"             # Rows of one key: "reject" the later ones, or "merge" them into the first.
    existing = "update"             # Records already there: "update" them, or "keep" them as they are.
    absent = "insert"               # Records not yet there: "insert" them, or "reject" the row.

    [replace.product]               # Cells of a column that are read as something else.
    GTXPro = "GTX Pro"

    [fields]                        # Field = template; see app/importing/templates.py. Without braces: a constant.
    name = "{product} for {account}"
    currency = "USD"
    customer = "{account}"          # A reference, here by external id in the map's own system.

    [fields.owner]                  # The same with options:
    value = "{sales_agent|mailbox}@maven.example"
    by = "email"                    # How a reference is known: "external_id", or the entity's natural key.
    system = "maven-crm"            # The system of the external id, where it is not the map's.

    [fields.stage]
    value = "{deal_stage}"
    values = { Closed = "Won" }     # Values read as others; those not listed stay as they are …
    otherwise = "Prospecting"       # … or become this one.
    default = "Prospecting"         # What an empty value becomes.
    initial = true                  # Only new records get it; existing ones keep theirs.
    when = { deal_stage = ["Won"] } # The value counts only where the column has one of these; else it is empty.
    dates = ["%d.%m.%Y"]            # For this field alone; so is timezone.
    plus_hours = "{hours}"          # Hours added to a time; where they are empty, so is the time.
    split = ";"                     # What parts tags; "," where absent.

    [[refs]]                        # Further external ids of the record; merged rows add theirs.
    system = "maven-crm"
    external_id = "{account_number}"

Fields left out are not touched on records that exist. Natural keys are a team's, role's and stage's ``name``, a user's
``email``, a product's ``sku``, a customer's ``code``, an order's or ticket's ``number``; an order line is known by its
order and position, an exchange rate by its currency and day. A record found by its natural key receives the row's
external id.

What the map leaves out is worked out: an opportunity's probability follows its stage and its amount and currency are
those of its product; ``first_stage`` is the stage in which it was opened, so that its history has two steps; an order's
history has one step for every time that it has. An order line copies sku, name and price of its product;
``shipping_fee`` and ``discount`` of an order's lines add up on the order.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.importing.errors import ImportRefusedError
from app.importing.targets import NATURAL_KEYS, REFERENCED, Target, TargetField, target
from app.importing.templates import Template, parse_template

EXTERNAL_ID = "external_id"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _zone(name: str | None) -> str | None:
    if name is not None:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no time zone; name one like 'Europe/Berlin' or 'UTC'") from error
    return name


class FieldMap(_Strict):
    """Where one field comes from."""

    value: str
    by: str | None = None
    system: str | None = None
    values: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    default: str | None = None
    initial: bool = False
    when: dict[str, list[str]] = Field(default_factory=dict)
    dates: list[str] | None = None
    timezone: str | None = None
    plus_hours: str | None = None
    split: str = Field(default=",", min_length=1)

    _timezone = field_validator("timezone")(_zone)

    @property
    def templates(self) -> list[Template]:
        """Everything in it that reads columns."""
        return [parse_template(text) for text in (self.value, self.plus_hours) if text is not None]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file that its value is made of, each once."""
        return tuple(dict.fromkeys(c for template in self.templates for c in template.columns))


class Ref(_Strict):
    """A further external id of the record."""

    system: str = Field(min_length=1, max_length=500)
    external_id: str = Field(min_length=1)


class Map(_Strict):
    """A map file, read and found sound."""

    entity: str
    system: str | None = Field(default=None, min_length=1, max_length=500)
    external_id: str | None = Field(default=None, min_length=1)
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    timezone: str = "UTC"
    dates: list[str] = Field(default_factory=list)
    decimal: Literal[".", ","] = "."
    repeated: Literal["reject", "merge"] = "reject"
    existing: Literal["update", "keep"] = "update"
    absent: Literal["insert", "reject"] = "insert"
    replace: dict[str, dict[str, str]] = Field(default_factory=dict)
    fields: dict[str, FieldMap]
    refs: list[Ref] = Field(default_factory=list)

    _timezone = field_validator("timezone")(_zone)

    @field_validator("fields", mode="before")
    @classmethod
    def _short_fields(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: {"value": field} if isinstance(field, str) else field for name, field in fields.items()}

    @property
    def target(self) -> Target:
        """The entity that its rows become."""
        return target(self.entity)

    @property
    def columns(self) -> set[str]:
        """Every column of the file that it reads."""
        texts = [text for text in (self.external_id, *(ref.external_id for ref in self.refs)) if text is not None]
        found = {column for text in texts for column in parse_template(text).columns}
        for field in self.fields.values():
            found.update(field.columns, field.when)
        return found | set(self.replace)

    def reference(self, name: str) -> tuple[str, str | None]:
        """How the reference ``name`` is known: its key, and the system where that is an external id."""
        field, entity = self.fields[name], self.target.fields[name].entity
        natural = NATURAL_KEYS.get(str(entity))
        by = field.by or (EXTERNAL_ID if entity in REFERENCED else str(natural))
        return by, (field.system or self.system if by == EXTERNAL_ID else None)


def load_map(path: Path, entity: str | None = None) -> Map:
    """The map in the file ``path``, for ``entity`` where one is asked for; ImportRefusedError says what is wrong."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ImportRefusedError(f"The map {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportRefusedError(f"The map {path} is not TOML: {error}.") from error
    try:
        read = Map.model_validate(found)
    except ValidationError as error:
        raise ImportRefusedError(f"The map {path} cannot be used: {_told(error)}") from error
    try:
        if entity is not None and entity != read.entity:
            raise ImportRefusedError(f"it is for {read.entity!r}, not for {entity!r}.")
        _check(read)
    except ImportRefusedError as error:
        raise ImportRefusedError(f"The map {path} cannot be used: {error}") from error
    return read


def _told(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "there is no such option"
        problems.append(f"{place}: {message}" if place else message)
    return "; ".join(problems) + "."


def _check(read: Map) -> None:
    """Refuse a map that contradicts itself or the entity."""
    aim = read.target
    for name, field in read.fields.items():
        _check_field(read, aim.field(name), field)
    if read.external_id is not None:
        if not aim.has_references:
            known = f"its {' and '.join(aim.composite_key or (str(aim.natural_key),))}"
            raise ImportRefusedError(f"external_id: {aim.name} has no external ids; it is known by {known}.")
        if read.system is None:
            raise ImportRefusedError("external_id: say of which system it is (system = …).")
    elif not aim.composite_key and aim.natural_key not in read.fields:
        natural = f", or map its {aim.natural_key}" if aim.natural_key else ""
        raise ImportRefusedError(f"nothing says which record a row is: give system and external_id{natural}.")
    if read.refs and not aim.has_references:
        raise ImportRefusedError(f"refs: {aim.name} has no external ids.")
    missing = [name for name, field in aim.fields.items() if field.required and name not in read.fields]
    if missing and (read.absent == "insert" or aim.composite_key):
        raise ImportRefusedError(
            f'the fields {", ".join(missing)} are missing, without which no {aim.name} is made (absent = "reject"'
            " only changes those that exist)."
        )
    for text in [read.external_id, *(ref.external_id for ref in read.refs)]:
        if text is not None and not parse_template(text).columns:
            raise ImportRefusedError(f"external_id: {text!r} is the same for every row; name a column in braces.")


def _check_field(read: Map, aim: TargetField, field: FieldMap) -> None:
    _ = field.templates  # A template that cannot be read is refused here.
    where = f"fields.{aim.name}"
    if aim.kind != "reference" and (field.by or field.system):
        raise ImportRefusedError(f"{where}: it is no reference, so by and system mean nothing there.")
    if field.plus_hours and aim.kind != "time":
        raise ImportRefusedError(f"{where}: plus_hours is for times only.")
    if field.initial and (read.entity, aim.name) in {("opportunity", "stage"), ("order", "status")}:
        raise ImportRefusedError(f"{where}: initial is not possible, because the history follows it.")
    if aim.kind != "reference":
        return
    natural, by, system = NATURAL_KEYS.get(str(aim.entity)), *read.reference(aim.name)
    possible = [key for key in (EXTERNAL_ID if aim.entity in REFERENCED else None, natural) if key]
    if by not in possible:
        raise ImportRefusedError(f"{where}: a {aim.entity} is known by {' or '.join(possible)}, not by {by!r}.")
    if by == EXTERNAL_ID and system is None:
        raise ImportRefusedError(f"{where}: say of which system the external id is (system = …).")
    if by != EXTERNAL_ID and field.system:
        raise ImportRefusedError(f'{where}: system goes with by = "external_id" only.')
