"""Every built-in role, the stranger first, on every entity and field by every path, against the policy table."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest

from app.models.enums import FieldAccess, RowScope
from auth.policy import ENTITIES, POLICY
from tests.api import Api, open_api
from tests.fingerprint import fingerprint
from tests.matrix import CALLERS, LISTS, Case, Refusal, accesses, cases, grant, never_read, rule, selection, together
from tests.nasty_shop import Shop
from tests.oracle.conditions import SEARCHED
from tests.oracle.rights import mask
from tests.oracle.rows import NODES, TABLES, Row, snake, typed_id

pytestmark = pytest.mark.anyio

UNLIMITED = {
    **{"max_depth": 50, "max_aliases": 5_000, "max_fields": 50_000, "max_cost": 10**9},
    **{"max_filter_terms": 10**6, "max_relation_filters": 10**6},
}


@pytest.fixture(scope="module")
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with open_api(shop.url, read_pool=2, **UNLIMITED) as api:
        yield api


@pytest.fixture(scope="module")
def ids(shop: Shop) -> dict[str, str]:
    """The typed id of a live row of every entity that ``node`` answers."""
    return {
        entity: next(typed_id(row) for row in shop.oracle.rows.all(entity) if not getattr(row, "deleted_at", None))
        for entity in NODES
    }


def all_cases(ids: dict[str, str]) -> Iterator[Case]:
    for role in CALLERS:
        yield from cases(role, ids)


def by_frame(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases that can be asked in one operation, together."""
    found: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        found[case.role, case.frame].append(case)
    return list(found.values())


class Secrets:
    """The values in the database by entity and field, as far as they can be told from other text."""

    def __init__(self, shop: Shop) -> None:
        self._rows = shop.oracle.rows
        self._known: dict[tuple[str, str], set[str]] = {}

    def of(self, entity: str, field: str) -> set[str]:
        found = self._known.get((entity, field))
        if found is None:
            values = (getattr(row, snake(field), None) for row in self._rows.all(entity))
            found = self._known[entity, field] = {text for value in values for text in _texts(value)}
        return found

    def all_of(self, entity: str) -> set[str]:
        return {text for field in ENTITIES[entity] for text in self.of(entity, field)}


def _texts(value: Any) -> list[str]:
    if isinstance(value, datetime | date):
        return [value.isoformat()[:10]]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    # Short ASCII words stand in messages by chance; names of roles stand there by right.
    worth = isinstance(value, str) and (len(value) > 5 or not value.isascii()) and not value.isupper()
    return [value] if worth else []


# The stranger


async def test_a_stranger_is_unauthenticated_on_every_entity_field_and_path(api: Api, ids: dict[str, str]) -> None:
    wrong = []
    for group in by_frame(cases("ADMIN", ids)):
        answer = await api.post(together(group), {"id": group[0].id})
        codes = [(error["extensions"]["code"], error["extensions"].get("reason")) for error in answer["errors"]]
        if any((answer["data"] or {}).values()) or codes != [("UNAUTHENTICATED", "missing")]:
            wrong.append(f"stranger / {', '.join(case.subject for case in group)} / {group[0].path}: {answer}")
    assert not wrong, "\n".join(wrong[:20])


async def test_a_stranger_learns_nothing_by_the_fields_that_are_no_entities(api: Api) -> None:
    assert (await api.post("{ viewer { user { id } permissions { entity } } }"))["data"] == {"viewer": None}
    answer = await api.post("{ shop { name } }")
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


# Allowed and refused


async def test_what_the_table_allows_is_answered_without_an_error_by_every_path(
    api: Api, shop: Shop, ids: dict[str, str]
) -> None:
    wrong = []
    allowed, through = [], dict[tuple[str, str, str], str]()
    for case in all_cases(ids):
        # One relation shows as well as another what may be had through it; only for roles of which rows decide much is
        # every one tried. Filters through relations, the dearest, are tried for one role of each kind.
        kind, passing, _ = case.path.partition(" through ")
        every = not passing or (kind == "select" and case.role in ("MANAGER", "SUPPORT"))
        if case.expected is not None or (
            kind == "filter" and case.role not in ("ADMIN", "MANAGER", "SUPPORT", "ANALYST")
        ):
            continue
        if every or through.setdefault((case.role, case.subject, kind), case.path) == case.path:
            allowed.append(case)
    for group in by_frame(allowed):
        role = group[0].role
        caller = shop.ids[CALLERS[role]]
        answers = [await api.post(together(group), {"id": id}, user=caller) for id in {case.id for case in group}]
        if all("errors" not in answer for answer in answers):
            continue
        for case in group:
            answer = await api.post(case.document, {"id": case.id}, user=caller)
            if "errors" in answer:
                wrong.append(f"{case}: allowed by the table, but {answer['errors']}")
        assert wrong, f"{role}: refused only together: {together(group)}: {answers}"
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])


