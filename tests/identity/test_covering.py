"""What covers what, compared with a row by row reading of the same rights."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.enums import FieldAccess, RowScope
from auth.builtin import listed_fields
from auth.covering import NESTED, Granted, Grants, beyond, wider
from auth.policy import ENTITIES, POLICY, FieldRule

NONE, OWN, ASSIGNED, TEAM, ALL = RowScope
HIDDEN, MASKED, READ = FieldAccess
PLACES = (ASSIGNED, OWN, TEAM, ALL)
"""Kinds of rows: by the narrowest scope that they are in."""

rules = st.builds(
    FieldRule, st.sampled_from(list(FieldAccess)), st.sampled_from(NESTED), st.sampled_from(list(FieldAccess))
)
granted = st.builds(
    Granted, st.sampled_from(NESTED), st.dictionaries(st.sampled_from(("name", "email", "notes")), rules, max_size=3)
)
grants = st.dictionaries(
    st.sampled_from(("Customer", "Order")),
    st.dictionaries(st.sampled_from(("read", "update", "pay")), granted, max_size=3),
    max_size=2,
)


def built_in(role: str) -> Grants:
    return {
        entity: {
            action: Granted(rule.rows, dict(listed_fields(entity, action, rule))) for action, rule in actions.items()
        }
        for entity, actions in POLICY[role].grants.items()
    }


def within(place: RowScope, scope: RowScope) -> bool:
    """Whether a row of that kind is in the scope, spelled out."""
    holds = {NONE: (), ASSIGNED: (ASSIGNED,), OWN: (ASSIGNED, OWN), TEAM: (ASSIGNED, OWN, TEAM), ALL: PLACES}
    return place in holds[scope]


def opened(rights: Any) -> set[tuple[Any, ...]]:
    """All that some rights open, one by one: an action on a kind of row; a field of it, so much of it."""
    found: set[tuple[Any, ...]] = set()
    for entity, actions in rights.items():
        for action, each in actions.items():
            for place in (place for place in PLACES if within(place, each.rows)):
                found.add((entity, action, place))
                for field, rule in each.fields.items():
                    access = rule.access if within(place, rule.on_rows) else rule.otherwise
                    for amount in {READ: (MASKED, READ), MASKED: (MASKED,), HIDDEN: ()}[access]:
                        found.add((entity, action, place, field, amount))
    return found


@given(given_=grants, own=grants)
def test_rights_cover_others_when_they_open_all_that_those_open(given_: Any, own: Any) -> None:
    assert (beyond(given_, own) == []) is (opened(given_) <= opened(own))


@given(own=grants)
def test_rights_cover_themselves_and_nothing_covers_more_than_nothing(own: Any) -> None:
    assert beyond(own, own) == []
    assert beyond({}, own) == []
    assert (beyond(own, {}) == []) is (opened(own) == set())


@given(one=grants, two=grants, three=grants)
def test_what_covers_a_cover_covers(one: Any, two: Any, three: Any) -> None:
    if not beyond(one, two) and not beyond(two, three):
        assert beyond(one, three) == []


@given(given_=grants, own=grants)
def test_every_right_that_is_missing_is_named_once_and_is_missing(given_: Any, own: Any) -> None:
    missing = beyond(given_, own)
    assert len(set(missing)) == len(missing)
    for each in missing:
        lacks = {what for what in opened(given_) - opened(own) if what[:2] == (each.entity, each.action)}
        assert any((each.field is None and len(what) == 3) or what[3:4] == (each.field,) for what in lacks), each


@pytest.mark.parametrize("role", POLICY)
def test_an_admin_has_all_that_any_built_in_role_has(role: str) -> None:
    assert beyond(built_in(role), built_in("ADMIN")) == []


def test_no_other_role_has_all_that_an_admin_has() -> None:
    for role in POLICY:
        assert role == "ADMIN" or beyond(built_in("ADMIN"), built_in(role))


def test_a_manager_covers_sales_and_not_support() -> None:
    """It sees its team's customers, support sees all: that it may invite support is a decision of its own."""
    assert beyond(built_in("SALES"), built_in("MANAGER")) == []
    missing = [str(each) for each in beyond(built_in("SUPPORT"), built_in("MANAGER"))]
    assert "read Customer on all rows" in missing


def test_scopes_are_nested_as_their_rows_are() -> None:
    assert set(NESTED) == set(RowScope)
    for one in NESTED:
        for other in NESTED:
            rows = {place for place in PLACES if within(place, one)}
            assert wider(one, other) is bool(rows - {place for place in PLACES if within(place, other)})


def test_a_field_that_is_not_named_is_closed() -> None:
    own = {"Customer": {"read": Granted(ALL, {"name": FieldRule()})}}
    more = {"Customer": {"read": Granted(OWN, {"name": FieldRule(), "email": FieldRule(MASKED, ALL, MASKED)})}}
    assert [str(each) for each in beyond(more, own)] == ["read Customer.email on own rows"]
    assert "email" in ENTITIES["Customer"]
