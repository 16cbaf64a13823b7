"""The oracle itself, against what was worked out by hand for a few records of the shop."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.nasty_shop import Shop
from tests.oracle.compare import check, same
from tests.oracle.operation import Operation
from tests.oracle.operations import operations
from tests.oracle.paging import check_window, walk, windows
from tests.oracle.rights import mask
from tests.oracle.rows import PREFIXES, Row, typed_id
from tests.oracle.scalars import parse_decimal, parse_time, print_decimal, print_time
from tests.oracle.shop import USERS

ACTIVE = [label for label in USERS if label != "retired"]


class Asking:
    """Asks the oracle in the words of the tests: people and records by label."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.oracle = shop, shop.oracle

    def id(self, prefix: str, label: str) -> str:
        return f"{prefix}_{self.shop.ids[label].hex}"

    def answer(self, who: str | None, document: str, **variables: Any) -> dict[str, Any]:
        rows = self.oracle.rows
        cursors = {f"cursor of {typed_id(row)}": row.id for e in PREFIXES for row in rows.all(e)}
        caller = self.shop.ids[who] if who else None
        return self.oracle.execute(document, variables, caller=caller, cursors=cursors)

    def data(self, who: str, document: str, **variables: Any) -> Any:
        answer = self.answer(who, document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def codes(self, who: str | None, document: str, **variables: Any) -> list[tuple[list[str], str]]:
        return [(e["path"], e["code"]) for e in self.answer(who, document, **variables).get("errors", ())]

    def probes(self, who: str, where: Mapping[str, Any] | None = None, **args: Any) -> list[str]:
        """The last words of the names of the probes that answer a filter and a search, by name."""
        ids = [self.id("cus", f"probe_{label}") for label in ("1", "2", "3", "4", "5", "gone", "merged")]
        found = self.data(
            who,
            "query($w: CustomerFilter, $s: String, $d: Boolean! = false) {"
            " customers(where: $w, search: $s, includeDeleted: $d) { nodes { id } totalCount } }",
            w={"and": [{"id": {"in": ids}}, where or {}]},
            **args,
        )["customers"]
        assert found["totalCount"] == len(found["nodes"])
        names = {self.id("cus", label): label.removeprefix("probe_") for label in self.shop.ids if "probe_" in label}
        return sorted(names[node["id"]] for node in found["nodes"])


@pytest.fixture
def asking(shop: Shop) -> Asking:
    return Asking(shop)


ALL = ["1", "2", "3", "4", "5"]


# Rows


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("admin", ALL),
        ("marketing", ALL),
        ("sales_north", ["1", "2"]),  # The first it owns; of the second, a deal; of the third, a deleted deal.
        ("sales_south", ["2", "3"]),  # A deleted ticket of the fifth gives no sight.
        ("support_north", ALL),
        ("manager_north", ALL),  # The fifth belongs to somebody of the team who has left.
        ("manager_south", ["2", "3"]),
        ("manager_alone", []),
        ("partner", ALL),
        ("partner_alone", []),
    ],
)
def test_customers_by_role(asking: Asking, who: str, seen: list[str]) -> None:
    assert asking.probes(who) == seen


def test_a_customer_does_not_show_the_deals_of_colleagues(asking: Asking) -> None:
    document = "query($id: ID!) { customer(id: $id) { opportunities(orderBy: {field: NAME}) { nodes { name } } } }"
    names = {
        who: [
            n["name"]
            for n in asking.data(who, document, id=asking.id("cus", "probe_2"))["customer"]["opportunities"]["nodes"]
        ]
        for who in ("sales_north", "sales_south", "manager_north", "admin")
    }
    assert names == {
        "sales_north": ["Deal North"],
        "sales_south": ["Deal South"],
        "manager_north": ["Deal North"],
        "admin": ["Deal North", "Deal South"],
    }


