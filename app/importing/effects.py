"""What each column of a record becomes, as SQL over the staged row ``s``, the present record ``t`` and its references.

``t`` is all NULL for a new record. ``"r_product"`` is the record that the row's ``product`` refers to.
"""

from dataclasses import dataclass

from app.importing.maps import Map
from app.importing.targets import TargetField

ORDER_TIMES = {
    "PENDING_PAYMENT": "placed_at",
    "PAID": "paid_at",
    "SHIPPED": "shipped_at",
    "DELIVERED": "delivered_at",
    "COMPLETED": "completed_at",
    "CANCELLED": "cancelled_at",
    "REFUNDED": "refunded_at",
}
_ENDS = ("COMPLETED", "CANCELLED", "REFUNDED")


@dataclass(frozen=True)
class Effect:
    """One column: the SQL of its new value, whether it is money, and whether existing records get it too."""

    column: str
    sql_type: str
    value: str
    on_update: bool
    money: bool = False
    required: bool = False

    @property
    def stored(self) -> bool:
        """Whether it is a column of the table, not only something that the import must know."""
        return not self.column.startswith("_")


def effects(read: Map) -> list[Effect]:
    """The columns that an import by the map ``read`` writes."""
    aim, mapped = read.target, read.fields
    special = _special(read)
    rescaled = "currency" in mapped
    found = []
    for name, field in aim.fields.items():
        money = field.kind == "money"
        if field.column in special:
            value, follows = special[field.column]
        elif name in mapped:
            value, follows = _mapped(field), not mapped[name].initial
        elif not field.nullable and (money or not field.server_default):
            value, follows = f't."{field.column}"', False
        else:
            continue
        if not field.nullable:
            present = f't."{field.column}"'
            kept = [] if value == present else [value]
            value = _coalesce(*kept, present, field.default)
        if not follows and not field.column.startswith("_"):
            value = f'CASE WHEN t.id IS NULL THEN {value} ELSE t."{field.column}" END'
        found.append(
            Effect(
                field.column,
                field.stored_type,
                value,
                on_update=follows or (money and rescaled),
                money=money,
                required=not field.nullable and field.default is None,
            )
        )
    if aim.name == "order":
        found.append(Effect("subtotal", "numeric", "coalesce(t.subtotal, 0)", on_update=rescaled, money=True))
    if aim.name == "order-line":
        found.append(Effect("currency", "text", '"r_order".currency', on_update=False))
    return found


def _mapped(field: TargetField) -> str:
    return f'"r_{field.name}".id' if field.kind == "reference" else f's."{field.name}"'


def _coalesce(*values: str | None) -> str:
    given = [value for value in values if value is not None]
    return given[0] if len(given) == 1 else f"coalesce({', '.join(given)})"


def _special(read: Map) -> dict[str, tuple[str, bool]]:
    """The columns of some entities that are worked out from others, and whether existing records get them too."""
    match read.entity:
        case "opportunity":
            return _opportunity(read)
        case "order":
            return _order(read)
        case "order-line":
            return _order_line(read)
        case _:
            return {}


def _staged(read: Map, field: str) -> str | None:
    return f's."{field}"' if field in read.fields else None


def _opportunity(read: Map) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    if "product" in read.fields:
        currency = _coalesce(_staged(read, "currency"), "t.currency", '"r_product".currency')
        price = f'CASE WHEN "r_product".currency = {currency} THEN "r_product".price END'
        found["currency"] = (_coalesce(_staged(read, "currency"), '"r_product".currency'), "currency" in read.fields)
        found["amount"] = (_coalesce(_staged(read, "amount"), price), "amount" in read.fields)
    opened = _coalesce(_staged(read, "opened_at"), "t.opened_at", _staged(read, "closed_at"), "now()")
    found["opened_at"] = (opened, "opened_at" in read.fields)
    if "stage" not in read.fields:
        return found
    moved = '(t.id IS NULL OR t.stage_id IS DISTINCT FROM "r_stage".id)'
    closed = f"""CASE WHEN "r_stage".kind <> 'OPEN' THEN {_staged(read, "closed_at") or "NULL::timestamptz"} END"""
    given = _coalesce(_staged(read, "stage_entered_at"), closed)
    # A record that moves enters its stage later than it entered the one before; the file may know no such time.
    entered = (
        f"CASE WHEN t.id IS NULL THEN greatest(coalesce({given}, {opened}), {opened})"
        f" WHEN {moved} THEN CASE WHEN {given} > t.stage_entered_at THEN {given} ELSE now() END"
        " ELSE t.stage_entered_at END"
    )
    found["stage_entered_at"] = (entered, True)
    found["probability"] = (
        _coalesce(
            _staged(read, "probability"),
            f'CASE WHEN {moved} {"OR true" if "probability" in read.fields else ""} THEN "r_stage".probability END',
        ),
        True,
    )
    if "closed_at" in read.fields:
        found["closed_at"] = (f"""CASE WHEN "r_stage".kind <> 'OPEN' THEN coalesce(s.closed_at, {entered}) END""", True)
    else:
        found["closed_at"] = (
            f"""CASE WHEN {moved} THEN CASE WHEN "r_stage".kind <> 'OPEN' THEN {entered} END ELSE t.closed_at END""",
            True,
        )
    return found


def _order(read: Map) -> dict[str, tuple[str, bool]]:
    if "status" not in read.fields:
        return {}
    found: dict[str, tuple[str, bool]] = {}
    known = [_staged(read, field) or f"t.{field}" for field in ORDER_TIMES.values()]
    latest = f"greatest({', '.join(known)})"
    for status in _ENDS:
        field = ORDER_TIMES[status]
        if field not in read.fields:
            found[field] = (
                f"CASE WHEN s.status = '{status}' THEN coalesce(t.{field}, {latest}, now()) ELSE t.{field} END",
                True,
            )
    return found


def _order_line(read: Map) -> dict[str, tuple[str, bool]]:
    found = {"quantity": (_coalesce(_staged(read, "quantity"), "t.quantity", "1"), "quantity" in read.fields)}
    if "product" in read.fields:
        for column in ("sku", "name"):
            found[column] = (_coalesce(_staged(read, column), f'"r_product".{column}'), column in read.fields)
        price = 'CASE WHEN "r_product".currency = "r_order".currency THEN "r_product".price END'
        found["unit_price"] = (_coalesce(_staged(read, "unit_price"), price), "unit_price" in read.fields)
    return found
