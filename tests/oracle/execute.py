"""The contract executed field by field, over rows in memory, with the rights of one caller."""

from collections.abc import Mapping
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from tests.oracle import checks, conditions, history, pages
from tests.oracle.asked import Collector
from tests.oracle.rights import Rights
from tests.oracle.rows import NODES, TO_MANY, TO_ONE, Row, Rows, typed_id
from tests.oracle.scalars import read_schema

SHOP = {"name": "Rapport Demo Shop", "currency": "EUR", "timezone": "Europe/Berlin", "locale": "en"}
REPOSITORY = Path(__file__).resolve().parents[2]
Answer = dict[str, Any]


def default_schema() -> GraphQLSchema:
    """The schema that the repository keeps; before it keeps one, the contract beside it."""
    kept = REPOSITORY / "schema" / "schema.graphql"
    return read_schema((kept if kept.exists() else REPOSITORY.parent / "shared" / "contract.graphql").read_text())


class RefusedError(GraphQLError):
    """A root field that is answered by an error alone."""

    def __init__(self, code: str) -> None:
        super().__init__(code, extensions={"code": code})


class Oracle:
    """Answers operations from ``rows`` as they stood at ``now``."""

    def __init__(
        self,
        rows: Rows,
        now: datetime,
        *,
        schema: GraphQLSchema | None = None,
        shop: Mapping[str, str] = SHOP,
    ) -> None:
        self.rows, self.now, self.shop = rows, now, shop
        self.schema = schema or default_schema()
        self._rights: dict[UUID, Rights] = {}

    def rights(self, caller: UUID) -> Rights:
        """The rights of that user, who is active."""
        if caller not in self._rights:
            self._rights[caller] = Rights(self.rows, caller, self.now)
        return self._rights[caller]

    def execute(
        self,
        document: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        caller: UUID | None = None,
        cursors: Mapping[str, UUID] | None = None,
    ) -> Answer:
        """The answer: ``data``, and ``errors`` as path and code (or another) where there are any."""
        parsed = parse(document)
        if wrong := validate(self.schema, parsed):
            scalar = any(error.original_error is not None for error in wrong)
            return _refusal("BAD_USER_INPUT" if scalar else "GRAPHQL_VALIDATION_FAILED")
        operation = get_operation_ast(parsed, operation_name)
        assert operation is not None, "The operation is not in the document."
        coerced = get_variable_values(self.schema, operation.variable_definitions or (), variables or {})
        if isinstance(coerced, list):
            return _refusal("BAD_USER_INPUT")
        fragments = {d.name.value: d for d in parsed.definitions if isinstance(d, FragmentDefinitionNode)}
        run = _Run(self, caller, cursors or {})
        run.check(operation, Collector(self.schema, fragments, coerced))
        result = execute_sync(
            self.schema,
            parsed,
            variable_values=variables or {},
            operation_name=operation_name,
            field_resolver=run.resolve,
            type_resolver=lambda row, *_: row.type,
        )
        for error in result.errors or ():
            if not error.path or run.refused.get(str(error.path[0])) is None:
                raise AssertionError(f"The oracle is broken at {error.path}: {error}") from error.original_error
        answer: Answer = {"data": result.data}
        if run.refused:
            answer["errors"] = [
                {"path": [key], "code": code, **({"or": "FORBIDDEN"} if key in run.forbidden_too else {})}
                for key, code in run.refused.items()
            ]
        return answer


def _refusal(code: str) -> Answer:
    return {"data": None, "errors": [{"path": [], "code": code}]}