def test_internal_comments_need_a_right_of_their_own(asking: Asking) -> None:
    document = "query($id: ID!) { ticket(id: $id) { comments(where: null) { nodes { body } } } }".replace(
        "(where: null)", ""
    )
    bodies = {
        who: sorted(
            n["body"]
            for n in asking.data(who, document, id=asking.id("tkt", "ticket_given"))["ticket"]["comments"]["nodes"]
        )
        for who in ("admin", "support_south", "sales_south", "integration", "partner")
    }
    both = ["said_inside", "said_openly"]
    # The partner reads comments of the team, internal ones only of its own; and bodies plainly only of its own.
    assert {k: [b for b in v if b.startswith("s")] for k, v in bodies.items()} == {
        "admin": both,
        "support_south": both,
        "sales_south": both,
        "integration": ["said_openly"],
        "partner": ["s***"],
    }


def test_deleted_customers_and_what_hangs_on_them(asking: Asking) -> None:
    gone = asking.id("cus", "probe_gone")
    plain = "query($id: ID!) { customer(id: $id) { id } node(id: $id) { id } }"
    assert asking.data("admin", plain, id=gone) == {"customer": None, "node": None}
    document = (
        "query($id: ID!) { customer(id: $id, includeDeleted: true) {"
        " name orderCount lastOrderAt orders { totalCount } contacts { totalCount } } }"
    )
    expected = {"name": "Probe Gone", "orderCount": 0, "lastOrderAt": None, "orders": {"totalCount": 0}}
    assert asking.data("admin", document, id=gone)["customer"] == expected | {"contacts": {"totalCount": 0}}
    assert asking.codes("sales_north", document, id=gone) == [(["customer"], "FORBIDDEN")]
    assert asking.probes("admin", d=True) == [*ALL, "gone", "merged"]
    child = "query($id: ID!) { contact(id: $id, includeDeleted: true) { id } }"
    assert asking.data("sales_north", child, id=asking.id("con", "contact_of_gone")) == {"contact": None}
    own = asking.id("con", "contact_gone")
    assert asking.data("sales_north", child, id=own) == {"contact": {"id": own}}
    assert asking.data("sales_south", child, id=own) == {"contact": None}


def test_the_id_of_a_merged_customer_answers_the_survivor(asking: Asking) -> None:
    document = "query($id: ID!) { customer(id: $id) { id } node(id: $id) { id } }"
    merged, away = asking.id("cus", "probe_merged"), asking.id("cus", "probe_merged_away")
    survivor = {"id": asking.id("cus", "probe_1")}
    assert asking.data("admin", document, id=merged) == {"customer": survivor, "node": survivor}
    assert asking.data("sales_south", document, id=merged) == {"customer": None, "node": None}
    assert asking.data("admin", document, id=away) == {"customer": None, "node": None}


# Fields


def test_masks_depend_on_who_gave_the_ticket(asking: Asking) -> None:
    document = (
        "query($w: CustomerFilter) { customers(where: $w, orderBy: {field: NAME}) { nodes { email phone notes } } }"
    )
    ids = [asking.id("cus", f"probe_{n}") for n in (1, 2, 3, 4)]
    nodes = asking.data("support_north", document, w={"id": {"in": ids}})["customers"]["nodes"]
    four, one, three, two = ((n["email"], n["phone"]) for n in nodes)
    assert one == ("a***@example.com", "+49****4567")
    assert two == (None, "****")
    assert three == ("three", None)  # Somebody else gave it this ticket.
    assert four == (None, "123****6789")  # This one it took itself.
    assert [n["notes"] for n in nodes] == [None, None, "third", None]
    assert asking.codes("marketing", document) == [(["customers"], "FORBIDDEN")]


@pytest.mark.parametrize(
    ("field", "text", "masked"),
    [
        ("email", "anna@example.com", "a***@example.com"),
        ("email", "two@at@x.example", "t***@x.example"),
        ("email", "@x.example", "@***@x.example"),
        ("email", "none", "n***"),
        ("email", "", ""),
        ("phone", "12345678", "****"),
        ("phone", "123456789", "123****6789"),
        ("phone", "", ""),
        ("name", "王芳", "王***"),
        ("name", None, None),
    ],
)
def test_masks(field: str, text: str | None, masked: str | None) -> None:
    assert mask(field, text) == masked