async def test_what_the_table_refuses_is_forbidden_by_every_path_names_the_right_and_reveals_nothing(
    api: Api, shop: Shop, ids: dict[str, str]
) -> None:
    secrets, wrong, count = Secrets(shop), [], 0
    before = await fingerprint(shop.url)
    refused = [case for case in all_cases(ids) if case.expected is not None]
    # Where a whole entity is closed, all its fields are asked for at once: none of them may be answered.
    closed = [c for c in refused if c.expected and c.expected.field is None]
    groups = by_frame(closed) + [[case] for case in refused if case not in closed]
    for group in groups:
        case, count = group[0], count + len(group)
        assert case.expected is not None
        if any(other.expected != case.expected for other in group):
            groups += [[other] for other in group]
            continue
        response = await api.send(together(group), {"id": case.id}, user=shop.ids[CALLERS[case.role]])
        if problem := _not_refused(response.json(), case):
            wrong.append(f"{case}: {problem}: {response.text}")
        named = (case.expected.field,) if isinstance(case.expected.field, str) else case.expected.field
        hidden = (
            {text for field in named for text in secrets.of(case.expected.entity, field)}
            if named
            else secrets.all_of(case.expected.entity)
        )
        if shown := sorted(text for text in hidden if text in response.text):
            wrong.append(f"{case}: the refusal shows {shown}: {response.text}")
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:20])
    assert count > 1_000
    assert await fingerprint(shop.url) == before


def _not_refused(answer: Any, case: Case) -> str | None:
    assert case.expected is not None
    if any((answer.get("data") or {}).values()):
        return "data is there"
    errors = answer.get("errors", [])
    if len(errors) != 1 or errors[0].keys() != {"message", "locations", "path", "extensions"}:
        return "not one error of the usual shape"
    said, message = errors[0]["extensions"], errors[0]["message"]
    field = said.get("field")
    found = Refusal(said.get("entity", ""), tuple(field) if isinstance(field, list) else field)
    if (said["code"], said.get("action"), found) != ("FORBIDDEN", "read", case.expected):
        return f"expected FORBIDDEN to read {case.expected}"
    names = [case.role, case.expected.entity, *([field] if isinstance(field, str) else field or [])]
    return next((f"the message does not name {name}" for name in names if name not in message), None)


async def test_a_denial_leaves_the_other_root_fields_alone(api: Api, shop: Shop) -> None:
    answer = await api.post(
        '{ no: customer(id: "%s") { notes } yes: customer(id: "%s") { id } stages { id } }'
        % ((f"cus_{shop.ids['probe_1'].hex}",) * 2),
        user=shop.ids["marketing"],
    )
    assert answer["data"]["no"] is None
    assert answer["data"]["yes"]["id"] == f"cus_{shop.ids['probe_1'].hex}"
    assert answer["data"]["stages"]
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(["no"], "FORBIDDEN")]


# Masks and rows


def on(rows: RowScope, row: Row, caller: Row, shop: Shop) -> bool:
    """Whether a row is among those that a field's rule names, told from the raw rows."""
    if rows is RowScope.ALL:
        return True
    if rows is RowScope.ASSIGNED:
        customer = row.id if row.type == "Customer" else row.customer_id
        return any(
            ticket.customer_id == customer
            and ticket.assignee_id == caller.id
            and ticket.assigned_by_id not in (None, caller.id)
            and ticket.status != "CLOSED"
            and ticket.deleted_at is None
            for ticket in shop.oracle.rows.all("Ticket")
        )
    assert row.type == "User"
    return row.id == caller.id if rows is RowScope.OWN else row.team_id == caller.team_id


