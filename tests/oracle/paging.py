"""Going through connections page by page, and windows between two cursors."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from uuid import UUID

from graphql import GraphQLEnumType
from hypothesis import strategies as st

from tests.oracle.checks import PLURAL
from tests.oracle.compare import Post, check
from tests.oracle.execute import Oracle
from tests.oracle.filters import Chooser, Filters
from tests.oracle.operation import Operation
from tests.oracle.pages import field_of
from tests.oracle.rows import TO_MANY, typed_id

Term = Mapping[str, str]
"""An order term as it goes over the wire: ``{"field": "NAME", "direction": "DESC"}``."""

Pause = Callable[[int], Awaitable[None]]


async def walk(
    post: Post,
    caller: UUID,
    root_field: str,
    order: Sequence[Term],
    size: int,
    *,
    direction: Literal["first", "last"] = "first",
    where: dict[str, Any] | None = None,
    between: Pause | None = None,
    most_pages: int = 1000,
) -> list[str]:
    """The typed ids that one sees from the one end of a connection to the other, in the order in which pages show them.

    ``first`` goes forward from the top by endCursor, ``last`` backward from the bottom by startCursor; then the list
    is the reverse of the order. ``between`` is awaited with the number of pages seen, before each further page.
    """
    entity = PLURAL[root_field]
    place = "after" if direction == "first" else "before"
    document = (
        f"query Walk($size: Int!, $place: String, $order: [{entity}Order!], $where: {entity}Filter) {{"
        f" list: {root_field}({direction}: $size, {place}: $place, orderBy: $order, where: $where) {{"
        " nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
    )
    found: list[str] = []
    cursor: str | None = None
    for pages in range(1, most_pages + 1):
        variables: dict[str, Any] = {"size": size, "order": list(order), "place": cursor}
        if where is not None:
            variables["where"] = where
        answer = await post(document, variables, "Walk", caller)
        assert not answer.get("errors"), answer["errors"]
        page = answer["data"]["list"]
        ids = [node["id"] for node in page["nodes"]]
        assert len(ids) <= size
        found += ids if direction == "first" else ids[::-1]
        info = page["pageInfo"]
        if not info["hasNextPage" if direction == "first" else "hasPreviousPage"]:
            return found
        assert ids, "A page that promises another one is empty."
        cursor = info["endCursor" if direction == "first" else "startCursor"]
        if between is not None:
            await between(pages)
    raise AssertionError(f"After {most_pages} pages there is no end.")


PLAIN = ("comments", "apiTokens")
"""Connections that take neither filters nor orders."""


@dataclass(frozen=True)
class Window:
    """A part of one connection: between the rows at two places, and so many from its one end."""

    entity: str
    field: str
    parent: str | None
    """The typed id of the record that the connection hangs on; None for a root field."""
    order: Sequence[Term]
    args: dict[str, Any] = field(default_factory=dict)
    """``where``, ``search`` and ``includeDeleted``."""
    after: float | None = None
    before: float | None = None
    """Places as parts of the whole list: 0 is its first row, 1 its last. Absent: no cursor."""
    size: int | None = None
    last: bool = False

    def document(self) -> str:
        """An operation that shows a window and all cursors in it."""
        filter_ = f", $where: {self.entity}Filter, $order: [{self.entity}Order!]"
        extra = "where: $where, orderBy: $order"
        if self.field in PLAIN:
            filter_ = extra = ""
        if self.entity == "AuditEvent":
            filter_, extra = f", $where: {self.entity}Filter", "where: $where"
        elif self.parent is None and self.field not in PLAIN:
            filter_ += ", $search: String"
            extra += ", search: $search"
            if self.entity not in ("Order", "User"):
                filter_ += ", $deleted: Boolean! = false"
                extra += ", includeDeleted: $deleted"
        inner = (
            f"list: {self.field}(first: $first, last: $last, after: $after, before: $before {extra})"
            " { totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage } %s }"
        )
        if self.parent is not None:
            owner = next(e for e, many in TO_MANY.items() if self.field in many)
            inner = f"node(id: $parent) {{ ... on {owner} {{ {inner} }} }}"
            filter_ += ", $parent: ID!"
        return f"query W($first: Int, $last: Int, $after: String, $before: String{filter_}) {{ {inner} }}"

    def variables(self) -> dict[str, Any]:
        """All variables but those of the page."""
        found: dict[str, Any] = {}
        if self.field not in PLAIN:
            if self.entity != "AuditEvent":
                found["order"] = list(self.order)
            if "where" in self.args:
                found["where"] = self.args["where"]
        if self.parent is None:
            found |= {"search": self.args["search"]} if "search" in self.args else {}
            if self.entity not in ("Order", "User") and self.args.get("includeDeleted"):
                found["deleted"] = True
        else:
            found["parent"] = self.parent
        return found


async def check_window(post: Post, oracle: Oracle, window: Window, caller: UUID) -> None:
    """Fetch the cursors of the whole connection from the server, then compare the window between two of them."""
    everything = window.document() % "edges { cursor node { id } }"
    answer = await post(everything, window.variables() | {"first": 200}, "W", caller)
    if answer.get("errors") or not (answer["data"] or {}).get("list" if window.parent is None else "node"):
        await check(post, oracle, Operation(window.document() % "", window.variables(), "W"), caller)
        return
    edges = (answer["data"] if window.parent is None else answer["data"]["node"])["list"]["edges"]
    cursors = {edge["cursor"]: UUID(edge["node"]["id"].partition("_")[2]) for edge in edges}
    assert len(cursors) == len(edges), "Two rows have one cursor."
    variables = window.variables()
    for name, part in (("after", window.after), ("before", window.before)):
        if part is not None and edges:
            variables[name] = edges[round(part * (len(edges) - 1))]["cursor"]
    if window.size is not None:
        variables["last" if window.last else "first"] = window.size
    await check(post, oracle, Operation(window.document() % "", variables, "W"), caller, cursors)


@st.composite
def windows(draw: st.DrawFn, oracle: Oracle, caller: UUID) -> Window:
    """Windows of connections that the caller may ask for, at the root and below a record."""
    rights = oracle.rights(caller)
    nested = [
        (e, f, t)
        for e, many in TO_MANY.items()
        for f, (t, _) in many.items()
        if t in (*PLURAL.values(), "TicketComment")
    ]
    choices: list[tuple[str | None, str, str]] = [(None, f, e) for f, e in PLURAL.items() if rights.has(e)]
    choices += [c for c in nested if c[0] != "Team" and rights.has(c[0]) and rights.has(c[2])]
    owner, name, entity = draw(st.sampled_from(choices or [(None, "products", "Product")]))
    parent = None
    if owner is not None:
        seen = [row for row in oracle.rows.all(owner) if rights.visible(row)]
        seen.sort(key=lambda row: (-len(oracle.rows.many(row, name)), row.id))
        parent = typed_id(draw(st.sampled_from(seen[:8]))) if seen else None
        if parent is None:
            name, entity = "products", "Product"
    order: list[dict[str, str]] = []
    if name not in (*PLAIN, "auditEvents"):
        every = cast(GraphQLEnumType, oracle.schema.type_map[f"{entity}OrderField"]).values
        values = [term for term in every if not rights.never_read(entity, field_of(term))] or ["CREATED_AT"]
        terms = st.fixed_dictionaries({"field": st.sampled_from(values), "direction": st.sampled_from(("ASC", "DESC"))})
        order = draw(st.lists(terms, max_size=3))
    filters = Filters(Chooser(draw(st.binary(min_size=8, max_size=8))), oracle, rights)
    args: dict[str, Any] = {}
    if name not in PLAIN and draw(st.integers(0, 2)) == 2:
        args["where"] = filters.where(entity, 2)
    if parent is None and rights.has(entity, "restore") and draw(st.booleans()):
        args["includeDeleted"] = True
    place = st.none() | st.floats(0, 1, width=16)
    return Window(
        entity,
        name,
        parent,
        order,
        args,
        after=draw(place),
        before=draw(place),
        size=draw(st.none() | st.integers(1, 12)),
        last=draw(st.booleans()),
    )