def test_a_derived_field_is_masked_with_its_source(asking: Asking) -> None:
    document = "query($id: ID!) { contact(id: $id) { firstName lastName fullName } }"
    found = asking.data("partner", document, id=asking.id("con", "contact_1"))["contact"]
    assert found == {"firstName": "Ada", "lastName": "L***", "fullName": "A***"}


def test_what_is_not_read_is_null_to_filters(asking: Asking) -> None:
    assert asking.probes("support_north", {"email": {"isNull": True}}) == ["1", "2", "4", "5"]
    assert asking.probes("support_north", {"email": {"contains": "anna"}}) == []
    assert asking.probes("support_north", {"email": {"ne": "anna@example.com"}}) == ALL
    assert asking.probes("admin", {"email": {"contains": "ANNA"}}) == ["1"]
    assert asking.probes("partner", {"name": {"startsWith": "Probe"}}) == []
    assert asking.probes("sales_north", {"name": {"startsWith": "Probe"}}) == ["1", "2"]


def test_what_is_not_read_is_null_to_orders(asking: Asking) -> None:
    document = "{ users(first: 3, orderBy: {field: EMAIL, direction: DESC}) { nodes { id email } } }"
    others = sorted(set(asking.oracle.rows.by_id["User"]) - {asking.shop.ids["sales_alone"]}, reverse=True)
    nodes = asking.data("sales_alone", document)["users"]["nodes"]
    assert [n["id"] for n in nodes] == [f"usr_{id.hex}" for id in (asking.shop.ids["sales_alone"], *others[:2])]
    assert [n["email"] is None for n in nodes] == [False, True, True]


def test_users_show_their_role_to_themselves(asking: Asking) -> None:
    document = '{ users(where: {role: {name: {eq: "SALES"}}}) { nodes { id } } }'
    assert asking.data("sales_alone", document)["users"]["nodes"] == [{"id": asking.id("usr", "sales_alone")}]
    assert asking.codes("integration", document) == [(["users"], "FORBIDDEN")]
    assert len(asking.data("admin", document)["users"]["nodes"]) > 1


@pytest.mark.parametrize(
    ("who", "field"),
    [
        ("support_north", "opportunities { totalCount }"),
        ("support_north", "customers { nodes { opportunities { totalCount } } }"),
        ("support_north", "orders(where: {opportunity: {isNull: true}}) { totalCount }"),
        ("analyst", "customers(orderBy: {field: NAME}) { totalCount }"),
        ("analyst", 'customers(where: {not: {or: [{name: {eq: "x"}}]}}) { totalCount }'),
        ("integration", "users { edges { node { email } } }"),
        ("integration", "users(orderBy: {field: EMAIL}) { totalCount }"),
        ("integration", "users(where: {role: {}}) { totalCount }"),
        ("clerk", "opportunities { nodes { stage { id } } }"),
        ("clerk", "opportunities { nodes { isRotting } }"),
        ("clerk", "opportunities(where: {isRotting: {eq: true}}) { totalCount }"),
        ("clerk", "orders { nodes { lines { id } } }"),
        ("clerk", "orders(where: {lines: {}}) { totalCount }"),
        ("clerk", "stages { id }"),
        ("scout", "customers { nodes { orderCount } }"),
        ("scout", 'contacts(search: "ada") { totalCount }'),
        ("scout", "customers { nodes { ... on Node { ... on Customer { tags } } } }"),
        ("nobody", "viewer { user { id } }"),
        ("sales_north", "opportunities(includeDeleted: true) { totalCount }"),
    ],
)
def test_forbidden(asking: Asking, who: str, field: str) -> None:
    assert asking.codes(who, f"{{ a: {field} }}") == [(["a"], "FORBIDDEN")]