def partial_fields(role: str, entity: str) -> list[str]:
    """The fields that are not plainly READ, nor HIDDEN everywhere."""
    read, hidden = {FieldAccess.READ}, {FieldAccess.HIDDEN}
    if grant(role, entity) is None:
        return []
    return [
        field
        for field in ENTITIES[entity]
        if (found := accesses(role, entity, field)) and hidden not in found and any(each != read for each in found)
    ]


def callers_of(role: str) -> list[str]:
    """Users of the shop with that role, also in other teams."""
    others = {"SUPPORT": ["support_south", "support_alone"], "MANAGER": ["manager_south"], "SALES": ["sales_south"]}
    return [CALLERS[role], *others.get(role, [])]


async def test_masked_and_conditional_fields_show_exactly_what_the_table_says_on_every_row(
    api: Api, shop: Shop
) -> None:
    seen: dict[tuple[str, str, str], set[FieldAccess]] = defaultdict(set)
    wrong = []
    for role, label, entity in [(r, who, e) for r in CALLERS for who in callers_of(r) for e in LISTS]:
        fields = partial_fields(role, entity)
        if not fields:
            continue
        caller = shop.oracle.rows.find("User", shop.ids[label])
        assert caller is not None
        texts = " ".join(selection(entity, field) for field in fields)
        document = f"{{ list: {LISTS[entity]}(first: 200) {{ nodes {{ id {texts} }} totalCount }} }}"
        response = await api.send(document, user=caller.id)
        answer = response.json()["data"]["list"]
        assert len(answer["nodes"]) == answer["totalCount"] > 0
        for node in answer["nodes"]:
            row = shop.oracle.rows.find(entity, UUID(node["id"].partition("_")[2]))
            assert row is not None
            for field in fields:
                access = _access(role, entity, field, row, caller, shop)
                seen[role, entity, field].add(access)
                raw = _raw(row, field, caller, shop)
                expected = {"READ": raw, "MASKED": mask(field, raw), "HIDDEN": None}[access.value]
                if _plain(node[field]) != expected:
                    wrong.append(
                        f"{label} / {entity}.{field} of {node['id']}: {node[field]!r}, not {expected!r} ({access})"
                    )
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    for (role, entity, field), found in seen.items():
        possible = set.union(*accesses(role, entity, field))
        assert found == possible, f"{role} / {entity}.{field}: the shop shows only {found} of {possible}"


def _access(role: str, entity: str, field: str, row: Row, caller: Row, shop: Shop) -> FieldAccess:
    said = rule(role, entity, field)
    return said.access if on(said.on_rows, row, caller, shop) else said.otherwise


def _raw(row: Row, field: str, caller: Row, shop: Shop) -> Any:
    if field == "fullName":
        return f"{row.first_name} {row.last_name}"
    if field == "role":
        # The role of others may be read, but a role that the caller may not see is null all the same.
        sees_all = caller.role_id in {
            role.id for role in shop.oracle.rows.all("Role") if role.name in ("ADMIN", "AUDITOR", "MANAGER")
        }
        return f"rol_{row.role_id.hex}" if sees_all or row.role_id == caller.role_id else None
    value = getattr(row, snake(field))
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else _iso(value)


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _plain(shown: Any) -> Any:
    return shown["id"] if isinstance(shown, dict) else shown


async def test_a_masked_value_stands_nowhere_in_the_answer(api: Api, shop: Shop) -> None:
    secrets = Secrets(shop)
    for role in CALLERS:
        for entity, root in LISTS.items():
            fields = [f for f in partial_fields(role, entity) if never_read(role, entity, f)]
            if not fields:
                continue
            texts = " ".join(selection(entity, field) for field in fields)
            document = f"{{ {root}(first: 200) {{ edges {{ cursor node {{ {texts} }} }} }} }}"
            response = await api.send(document, user=shop.ids[CALLERS[role]])
            assert "errors" not in response.json()
            for field in fields:
                # The part of an address behind the @ is shown on purpose.
                shown = [t for t in secrets.of(entity, field) if not t.startswith("@") and t in response.text]
                assert not shown, f"{role} / {entity}.{field}: {shown}"


