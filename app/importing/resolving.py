"""Set-based resolution: each staged row finds its record and its references, or the reason why it cannot be imported.

The result is the temporary table ``import_found``: one row for each staged row, with the id of its record, whether that
is new, the values to write, and ``_problem``, an array of field and reason where the row is refused.
"""

# ruff: noqa: S608  # Statements are made of names of our own; values travel by COPY and as parameters.

from dataclasses import dataclass, field
from functools import cached_property

from app.importing.effects import Effect, effects
from app.importing.maps import EXTERNAL_ID, Map
from app.importing.targets import NATURAL_KEYS, STATES, Target, is_deletable, table_of, target

ROWS = "import_rows"
FOUND = "import_found"


def _staged(name: str) -> str:
    return f's."{name}"'


def _shown(value: str) -> str:
    return f"'\"' || left({value}, 80) || '\"'"


@dataclass
class Resolution:
    """The statements that fill ``import_found`` for one map, and their parameters."""

    read: Map
    shop_currency: str | None = None
    parameters: list[str] = field(default_factory=list)
    _joins: list[str] = field(default_factory=list)
    _problems: list[tuple[str, str, str]] = field(default_factory=list)

    @cached_property
    def effects(self) -> list[Effect]:
        """The columns that the import writes."""
        return effects(self.read)

    @property
    def target(self) -> Target:
        """The entity imported."""
        return self.read.target

    def create(self) -> str:
        """CREATE of the table of results."""
        columns = [
            "_line bigint, _id uuid, _is_new boolean, _head boolean, _problem text[], _external text",
            *(f"_ref{n} text" for n in range(len(self.read.refs))),
            *([f"_history text, _old {STATES[self.target.name][1]}"] if self.target.name in STATES else []),
            *(f'"{effect.column}" {effect.sql_type}' for effect in self.effects),
        ]
        return f"CREATE TEMP TABLE {FOUND} ({', '.join(columns)}) ON COMMIT DROP"

    def fill(self) -> str:
        """INSERT of one result for every staged row; ``parameters`` are to be given with it."""
        self._references()
        self._match()
        values = [f'{effect.value} AS "{effect.column}"' for effect in self.effects]
        refs = [f"_ref{n}" for n in range(len(self.read.refs))]
        old = [f"s._history, t.{STATES[self.target.name][0]} AS _old"] if self.target.name in STATES else []
        external = "s._external" if self.read.external_id is not None else "NULL::text"
        found = ", ".join(
            [
                f"s._line, s._new, {external} AS _external",
                *(f"s.{ref}" for ref in refs),
                *old,
                f"t.id AS _known, {self._natural_key()} AS _natural",
                *values,
                f"{self._cases()} AS _problem",
            ]
        )
        # OFFSET 0: each value is worked out once, not once for each use.
        joined = f"SELECT {found} FROM {ROWS} s {' '.join(self._joins)} WHERE s._refused IS NULL OFFSET 0"
        checked = f"SELECT a.*, coalesce(a._problem, {self._value_checks()}) AS _refused FROM ({joined}) a OFFSET 0"
        return f"INSERT INTO {FOUND} {self._grouped(checked, refs, bool(old))}"  # Only our own names.

    def _bind(self, value: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::text"

    def _refuse(self, condition: str, name: str, reason: str) -> None:
        self._problems.append((condition, name, reason))

    def _references(self) -> None:
        for name in self.read.fields:
            aim = self.target.fields[name]
            if aim.kind != "reference":
                continue
            entity = str(aim.entity)
            by, system = self.read.reference(name)
            record, key = f'"r_{name}"', f's."{name}"'
            if by == EXTERNAL_ID:
                told = self._external_join(f"e_{name}", target(entity).entity, str(system), key)
                holder = self._holder(f"e_{name}", entity, told, key)
                self._joins.append(f"LEFT JOIN {table_of(entity)} {record} ON {record}.id = {holder}")
                if is_deletable(entity):
                    self._refuse(
                        f"{record}.deleted_at IS NOT NULL", name, f"'the {entity} ' || {_shown(key)} || ' is deleted'"
                    )
                missing = f"'no {entity} has the external id ' || {_shown(key)} || ' in the system ' || {told}"
            else:
                self._joins.append(f"LEFT JOIN {table_of(entity)} {record} ON {_same(entity, record, key)}")
                missing = f"'no {entity} has the {by} ' || {_shown(key)}"
            self._refuse(f"{key} IS NOT NULL AND {record}.id IS NULL", name, missing)
        self._belonging()

    def _belonging(self) -> None:
        """A contact, order or opportunity that a row names must be of the row's own customer."""
        if "customer" not in self.target.fields:
            return
        customer = '"r_customer".id' if "customer" in self.read.fields else "t.customer_id"
        for name in ("contact", "order", "opportunity"):
            if name in self.read.fields and name in self.target.fields:
                self._refuse(
                    f'"r_{name}".customer_id <> {customer}',
                    name,
                    f"'the {name} ' || {_shown(_staged(name))} || ' is of another customer'",
                )

    def _external_join(self, alias: str, entity: str, system: str, key: str) -> str:
        """Join the external references of live records in one system; returns the system as SQL."""
        told = self._bind(system)
        self._joins.append(
            f'LEFT JOIN external_refs "{alias}" ON "{alias}".entity = \'{entity}\' AND "{alias}".system = {told}'
            f' AND "{alias}".external_id = {key} AND "{alias}".live'
        )
        return told

    def _holder(self, alias: str, name: str, told: str, key: str) -> str:
        """The record that ``alias`` has found; without a live one, the latest of the deleted ones that had the id."""
        if not is_deletable(name):
            return f'"{alias}".record_id'
        self._joins.append(
            "LEFT JOIN (SELECT DISTINCT ON (external_id) external_id, record_id FROM external_refs"
            f" WHERE entity = '{target(name).entity}' AND system = {told} AND NOT live"
            f' ORDER BY external_id, record_id DESC) "{alias}_deleted" ON "{alias}_deleted".external_id = {key}'
        )
        return f'coalesce("{alias}".record_id, "{alias}_deleted".record_id)'

    def _match(self) -> None:
        """Find the present record of each row, by external id, natural key, or both."""
        aim, table = self.target, self.target.table
        if aim.name == "order-line":
            # Positions are not unique, so the first line of a position is the one that is meant.
            self._joins.append(
                'LEFT JOIN LATERAL (SELECT * FROM order_lines o WHERE o.order_id = "r_order".id'
                " AND o.position = s.position ORDER BY o.id LIMIT 1) t ON true"
            )
            self._absent("position", "'its order has no line at this position'")
            return
        if aim.name == "rates":
            # Rates have no ids: a made-up one stands for that of the one that is there.
            self._joins.append(
                "LEFT JOIN LATERAL (SELECT o.*, md5(o.currency || o.day)::uuid AS id FROM exchange_rates o"
                " WHERE o.currency = s.currency AND o.day = s.day) t ON true"
            )
            self._absent("day", "'there is no rate of this currency and day'")
            if self.shop_currency is not None:
                said = "s.currency || ' is the shop''s own currency: its rate is always 1'"
                self._refuse(f"s.currency = {self._bind(self.shop_currency)}", "currency", said)
            return
        ids, holder = [], ""
        if self.read.external_id is not None:
            told = self._external_join("e", aim.entity, str(self.read.system), "s._external")
            holder = self._holder("e", aim.name, told, "s._external")
            ids.append(holder)
        if aim.natural_key in self.read.fields:
            self._joins.append(f"LEFT JOIN {table} n ON {_same(aim.name, 'n', _staged(str(aim.natural_key)))}")
            ids.append("n.id")
        self._joins.append(f"LEFT JOIN {table} t ON t.id = coalesce({', '.join(ids)})")
        key = "_external" if self.read.external_id is not None else str(aim.natural_key)
        shown = _shown(f's."{key}"')
        if self.read.external_id is not None:
            if aim.deletable:
                self._refuse(
                    "t.deleted_at IS NOT NULL",
                    key,
                    f"'the {aim.name} ' || {shown} || ' was deleted here: restore it to import it again'",
                )
            self._refuse(
                f"{holder} IS NOT NULL AND t.id IS NULL",
                key,
                f"'the {aim.name} ' || {shown} || ' was removed here for good'",
            )
            if len(ids) == 2:
                own = str(aim.natural_key)
                taken = f"'another {aim.name} has the {own} ' || {_shown(_staged(own))}"
                self._refuse(f"{holder} <> n.id", own, taken)
        self._absent(key, f"'there is no {aim.name} ' || {shown}")
        for number, ref in enumerate(self.read.refs):
            alias, value = f"x{number}", f"s._ref{number}"
            self._external_join(alias, aim.entity, ref.system, value)
            self._refuse(
                f'"{alias}".record_id IS DISTINCT FROM t.id AND "{alias}".record_id IS NOT NULL',
                f"_ref{number}",
                f"'another {aim.name} has the external id ' || {_shown(value)}",
            )

    def _absent(self, key: str, reason: str) -> None:
        if self.read.absent == "reject":
            self._refuse("t.id IS NULL", key, reason)

    def _natural_key(self) -> str:
        natural = self.target.natural_key
        if natural is None or natural not in self.read.fields:
            return "NULL::text"
        return f's."{natural}"' if self.target.name != "user" else "lower(s.email)"

    def _cases(self) -> str:
        if self.target.name == "opportunity" and {"stage", "closed_at"} <= set(self.read.fields):
            self._refuse(
                """s.closed_at IS NOT NULL AND "r_stage".kind = 'OPEN'""",
                "closed_at",
                "'must be empty while the stage is open'",
            )
        return _cases(self._problems)

    def _value_checks(self) -> str:
        """Problems that show only once the values are known."""
        checks = []
        for effect in self.effects:
            name = effect.column.removeprefix("_").removesuffix("_id")
            if effect.required:
                told = "'is required: ' || " + f"'{_NEEDS.get(name, name + ' must have a value')}'"
                checks.append((f'a."{effect.column}" IS NULL', name, told))
            if effect.money:
                checks.append(
                    (
                        f'scale(trim_scale(a."{effect.column}")) > currency_scale(a.currency)',
                        name,
                        f"'has more decimals than ' || a.currency || ' (' || currency_scale(a.currency) || '): '"
                        f' || a."{effect.column}"',
                    )
                )
        if self.target.name == "order":
            checks.append(
                (
                    "a.discount > a.subtotal + a.shipping_fee",
                    "discount",
                    "'is more than the order''s lines and shipping fee ('"
                    " || round(a.subtotal + a.shipping_fee, currency_scale(a.currency))"
                    " || '): import the discount with the order-lines'",
                )
            )
            if "currency" in self.read.fields:
                checks.append(
                    (
                        "EXISTS (SELECT FROM order_lines l WHERE l.order_id = a._known AND l.currency <> a.currency)",
                        "currency",
                        "'cannot become ' || a.currency || ': the order has lines in another currency'",
                    )
                )
        return _cases(checks)

    def _grouped(self, checked: str, refs: list[str], has_old: bool) -> str:
        """Find the rows that speak of one record: the first is its head, the others repeat it."""
        aim, external = self.target, self.read.external_id is not None
        key, told = ("_external", "_external") if external else ("_natural", str(aim.natural_key))
        same = "external id" if external else told
        record = f"CASE WHEN _known IS NULL THEN {key} END, _known"
        if aim.composite_key:
            record = ", ".join(aim.fields[name].column for name in aim.composite_key)
            told, same = aim.composite_key[-1], " and ".join(aim.composite_key)
        distinct = self._without_twins(checked, refs)
        windowed = (
            "SELECT d.*, first_value(_line) OVER w AS _first, first_value(_new) OVER w AS _first_new"
            f" FROM ({distinct}) d WINDOW w AS (PARTITION BY {record}, _refused IS NULL ORDER BY _line)"
        )
        repeated = f"ARRAY['{told}', 'line ' || _first || ' has the same {same}']"
        refused = f"CASE WHEN _refused IS NULL AND _first <> _line THEN {repeated} ELSE _refused END"
        columns = [
            "_line, coalesce(_known, _first_new), _known IS NULL, _first = _line",
            refused if self.read.repeated == "reject" else "_refused",
            "_external",
            *refs,
            *(["_history, _old"] if has_old else []),
            *(f'round("{e.column}", currency_scale(currency))' if e.money else f'"{e.column}"' for e in self.effects),
        ]
        return f"SELECT {', '.join(columns)} FROM ({windowed}) e ORDER BY _line"

    def _without_twins(self, checked: str, refs: list[str]) -> str:
        """Refuse rows whose natural key or further external id an earlier row has already given to another record."""
        if self.read.external_id is None:
            return checked
        natural = self.target.natural_key
        twins = [("_natural", natural, natural)] if natural in self.read.fields else []
        twins += [(ref, ref, "external id") for ref in refs]
        if not twins:
            return checked
        columns, windows, cases = [], [], []
        for column, told, same in twins:
            windows.append(f"w{column} AS (PARTITION BY {column}, _refused IS NULL ORDER BY _line)")
            columns.append(f"first_value(_external) OVER w{column} AS _twin{column}")
            columns.append(f"first_value(_line) OVER w{column} AS _first{column}")
            cases.append(
                (
                    f"{column} IS NOT NULL AND _twin{column} <> _external",
                    str(told),
                    f"'line ' || _first{column} || ' has the same {same}'",
                )
            )
        windowed = f"SELECT b.*, {', '.join(columns)} FROM ({checked}) b WINDOW {', '.join(windows)}"
        names = ["_line", "_new", "_external", *refs, "_known", "_natural"]
        names += ["_history", "_old"] if self.target.name in STATES else []
        names += [f'"{effect.column}"' for effect in self.effects]
        return f"SELECT {', '.join(names)}, coalesce(_refused, {_cases(cases)}) AS _refused FROM ({windowed}) c"


_NEEDS = {
    "amount": "amount must have a value, or product one whose price is in the same currency",
    "unit_price": "unit_price must have a value, or product one whose price is in the order''s currency",
    "currency": "currency must have a value, or product one whose currency stands in",
    "sku": "sku must have a value, or product one to copy it from",
    "name": "name must have a value, or product one to copy it from",
    "probability": "probability must have a value, or stage one that has",
}


def _cases(problems: list[tuple[str, str, str]]) -> str:
    if not problems:
        return "NULL::text[]"
    return "CASE " + " ".join(f"WHEN {c} THEN ARRAY['{name}', {reason}]" for c, name, reason in problems) + " END"


def _same(entity: str, record: str, key: str) -> str:
    """SQL that a record has the natural key ``key``; deleted ones have none."""
    if entity == "user":
        return f"lower({record}.email) = lower({key})"
    alive = f" AND {record}.deleted_at IS NULL" if is_deletable(entity) else ""
    return f"{record}.{NATURAL_KEYS[entity]} = {key}{alive}"