def test_what_is_refused_to_nobody(asking: Asking) -> None:
    assert asking.data("clerk", "{ opportunities { nodes { product { name } } } }")
    assert asking.data("support_north", "{ orders { nodes { opportunity { lossNotes } } } }")
    assert asking.data("marketing", "{ customers(first: 1) { nodes { notes @skip(if: true) } } }") == {
        "customers": {"nodes": [{}]}
    }
    assert asking.data("nobody", "{ viewer { permissions { entity } } }") == {"viewer": {"permissions": []}}
    assert asking.data("nobody", f'{{ node(id: "{asking.id("cus", "probe_1")}") {{ id }} }}') == {"node": None}
    assert asking.data("scout", '{ contacts(search: " ") { totalCount } }')


# Filters


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        ({}, ALL),
        ({"and": []}, ALL),
        ({"or": []}, []),
        ({"not": {}}, []),
        ({"city": {}}, ALL),
        ({"city": {"eq": "Berlin"}}, ["1"]),
        ({"city": {"ne": "Berlin"}}, ["2", "3", "4", "5"]),
        ({"not": {"city": {"eq": "Berlin"}}}, ["2", "3", "4", "5"]),
        ({"city": {"in": []}}, []),
        ({"city": {"notIn": []}}, ALL),
        ({"city": {"notIn": ["Berlin", "berlin"]}}, ["2", "4", "5"]),
        ({"city": {"contains": ""}}, ["1", "3", "4", "5"]),
        ({"city": {"startsWith": "BER"}}, ["1", "3"]),
        ({"city": {"endsWith": "HUS"}}, ["5"]),
        ({"city": {"contains": "åR"}}, ["5"]),
        ({"city": {"contains": "%"}}, []),
        ({"city": {"isNull": True}}, ["2"]),
        ({"city": {"isNull": False, "ne": ""}}, ["1", "3", "5"]),
        ({"isNull": False}, ALL),
        ({"isNull": True}, []),
        ({"tags": {"has": "vip"}}, ["1"]),
        ({"tags": {"hasAll": ["大客户", "vip"]}}, ["1"]),
        ({"tags": {"hasAny": []}}, []),
        ({"tags": {"hasAll": []}}, ALL),
        ({"tags": {"isEmpty": True}}, ["2", "3", "4", "5"]),
        ({"owner": {}}, ALL),
        ({"owner": {"isNull": True}}, ["2", "4"]),
        ({"owner": {"active": {"eq": True}}}, ["1", "3"]),
        ({"owner": {"name": {"ne": "no such"}}}, ALL),
        ({"owner": {"team": {"isNull": True}}}, ["2", "4"]),
        ({"owner": {"not": {"active": {"eq": True}}}}, ["2", "4", "5"]),
        ({"opportunities": {"some": {"name": {"startsWith": "deal"}}}}, ["2"]),
        ({"opportunities": {"none": {}}}, ["1", "3", "4", "5"]),
        ({"opportunities": {"some": {}, "none": {"amount": {"amount": {"eq": "10.050"}}}}}, []),
        ({"opportunities": {"some": {"amount": {"amount": {"lte": "10.05"}, "currency": {"ne": "JPY"}}}}}, ["2"]),
        ({"opportunities": {"some": {"closedAt": {"lt": "2099-01-01T00:00:00Z"}}}}, ["2"]),
        ({"opportunities": {"some": {"isRotting": {"eq": True}}}}, ["2"]),
        ({"orders": {"some": {"status": {"eq": "CANCELLED"}}}}, ["1"]),
        ({"tickets": {"some": {"isOverdue": {"eq": True}}}}, ["4"]),
        ({"tickets": {"some": {"assignee": {"isNull": True}}}}, ["1"]),
    ],
)
def test_filters(asking: Asking, where: dict[str, Any], seen: list[str]) -> None:
    assert asking.probes("admin", where) == seen


