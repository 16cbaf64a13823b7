"""Generated operations: valid by the schema, mostly meaningful to the caller, and as odd as GraphQL lets them be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import GraphQLNonNull, GraphQLObjectType, get_named_type, is_composite_type, is_non_null_type
from hypothesis import strategies as st

from tests.oracle.checks import ACTIONS, PLAIN, PLURAL, SINGLE
from tests.oracle.conditions import forbidden_search
from tests.oracle.execute import Oracle
from tests.oracle.filters import Chooser, Filters
from tests.oracle.operation import Operation
from tests.oracle.rows import NODES, TABLES, TO_MANY, TO_ONE, Row, typed_id
from tests.oracle.writing import Values

DEEPEST = 9
MOST_ALIASES = 36
MOST_FIELDS = 120
PLAIN_LIST = 20
"""Rows that a list without pages is reckoned at."""
MOST_ROWS = 4_000
"""Rows that an operation may touch by its own reckoning, well below the server's limit."""

LONG = "a_name_of_sixty_three_characters_which_is_the_most_that_is_allow"[:62]
ALIASES = (
    *("x", "rn", "_", "n", "json_agg", "data", "nodes", "row", "node", "edges", "totalCount", "pageInfo", "cursor"),
    *("id", "name", "owner", "customer", "key", "value", "row_number", "t", "order", "select", "null", "true", "on"),
    *(LONG + "1", LONG + "2", LONG, "A", "a", "_1", "coalesce"),
)
CURSORS = ("cursor", "startCursor", "endCursor")
"""Never asked for here: no two programs write the same cursor."""


@dataclass
class _Use:
    """What a response key already stands for."""

    name: str
    args: str
    below: "_Scope | None"


@dataclass
class _Scope:
    """One place in the answer: what its response keys stand for, however many fragments they come from."""

    type: Any
    used: dict[str, _Use] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    """Response keys that stand for leaves of some type, or for objects, where the same place has another type."""
    kinds: "dict[str, _Scope]" = field(default_factory=dict)
    """Of an interface: the scopes of the types that are asked for."""


@dataclass(frozen=True)
class _Fragment:
    """A finished fragment, and what it adds wherever it is spread."""

    name: str
    used: dict[str, _Use]
    aliases: int
    rows: int
    height: int