class _Run:
    """One operation of one caller."""

    def __init__(self, oracle: Oracle, caller: UUID | None, cursors: Mapping[str, UUID]) -> None:
        self.oracle, self.rows, self.cursors = oracle, oracle.rows, cursors
        self.rights = oracle.rights(caller) if caller else None
        self.refused: dict[str, str] = {}
        self.forbidden_too: set[str] = set()
        """Root fields with a bad argument that are forbidden as well: which of the two is told is open."""

    # Before

    def check(self, operation: OperationDefinitionNode, collector: Collector) -> None:
        """Decide which root fields are refused, and why."""
        query = self.oracle.schema.query_type
        assert query is not None
        for key, nodes in collector.roots(query, operation.selection_set).items():
            if nodes[0].name.value == "__typename":
                continue
            if self.rights is None:
                if nodes[0].name.value != "viewer":
                    self.refused[key] = "UNAUTHENTICATED"
                continue
            if checks.closed(self.rights, nodes[0].name.value):
                self.refused[key] = "FORBIDDEN"
                continue
            try:
                asked = collector.asked(query, key, nodes)
            except GraphQLError:
                self.refused[key] = "BAD_USER_INPUT"
                continue
            if checks.bad_input(self.oracle.schema, asked, self._cursor):
                self.refused[key] = "BAD_USER_INPUT"
                if checks.forbidden(self.oracle.schema, self.rights, asked):
                    self.forbidden_too.add(key)
            elif checks.forbidden(self.oracle.schema, self.rights, asked):
                self.refused[key] = "FORBIDDEN"

    def _cursor(self, entity: str, cursor: str) -> Row | None:
        return self.rows.find(entity, self.cursors.get(cursor))

    # Resolving

    def resolve(self, source: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        """The value of one field."""
        name = info.field_name
        if info.parent_type.name == "Query":
            key = str(info.path.key)
            if key in self.refused:
                raise RefusedError(self.refused[key])
            return None if self.rights is None else self._root(name, args)
        if isinstance(source, Row):
            return self._field(source, name, args)
        return source[name]

    def _root(self, name: str, args: dict[str, Any]) -> Any:
        rights = self.rights
        assert rights is not None
        if name == "shop":
            return self.oracle.shop
        if name == "viewer":
            return {
                "user": rights.user,
                "impersonator": None,
                "secondFactor": {"enabled": False, "recoveryCodesLeft": 0},
                "sessions": [self._session(rights.user)],
                "token": None,
                "permissions": [self._meant(grant, "rows") for grant in self._grants(rights.role)],
            }
        if name == "node":
            return self._node(args["id"])
        if name == "nodes":
            return [self._node(id) for id in args["ids"]]
        if name in checks.SINGLE:
            return self._single(checks.SINGLE[name], args)
        if name in checks.PLURAL:
            entity = checks.PLURAL[name]
            deleted = args.get("includeDeleted", False)
            return self._connection(entity, [r for r in self.rows.all(entity) if self._seen(r, deleted)], args)
        if name == "slaPolicy":
            return self.rows.all("SlaPolicy")[0]
        return self._plain(name, [r for r in self.rows.all(checks.PLAIN[name]) if rights.visible(r)])

    def _session(self, user: Row) -> Answer:
        """The only session of each user of a test (see conftest)."""
        id = f"ses_{user.id.hex}"
        return {
            "__typename": "Session",
            "id": id,
            "user": user,
            "ip": None,
            "userAgent": None,
            "createdAt": datetime(2020, 1, 1, tzinfo=UTC),
            "lastUsedAt": datetime(2020, 1, 1, tzinfo=UTC),
            "current": True,
        }

    def _seen(self, row: Row, deleted: bool) -> bool:
        assert self.rights is not None
        return self.rights.visible(row) or (deleted and self.rights.restorable(row))

    def _node(self, id: str) -> Row | None:
        entity = checks.entity_of(id)
        return None if entity is None else self._single(entity, {"id": id})

    def _single(self, entity: str, args: dict[str, Any]) -> Row | None:
        row = self.rows.find(entity, conditions.parse_id(args["id"], entity))
        while row is not None and entity == "Customer" and row.merged_into_id is not None:
            row = self.rows.find(entity, row.merged_into_id)
        return row if row is not None and self._seen(row, args.get("includeDeleted", False)) else None

    def _field(self, row: Row, name: str, args: dict[str, Any]) -> Any:
        rights = self.rights
        assert rights is not None
        if row.type in ("Grant", "FieldGrant"):
            return self._grant(row, name)
        if name == "id":
            return typed_id(row)
        if name == "viewerCan":
            return rights.can(row, args["action"])
        if name == "history":
            return self._connection("AuditEvent", rights.history(row), args)
        if row.type == "AuditEvent" and name == "changes":
            return history.changes(rights, row) if rights.access(row, name) == "READ" else None
        if name == "externalRefs":
            return [{"system": system, "id": id} for system, id in row.refs]
        if name in TO_ONE.get(row.type, {}):
            return rights.one(row, name)
        if name == "grants":
            return self._grants(row)
        if name in TO_MANY.get(row.type, {}):
            target = TO_MANY[row.type][name][0]
            found = rights.many(row, name)
            return self._plain(name, found) if name in PLAIN_ORDERS else self._connection(target, found, args)
        value = rights.printed(row, name)
        if (row.type, name) in AMOUNTS and value is not None:
            currency = self.oracle.shop["currency"] if row.type == "Customer" else row.currency
            return {"amount": value, "currency": currency}
        return value

    def _grants(self, role: Row) -> list[Row]:
        return sorted(self.rows.many(role, "grants"), key=lambda grant: (grant.entity, grant.action))

    def _meant(self, row: Row, name: str) -> Row:
        """A grant as its caller has it, not as the role says it."""
        assert self.rights is not None
        found = copy(row)
        setattr(found, name, self.rights.meant(getattr(row, name)))
        found.meant = True
        return found

    def _grant(self, row: Row, name: str) -> Any:
        if name == "fields":
            fields = sorted(self.rows.many(row, "fields"), key=lambda field: field.position)
            return [self._meant(field, "on_rows") for field in fields] if hasattr(row, "meant") else fields
        return getattr(row, "on_rows" if name == "onRows" else name)

    def _plain(self, name: str, found: list[Row]) -> list[Row]:
        return sorted(found, key=lambda row: (*(getattr(row, column) for column in PLAIN_ORDERS[name]), row.id))

    def _connection(self, entity: str, found: list[Row], args: dict[str, Any]) -> Answer:
        rights = self.rights
        assert rights is not None
        where, search = args.get("where"), args.get("search")
        found = [row for row in found if where is None or conditions.matches(rights, entity, row, where)]
        if conditions.words(search):
            found = [row for row in found if conditions.found(rights, row, search)]
        terms = [(term["field"], term["direction"]) for term in args.get("orderBy") or ()] or pages.default(entity)
        page = pages.page(
            rights,
            found,
            terms,
            first=args.get("first"),
            last=args.get("last"),
            after=self._cursor(entity, args.get("after") or ""),
            before=self._cursor(entity, args.get("before") or ""),
        )
        cursors = [f"cursor of {typed_id(row)}" for row in page.rows]
        return {
            "nodes": page.rows,
            "edges": [{"cursor": c, "node": row} for c, row in zip(cursors, page.rows, strict=True)],
            "totalCount": page.total,
            "pageInfo": {
                "hasNextPage": page.has_next,
                "hasPreviousPage": page.has_previous,
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            },
        }


AMOUNTS = {
    ("Customer", "revenue"),
    ("Customer", "averageOrderValue"),
    ("Opportunity", "amount"),
    ("Opportunity", "weightedAmount"),
    ("Product", "price"),
    ("Order", "subtotal"),
    ("Order", "discount"),
    ("Order", "shippingFee"),
    ("Order", "total"),
    ("OrderLine", "unitPrice"),
    ("OrderLine", "total"),
}

PLAIN_ORDERS = {
    "stages": ("position",),
    "teams": ("name",),
    "roles": ("name",),
    "members": ("name",),
    "lines": ("position",),
    "stageChanges": ("changed_at",),
    "statusChanges": ("changed_at",),
}
"""The lists that are not connections, and the columns that they stand in order of, before id."""

assert set(checks.SINGLE.values()) < set(NODES)