def test_some_and_none_look_at_what_the_caller_sees(asking: Asking) -> None:
    assert asking.probes("sales_north", {"opportunities": {"none": {"name": {"eq": "Deal South"}}}}) == ["1", "2"]
    assert asking.probes("sales_south", {"opportunities": {"none": {"name": {"eq": "Deal South"}}}}) == ["3"]


@pytest.mark.parametrize(
    ("who", "search", "seen"),
    [
        ("admin", "probe two", ["2"]),
        ("admin", "PROBE ANNA", ["1"]),
        ("admin", "robe", ALL),
        ("admin", "pr", ALL),
        ("admin", "tw", []),  # Short words are looked for at the beginning only.
        ("admin", "  ", ALL),
        ("admin", "701234", ["1"]),
        ("support_north", "anna", []),
        ("support_north", "three", ["3"]),
        ("analyst", "probe", []),
        ("partner", "probe", []),
    ],
)
def test_search(asking: Asking, who: str, search: str, seen: list[str]) -> None:
    assert asking.probes(who, s=search) == seen


# Orders and pages


def test_nulls_come_last_in_either_direction(asking: Asking) -> None:
    tickets = {label: asking.id("tkt", label) for label in ("ticket_given", "ticket_taken", "ticket_closed")}
    document = "query($w: TicketFilter, $o: [TicketOrder!]) { tickets(where: $w, orderBy: $o) { nodes { id } } }"

    def order(field: str, direction: str) -> list[str]:
        terms = [{"field": field, "direction": direction}]
        found = asking.data("admin", document, w={"id": {"in": list(tickets.values())}}, o=terms)
        return [node["id"] for node in found["tickets"]["nodes"]]

    without = sorted((tickets["ticket_given"], tickets["ticket_closed"]))
    assert order("RESOLUTION_DUE_AT", "ASC") == [tickets["ticket_taken"], *without]
    assert order("RESOLUTION_DUE_AT", "DESC") == [tickets["ticket_taken"], *without[::-1]]
    urgent = [tickets["ticket_given"], tickets["ticket_closed"], tickets["ticket_taken"]]
    assert order("PRIORITY", "DESC") == urgent
    assert order("PRIORITY", "ASC") == urgent[::-1]


def test_ties_are_broken_by_id_in_the_direction_of_the_last_term(asking: Asking) -> None:
    ids = sorted(asking.id("cus", f"probe_{n}") for n in ALL)
    document = "query($w: CustomerFilter, $o: [CustomerOrder!]) { customers(where: $w, orderBy: $o) { nodes { id } } }"

    def order(*terms: dict[str, str]) -> list[str]:
        found = asking.data("admin", document, w={"id": {"in": ids}}, o=list(terms))
        return [node["id"] for node in found["customers"]["nodes"]]

    assert order() == ids[::-1]
    assert order({"field": "CREATED_AT"}) == ids
    assert order({"field": "CREATED_AT"}, {"field": "CREATED_AT", "direction": "DESC"}) == ids[::-1]


@pytest.mark.parametrize(
    ("page", "names", "following", "previous"),
    [
        ({"first": 2}, ["Five", "Four"], True, False),
        ({"first": 5}, ["Five", "Four", "One", "Three", "Two"], False, False),
        ({"first": 2, "after": "4"}, ["One", "Three"], True, True),
        ({"first": 5, "after": "4", "before": "2"}, ["One", "Three"], True, True),
        ({"first": 1, "before": "1"}, ["Five"], True, False),
        ({"last": 2}, ["Three", "Two"], False, True),
        ({"last": 2, "before": "2"}, ["One", "Three"], True, True),
        ({"last": 5, "after": "4", "before": "2"}, ["One", "Three"], True, True),
        ({"last": 5, "before": "1"}, ["Five", "Four"], True, False),
        ({"first": 3, "after": "2"}, [], False, True),
        ({"last": 3, "before": "5"}, [], True, False),
        ({"first": 3, "after": "2", "before": "5"}, [], True, True),
    ],
)
def test_pages(asking: Asking, page: dict[str, Any], names: list[str], following: bool, previous: bool) -> None:
    ids = [asking.id("cus", f"probe_{n}") for n in ALL]
    places = {k: f"cursor of {asking.id('cus', f'probe_{v}')}" for k, v in page.items() if k in ("after", "before")}
    found = asking.data(
        "admin",
        "query($w: CustomerFilter, $first: Int, $last: Int, $after: String, $before: String) {"
        " customers(where: $w, first: $first, last: $last, after: $after, before: $before, orderBy: {field: NAME})"
        " { nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage } } }",
        w={"id": {"in": ids}},
        **page | places,
    )["customers"]
    assert [node["name"].removeprefix("Probe ") for node in found["nodes"]] == names
    assert found["pageInfo"] == {"hasNextPage": following, "hasPreviousPage": previous}
    assert found["totalCount"] == 5