class _Writer:
    def __init__(self, seed: bytes, plenty: int, oracle: Oracle, caller: UUID | None) -> None:
        self.choose, self.plenty = Chooser(seed), plenty
        self.oracle, self.schema = oracle, oracle.schema
        self.rights = oracle.rights(caller) if caller else None
        self.filters = Filters(self.choose, oracle, self.rights)
        self.values = Values(self.choose)
        self.fragments: list[str] = []
        self.reusable: dict[str, list[_Fragment]] = {}
        self.aliases = self.rows = self.fields = self.deepest = 0

    @property
    def wild(self) -> bool:
        return self.filters.wild

    # The operation

    def operation(self) -> Operation:
        query: Any = self.schema.query_type
        scope, selections = _Scope(query), []
        for _ in range(1 + (self.choose.below(self.plenty) if self.choose.chance(40) else 0)):
            self.filters.wild, self.filters.broken = self.choose.chance(9), self.choose.chance(4)
            text = self.root(scope)
            if text and self.choose.chance(8):
                text = f"...{self.choose.pick((' on Query', ''))}{self.directive()} {{ {text} }}"
            selections.append(text or "__typename")
        body = f"{{ {' '.join(selections)} }}"
        definitions = f"({', '.join(self.values.definitions)})" if self.values.definitions else ""
        name = self.choose.pick(("", "Ask", "query", "_"))
        head = "" if not name and not definitions and self.choose.chance(50) else f"query {name}{definitions} "
        parts = [head + body, *self.fragments]
        if name and self.choose.chance(15):
            parts.append("query Unasked { __typename }")
        if self.choose.chance(30):
            parts.reverse()
        needed = any(part.startswith("query Unasked") for part in parts)
        given = name if name and (needed or self.choose.chance(50)) else None
        return Operation("\n".join(parts), self.values.variables or None, given)

    def root(self, scope: _Scope) -> str:
        choose = self.choose
        kind = choose.pick(("list",) * 12 + ("single", "single", "node", "nodes", "plain", "viewer", "shop"))
        if kind in ("node", "nodes", "viewer", "shop"):
            return self.field(scope, kind, DEEPEST, 1)
        names = {"list": PLURAL, "single": SINGLE, "plain": PLAIN}[kind]
        allowed = [n for n, e in names.items() if self.wild or self.rights is None or self.rights.has(e)]
        return self.field(scope, choose.pick(allowed), DEEPEST, 1) if allowed else ""

    # Selections

    def select(self, scope: _Scope, depth: int, rows: int) -> str:
        self.deepest = min(self.deepest, depth)
        if not isinstance(scope.type, GraphQLObjectType):
            return self.select_node(scope, depth, rows)
        if spread := self.reuse(scope, depth, rows):
            return f"{{ {spread} }}" if self.choose.chance(50) else f"{{ {spread} {self.some(scope, depth, rows)} }}"
        return f"{{ {self.some(scope, depth, rows)} }}"

    def some(self, scope: _Scope, depth: int, rows: int) -> str:
        """One or more selections."""
        choose = self.choose
        found = []
        for name in self.names(scope, depth, rows):
            text = self.field(scope, name, depth, rows)
            if text and choose.chance(9):
                text = self.wrap(scope, text, depth, rows)
            if text:
                found.append(text)
            if text and choose.chance(4):
                found.append(self.field(scope, name, depth, rows))
        if choose.chance(10) or not any(found):
            found.append(self.typename(scope))
        return " ".join(filter(None, found))

    def names(self, scope: _Scope, depth: int, rows: int) -> list[str]:
        choose, fields = self.choose, scope.type.fields
        if scope.type.name.endswith("Connection"):
            odds = {"nodes": 75, "edges": 25, "pageInfo": 40, "totalCount": 40}
            return [name for name in odds if choose.chance(odds[name])] or ["nodes"]
        if scope.type.name.endswith("Edge"):
            return ["node"]
        allowed = [name for name in fields if name not in CURSORS and self.askable(scope.type.name, name)]
        leaves = [name for name in allowed if not is_composite_type(get_named_type(fields[name].type))]
        deep = [name for name in allowed if name not in leaves]
        found = []
        for _ in range(1 + choose.below(2 * self.plenty) if self.fields < MOST_FIELDS else 1):
            below = deep and depth > 3 and rows < MOST_ROWS and self.rows < MOST_ROWS and choose.chance(35)
            if below or leaves or (deep and depth > 1):
                found.append(choose.pick(deep if below or not leaves else leaves))
        return found

    def askable(self, type_: str, name: str) -> bool:
        """Whether the caller may ask for the field; a wild root does not care."""
        rights = self.rights
        if name == "viewerCan":
            return True
        if self.wild or rights is None or type_ not in TABLES or type_ in ("Grant", "FieldGrant") or name == "id":
            users = {("Viewer", "user"), ("Viewer", "impersonator"), ("Viewer", "sessions"), ("Session", "user")}
            return (type_, name) not in users or self.wild or rights is None or rights.has("User")
        if name == "history":
            return rights.has(type_, "history")
        target = TO_ONE.get(type_, {}).get(name) or TO_MANY.get(type_, {}).get(name, (None,))[0]
        parent: Any = self.schema.type_map[type_]
        open_ = target in (None, "Grant") or rights.has(target) or not is_non_null_type(parent.fields[name].type)
        return open_ and not rights.hidden(type_, name)

    def select_node(self, scope: _Scope, depth: int, rows: int) -> str:
        """A selection on the interface."""
        choose = self.choose
        scope.others = self.taken(scope.kinds.values(), scope)
        common = [self.typename(scope)] if choose.chance(50) else []
        common += [self.field(scope, "id", depth, rows)] if choose.chance(60) else []
        likely = [e for e in NODES if self.rights is None or self.rights.has(e)] or list(NODES)
        for _ in range(1 + choose.below(4)):
            name = choose.pick(likely)
            kind = scope.kinds.setdefault(name, _Scope(self.schema.type_map[name]))
            kind.used.update(scope.used)
            kind.others = self.taken((other for other in scope.kinds.values() if other is not kind), kind)
            inner = self.some(kind, depth, rows)
            text = f"... on {name}{self.directive() if choose.chance(8) else ''} {{ {inner} }}"
            common.append(f"... on Node {{ {text} }}" if choose.chance(10) else text)
        return f"{{ {' '.join(common)} }}"

    def taken(self, others: Iterable[_Scope], scope: _Scope) -> dict[str, str]:
        """What the response keys of other scopes at the same place stand for."""
        return {key: self.shape(other, key) for other in others for key in other.used if key not in scope.used}

    def shape(self, scope: _Scope, key: str) -> str:
        use = scope.used[key]
        if use.name == "__typename":
            return "String!"
        type_ = scope.type.fields[use.name].type
        return "object" if is_composite_type(get_named_type(type_)) else str(type_)

    def typename(self, scope: _Scope) -> str:
        return self.field(scope, "__typename", 1, 1)

    # Fragments and directives

    def wrap(self, scope: _Scope, text: str, depth: int, rows: int) -> str:
        """The same selection by way of a fragment."""
        name = scope.type.name
        kind = self.choose.pick(("inline", "inline", "named", "node"))
        if kind == "named":
            fragment = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {fragment} on {name} {{ {text} }}")
            return f"...{fragment}{self.directive()}"
        if kind == "node" and name in NODES:
            return f"... on Node {{ ... on {name}{self.directive()} {{ {text} }} }}"
        return f"...{self.choose.pick((f' on {name}', ''))}{self.directive()} {{ {text} }}"

    def reuse(self, scope: _Scope, depth: int, rows: int) -> str:
        """Now and then, a fragment that may be spread in several places: an older one, or a new one."""
        choose, name = self.choose, scope.type.name
        if scope.used or scope.others or name not in TABLES or not choose.chance(9):
            return ""
        older = [f for f in self.reusable.get(name, ()) if self.fits(f, depth, rows)]
        if older and choose.chance(70):
            found = choose.pick(older)
            self.aliases += found.aliases
            self.rows += found.rows * rows
        elif self.wild:
            return ""
        else:
            before = self.aliases, self.rows
            fresh, self.deepest = _Scope(scope.type), depth
            text = self.some(fresh, min(depth, 5), rows)
            cost = (self.rows - before[1]) // rows + 1
            found = _Fragment(
                f"R{len(self.fragments)}", fresh.used, self.aliases - before[0], cost, depth - self.deepest
            )
            self.fragments.append(f"fragment {found.name} on {name} {{ {text} }}")
            self.reusable.setdefault(name, []).append(found)
        scope.used.update(_copied(found.used))
        return f"...{found.name}{self.directive() if choose.chance(15) else ''}"

    def fits(self, fragment: _Fragment, depth: int, rows: int) -> bool:
        return (
            fragment.height < depth
            and self.aliases + fragment.aliases <= MOST_ALIASES
            and self.rows + fragment.rows * rows <= MOST_ROWS
        )

    def directive(self) -> str:
        choose = self.choose
        if choose.chance(50):
            return ""
        include = choose.chance(60)
        value = include if choose.chance(75) else not include
        boolean: Any = self.schema.type_map["Boolean"]
        text = self.values.variable(GraphQLNonNull(boolean), value) if choose.chance(50) else str(value).lower()
        return f" @{'include' if include else 'skip'}(if: {text})"

    # Fields

    def field(self, scope: _Scope, name: str, depth: int, rows: int) -> str:
        """One field, under a response key that fits what is there; empty if there is none to be had."""
        definition = None if name == "__typename" else scope.type.fields[name]
        target: Any = get_named_type(definition.type) if definition else None
        composite = definition is not None and is_composite_type(target)
        shape = "object" if composite else str(definition.type) if definition else "String!"
        same = [key for key, use in scope.used.items() if use.name == name]
        if same and (not definition or not definition.args or self.choose.chance(25)):
            key = self.choose.pick(same)
            if key != name and self.aliases >= MOST_ALIASES:
                return ""
            use, size = scope.used[key], PLAIN_LIST
        else:
            args, size = self.args(scope, name, definition, rows)
            key = self.key(scope, name, shape)
            if not key:
                return ""
            use = scope.used[key] = _Use(name, args, _Scope(target) if composite else None)
        text = f"{key}: {name}{use.args}" if key != name else f"{name}{use.args}"
        self.aliases += key != name
        self.fields += 1
        text += self.directive() if self.choose.chance(5) else ""
        if use.below is None:
            return text
        if target.name in TABLES and not _listed(definition.type):
            size = 1
        self.rows += rows * size
        below = rows * (size if target.name.endswith("Connection") or _listed(definition.type) else 1)
        return f"{text} {self.select(use.below, depth - 1, below)}"

    def key(self, scope: _Scope, name: str, shape: str) -> str:
        """A free response key: the field's own name, or an alias."""

        def free(key: str) -> bool:
            other = scope.others.get(key)
            return key not in scope.used and (other is None or (other == shape != "object"))

        if free(name) and not self.choose.chance(12):
            return name
        if self.aliases >= MOST_ALIASES:
            return name if free(name) else ""
        key = self.choose.pick(ALIASES)
        while not free(key):
            number = len(scope.used) + len(scope.others) + self.choose.below(99)
            key = f"{self.choose.pick(('x', 'n', 'k', 'row'))}{number}"
        return key

    # Arguments

    def args(self, scope: _Scope, name: str, definition: Any, rows: int) -> tuple[str, int]:
        """Arguments as text, and how many rows they let through at most."""
        if definition is None or not definition.args:
            return "", PLAIN_LIST
        given: dict[str, Any] = {}
        size = 1
        if scope.type.name == "Query" and name in SINGLE:
            given = self.single(SINGLE[name], definition)
        elif name == "viewerCan":
            given = {"action": self.action(scope.type.name)}
        elif name in ("node", "nodes"):
            ids = self.node_ids()
            given = {"id": ids[0]} if name == "node" else {"ids": ids}
            size = len(ids)
        else:
            entity = get_named_type(definition.type).name.removesuffix("Connection")
            given, size = self.page(entity, definition, rows)
        texts = []
        for arg, value in given.items():
            type_ = definition.args[arg].type
            text = self.values.text(type_, value, often=30)
            texts.append(f"{arg}: {text}")
        for arg in definition.args:
            type_ = definition.args[arg].type
            if arg not in given and not is_non_null_type(type_) and self.choose.chance(2):
                texts.append(f"{arg}: {self.values.absent(type_)}")
        return f"({', '.join(texts)})" if texts else "", size

    def action(self, entity: str) -> str:
        """Mostly an action that somebody has on the entity; now and then one that there is not."""
        known = ACTIONS[entity].split()
        return self.choose.pick((*known, "Update", "")) if self.filters.broken else self.choose.pick(tuple(known))

    def visible_ids(self, entity: str, *, deleted: bool = False) -> list[str]:
        """The ids of the rows that the caller sees."""
        rights = self.rights
        seen: Callable[[Row], bool] = rights.visible if rights else (lambda row: True)
        return [
            typed_id(row)
            for row in self.oracle.rows.all(entity)
            if seen(row) or (deleted and rights and rights.restorable(row))
        ]

    def single(self, entity: str, definition: Any) -> dict[str, Any]:
        deleted = self.deleted(entity, definition)
        among = self.visible_ids(entity, deleted=bool(deleted)) if self.choose.chance(85) else None
        return {"id": self.filters.id(entity, among)} | deleted

    def deleted(self, entity: str, definition: Any) -> dict[str, Any]:
        if "includeDeleted" not in definition.args or not self.choose.chance(25):
            return {}
        may = self.wild or self.rights is None or self.rights.has(entity, "restore")
        return {"includeDeleted": may and self.choose.chance(80)}

    def node_ids(self) -> list[str]:
        choose = self.choose
        found = []
        for _ in range(1 + choose.below(5)):
            entity = choose.pick(NODES)
            among = self.visible_ids(entity) if choose.chance(80) else None
            found.append(self.filters.id(entity, among))
        return found

    def page(self, entity: str, definition: Any, rows: int) -> tuple[dict[str, Any], int]:
        choose, args = self.choose, definition.args
        given: dict[str, Any] = {}
        most = 25 if rows == 1 else 8 if rows < 50 else 3
        size = 1 + choose.below(most)
        if choose.chance(70) or rows > 10:
            given["last" if choose.chance(30) and "last" in args else "first"] = size
        else:
            size = 25
        if self.filters.broken and choose.chance(40):
            given |= choose.pick(({"first": 0}, {"first": None}, {"last": 201}, {"last": -1}, {"first": 3, "last": 3}))
        if "last" not in args and "last" in given:
            given = {"first": 0}
        if "where" in args and choose.chance(65 if rows == 1 else 40):
            given["where"] = self.filters.where(entity, min(3, 1 + choose.below(2 * self.plenty)))
        if "orderBy" in args and choose.chance(50):
            given["orderBy"] = self.filters.order(entity)
            if choose.chance(8):
                given["orderBy"] = given["orderBy"][0]
        if "search" in args and choose.chance(25):
            search = self.filters.search(entity)
            if self.wild or self.rights is None or not forbidden_search(self.rights, entity, search):
                given["search"] = search
        for name in ("where", "orderBy", "search", "after", "before"):
            if name in args and name not in given and choose.chance(1):
                given[name] = None
        return given | self.deleted(entity, definition), size


def _copied(used: dict[str, _Use]) -> dict[str, _Use]:
    return {
        key: _Use(
            use.name, use.args, use.below and _Scope(use.below.type, _copied(use.below.used), dict(use.below.others))
        )
        for key, use in used.items()
    }


def _listed(type_: Any) -> bool:
    return "[" in str(type_)


@st.composite
def operations(draw: st.DrawFn, oracle: Oracle, caller: UUID | None) -> Operation:
    """Operations for that caller, most of which show something."""
    plenty = draw(st.integers(1, 4))
    return _Writer(draw(st.binary(min_size=8, max_size=8)), plenty, oracle, caller).operation()