async def test_a_value_that_may_not_be_read_on_a_row_is_null_to_filter_search_order_and_count(
    api: Api, shop: Shop
) -> None:
    """A phone that is masked falls to ten thousand guesses if a filter may still compare it."""
    found: dict[bool, int] = {True: 0, False: 0}
    for label in callers_of("SUPPORT"):
        caller = shop.oracle.rows.find("User", shop.ids[label])
        assert caller is not None
        for row in shop.oracle.rows.all("Customer"):
            if row.deleted_at is not None or not row.email or not row.phone:
                continue
            reads = on(RowScope.ASSIGNED, row, caller, shop)
            found[reads] += 1
            variables = {"id": typed_id(row), "email": row.email, "phone": row.phone}
            answer = await api.post(
                "query($id: ID!, $email: String, $phone: String!) {"
                " equal: customers(where: {id: {eq: $id} email: {eq: $email}}) { totalCount }"
                " other: customers(where: {id: {eq: $id} phone: {ne: $phone}}) { totalCount }"
                " empty: customers(where: {id: {eq: $id} email: {isNull: true}}) { totalCount }"
                " part: customers(where: {id: {eq: $id} not: {phone: {contains: $phone}}}) { totalCount }"
                " search: customers(where: {id: {eq: $id}} search: $phone) { totalCount nodes { id } }"
                " through: orders(where: {customer: {id: {eq: $id} email: {eq: $email}}}) { totalCount }"
                "}",
                variables,
                user=caller.id,
            )
            assert "errors" not in answer, answer["errors"]
            counts = {name: part["totalCount"] for name, part in answer["data"].items()}
            there = {"equal": 1, "other": 0, "empty": 0, "part": 0, "search": counts["search"]}
            absent = {"equal": 0, "other": 1, "empty": 1, "part": 1, "search": 0, "through": 0}
            for name, expected in (there if reads else absent).items():
                # Another field of the row, its name or code, may hold the words of the phone; then search may find it.
                assert counts[name] == expected, f"{label} / {variables} / {name}: {counts}"
            if reads:
                assert counts["search"] == 1, f"{label} / {variables}: {counts}"
    assert all(found.values()), found


async def test_search_finds_by_no_field_that_is_never_read(api: Api, shop: Shop) -> None:
    for role in CALLERS:
        for entity, root in LISTS.items():
            if entity not in SEARCHED:
                continue
            fields = [f for f in SEARCHED[entity] if grant(role, entity) and never_read(role, entity, f)]
            if not fields or len(fields) == len(SEARCHED[entity]):
                continue
            others = [f for f in SEARCHED[entity] if f not in fields]
            rows = [r for r in shop.oracle.rows.all(entity) if not getattr(r, "deleted_at", None)]
            readable = " ".join(str(getattr(r, snake(f)) or "").lower() for r in rows for f in others)
            for row in rows[:60]:
                for field in fields:
                    words = str(getattr(row, snake(field)) or "").split()
                    word = next((w for w in words if len(w) > 2 and w.lower() not in readable and "\0" not in w), None)
                    if word is None:
                        continue
                    answer = await api.post(
                        f"query($s: String) {{ list: {root}(search: $s) {{ totalCount }} }}",
                        {"s": word},
                        user=shop.ids[CALLERS[role]],
                    )
                    assert answer["data"]["list"]["totalCount"] == 0, f"{role} / {entity}.{field} / search {word!r}"


async def test_viewer_permissions_are_the_table_whole(api: Api, shop: Shop) -> None:
    document = "{ viewer { permissions { entity action rows fields { field access onRows otherwise } } } }"
    for role, label in CALLERS.items():
        answer = await api.post(document, user=shop.ids[label])
        shown = {
            (p["entity"], p["action"]): (p["rows"], {f["field"]: tuple(f.values())[1:] for f in p["fields"]})
            for p in answer["data"]["viewer"]["permissions"]
        }
        assert shown.keys() == {(e, a) for e, actions in POLICY[role].grants.items() for a in actions}, role
        for (entity, action), (rows, fields) in shown.items():
            said = POLICY[role].grants[entity][action]
            assert rows == said.rows.value, f"{role} / {entity} / {action}"
            if action == "read":
                expected = {f: rule(role, entity, f) for f in ENTITIES[entity]}
                assert fields == {
                    f: (r.access.value, r.on_rows.value, r.otherwise.value) for f, r in expected.items()
                }, f"{role} / {entity}"


def test_the_matrix_knows_every_table() -> None:
    assert set(ENTITIES) <= set(TABLES)
    assert set(CALLERS) == set(POLICY)