# Values


def test_computed_values(asking: Asking) -> None:
    document = (
        "query($a: ID!, $b: ID!, $c: ID!) { north: opportunity(id: $a) { isRotting weightedAmount { amount currency } }"
        " south: opportunity(id: $b) { isRotting contact { id } amount { amount } }"
        " customer(id: $c) { orderCount lastOrderAt orders(first: 1) { nodes { total { amount } } } } }"
    )
    ids = {
        "a": asking.id("opp", "deal_north"),
        "b": asking.id("opp", "deal_south"),
        "c": asking.id("cus", "probe_1"),
    }
    assert asking.data("admin", document, **ids) == {
        "north": {"isRotting": True, "weightedAmount": {"amount": "5.03", "currency": "EUR"}},
        "south": {"isRotting": False, "contact": None, "amount": {"amount": "10.05"}},
        "customer": {
            "orderCount": 2,
            "lastOrderAt": "2025-03-02T08:30:00.000000+00:00",
            "orders": {"nodes": [{"total": {"amount": "9.50"}}]},
        },
    }


@pytest.mark.parametrize(
    ("amount", "currency", "probability", "weighted"),
    [
        ("120000", "JPY", 10, "12000"),
        ("999", "JPY", 50, "500"),
        ("1.005", "KWD", 50, "0.503"),
        ("10.05", "EUR", 0, "0.00"),
        ("1234.50", "EUR", 33, "407.39"),
    ],
)
def test_weighted_amounts(shop: Shop, amount: str, currency: str, probability: int, weighted: str) -> None:
    row = Row("Opportunity", {"amount": Decimal(amount).normalize(), "currency": currency, "probability": probability})
    rights = shop.oracle.rights(shop.ids["admin"])
    assert print_decimal(rights.computed(row, "weightedAmount")) == weighted


def test_lists_that_are_not_connections_have_their_own_order(asking: Asking) -> None:
    found = asking.data("admin", "{ stages { name position } teams { name members { name } } roles { name } }")
    assert [stage["position"] for stage in found["stages"]] == [0, 1, 1, 3, 4, 9, 9]
    teams = {team["name"]: [user["name"] for user in team["members"]] for team in found["teams"]}
    assert list(teams) == sorted(teams)
    assert {"Void", "Équipe Nord", "南方团队"} <= set(teams)
    assert teams["Équipe Nord"] == sorted(teams["Équipe Nord"])
    assert len(teams["Équipe Nord"]) == 8
    assert teams["Void"] == []
    names = [role["name"] for role in found["roles"]]
    assert names == sorted(names)
    assert len(names) >= 12


def test_scalars_are_strict() -> None:
    assert print_time(parse_time("2026-11-21T16:30:00+08:00")) == "2026-11-21T08:30:00.000000+00:00"
    assert parse_time("2026-11-21T08:30:00.1Z") == datetime.fromisoformat("2026-11-21T08:30:00.100000+00:00")
    for parse_scalar, text in ((parse_time, "2026-11-21T08:30:00"), (parse_decimal, "1e3"), (parse_decimal, "NaN")):
        with pytest.raises(Exception, match="form"):
            parse_scalar(text)


# Refusals


@pytest.mark.parametrize(
    "field",
    [
        "customers(first: 0) { totalCount }",
        "customers(first: 201) { totalCount }",
        "customers(first: null) { totalCount }",
        "customers(first: 1, last: 1) { totalCount }",
        'customers(after: "nonsense") { totalCount }',
        "customers(where: {name: null}) { totalCount }",
        "customers(where: {name: {eq: null}}) { totalCount }",
        "customers(where: {and: null}) { totalCount }",
        'customers(where: {owner: {id: {ne: "cus_1"}}}) { totalCount }',
        'customers(search: "a b c d e f g h i") { totalCount }',
        "customers { nodes { contacts(last: -1) { totalCount } } }",
        'customer(id: "usr_00000000000070008000000000000000") { id }',
        'customer(id: "cus_1") { id }',
    ],
)
def test_bad_input(asking: Asking, field: str) -> None:
    assert asking.codes("admin", f"{{ a: {field} }}") == [(["a"], "BAD_USER_INPUT")]


def test_nulls_that_are_as_good_as_nothing(asking: Asking) -> None:
    nothing = "customers(where: null, orderBy: null, search: null, after: null, before: null) { nodes { id } }"
    assert asking.data("admin", f"{{ {nothing} }}") == asking.data("admin", "{ customers { nodes { id } } }")
    assert asking.data("admin", '{ node(id: "cus_1") { id } nodes(ids: ["", "x"]) { id } }') == {
        "node": None,
        "nodes": [None, None],
    }


def test_variables_that_cannot_be_read_refuse_the_operation(asking: Asking) -> None:
    document = "query($t: DateTime) { customers(where: {createdAt: {lt: $t}}) { totalCount } }"
    assert asking.codes("admin", document, t="2026-11-21T08:30:00") == [([], "BAD_USER_INPUT")]


def test_a_refused_root_field_leaves_the_others_alone(asking: Asking) -> None:
    document = '{ a: customer(id: "x") { id } shop { currency } }'
    answer = asking.answer("admin", document)
    assert answer["data"] == {"a": None, "shop": {"currency": "EUR"}}
    assert answer["errors"] == [{"path": ["a"], "code": "BAD_USER_INPUT"}]
    assert asking.answer("admin", "{ shop { name } a: customers(first: 0) { totalCount } }")["data"] is None


def test_strangers(asking: Asking) -> None:
    assert asking.answer(None, "{ viewer { permissions { entity } } }") == {"data": {"viewer": None}}
    assert asking.answer(None, '{ viewer { user { id } } a: customer(id: "x") { id } }') == {
        "data": {"viewer": None, "a": None},
        "errors": [{"path": ["a"], "code": "UNAUTHENTICATED"}],
    }


# Comparing, paging, generating


def test_differences_are_found() -> None:
    one = {"data": {"a": [1, {"b": None}]}}
    assert same(one, one) is None
    assert same({"data": {"a": [1, {"b": 0}]}}, one) == "data.a[1].b: the server has 0, the oracle None"
    assert same({"data": {"a": [True, {"b": None}]}}, one)
    assert same({"data": {"a": [1]}}, one)
    assert same({"data": {"a": [1, {}]}}, one)
    refused = {"data": None, "errors": [{"path": ["a"], "code": "FORBIDDEN"}, {"path": ["b"], "code": "FORBIDDEN"}]}
    told = {"message": "No.", "path": ["a"], "extensions": {"code": "FORBIDDEN"}}
    other = told | {"path": ["b"]}
    assert same({"data": None, "errors": [told, other]}, refused) is None
    assert same({"data": None, "errors": [other, told]}, refused)
    assert same({"data": None, "errors": [told]}, refused)
    assert same({"data": None, "errors": [told, told | {"path": ["c"]}]}, refused)
    assert same({"data": None}, refused)
    assert same(one | {"errors": [told]}, one)
    assert same({"data": {"b": 1, "a": 2}}, {"data": {"a": 2, "b": 1}}) is None
    assert same({"data": {"b": 1, "a": 2}}, {"data": {"a": 2, "b": 1}}, key_order=True)


async def _self_post(
    shop: Shop, document: str, variables: Any, name: str | None, caller: UUID | None
) -> dict[str, Any]:
    """The oracle in the server's place."""
    cursors = {f"cursor of {typed_id(row)}": row.id for e in PREFIXES for row in shop.oracle.rows.all(e)}
    return shop.oracle.execute(document, variables, name, caller, cursors)


@pytest.mark.anyio
async def test_walking_sees_every_row_once(shop: Shop) -> None:
    async def post(*request: Any) -> dict[str, Any]:
        return await _self_post(shop, *request)

    caller = shop.ids["manager_north"]
    order = [{"field": "CLOSED_AT", "direction": "DESC"}, {"field": "NAME"}]
    forward = await walk(post, caller, "opportunities", order, 7)
    backward = await walk(post, caller, "opportunities", order, 4, direction="last")
    seen = [typed_id(o) for o in shop.oracle.rows.all("Opportunity") if shop.oracle.rights(caller).visible(o)]
    assert forward == backward[::-1]
    assert sorted(forward) == sorted(seen)
    assert len(seen) > 10


GENERATED = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@GENERATED
@given(st.data())
def test_generated_operations_are_valid_and_answered(shop: Shop, data: st.DataObject) -> None:
    label = data.draw(st.sampled_from([*ACTIVE, None]))
    caller = shop.ids[label] if label else None
    operation = data.draw(operations(shop.oracle, caller))
    assert all(error.original_error for error in validate(shop.oracle.schema, parse(operation.document)))
    assert shop.oracle.execute(*operation, caller=caller)


@GENERATED
@given(st.data())
def test_windows_agree_with_themselves(shop: Shop, data: st.DataObject) -> None:
    caller = shop.ids[data.draw(st.sampled_from(ACTIVE))]
    window = data.draw(windows(shop.oracle, caller))

    async def post(*request: Any) -> dict[str, Any]:
        return await _self_post(shop, *request)

    run = check_window(post, shop.oracle, window, caller)
    with pytest.raises(StopIteration):  # It never has to wait.
        run.send(None)


@pytest.mark.anyio
async def test_a_wrong_answer_is_told(shop: Shop) -> None:
    async def wrong(*_: Any) -> dict[str, Any]:
        return {"data": {"shop": {"name": "Another"}}}

    with pytest.raises(AssertionError, match=r"data\.shop\.name.*\n\nas ADMIN"):
        await check(wrong, shop.oracle, Operation("{ shop { name } }"), shop.ids["admin"])


@pytest.mark.anyio
async def test_a_wrong_answer_is_told_by_the_smallest_operation_that_shows_it(shop: Shop) -> None:
    async def wrong(*request: Any) -> dict[str, Any]:
        answer = await _self_post(shop, *request)
        for customer in answer["data"]["customers"]["nodes"]:
            customer.pop("city", None)
        return answer

    big = Operation(
        "query A($w: CustomerFilter, $n: Int, $b: Boolean!) { shop { name } customers(where: $w, first: $n) {"
        " totalCount nodes { id ...F owner { name } } } } fragment F on Customer { city name @include(if: $b) }",
        {"w": {"name": {"contains": "o"}, "not": {"isNull": True}}, "n": 7, "b": True},
    )
    with pytest.raises(AssertionError) as caught:
        await check(wrong, shop.oracle, big, shop.ids["admin"])
    told = str(caught.value).split("\n\n")
    assert (
        " ".join("\n".join(told[2:-4]).split())
        == "query A { customers { nodes { ...F } } } fragment F on Customer { city }"
    )
    assert told[-4].startswith("variables: None")
