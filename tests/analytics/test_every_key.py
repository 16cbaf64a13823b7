"""Every key of every aggregate by every role, the stranger first: what cannot be read can be no key."""

from typing import Any

import pytest

from auth.policy import POLICY
from tests.api import open_api
from tests.matrix import CALLERS, SCHEMA, grant, never_read
from tests.nasty_shop import Shop
from tests.oracle.rows import TO_ONE, snake

pytestmark = pytest.mark.anyio

ROOTS = {
    "Customer": "customersAggregate",
    "Opportunity": "opportunitiesAggregate",
    "Order": "ordersAggregate",
    "Ticket": "ticketsAggregate",
}
AMOUNTS = {"Opportunity": "amount", "Order": "total"}
"""Whoever may not read an amount may not read its currency."""

OF_ORDERS = ("rfm_segment", "churn_state")


def keys(entity: str) -> list[tuple[str, str]]:
    """The keys of an aggregate as they are written, and each as an argument, moments by the month."""
    fields: Any = SCHEMA.type_map.get(f"{entity}GroupKey")
    enum: Any = SCHEMA.type_map.get(f"{entity}GroupField")
    if enum is None:
        return []
    types = {snake(name): str(field.type) for name, field in fields.fields.items()}
    moments = {name for name, kind in types.items() if kind.strip("!") == "DateTime"}
    return [(name, f"field: {name}{' bucket: MONTH' if name.lower() in moments else ''}") for name in enum.values]


def closed(role: str, entity: str, path: str) -> bool:
    """Whether the policy keeps ``path`` (in snake case, relations first) from the role."""
    for relation, target in TO_ONE.get(entity, {}).items():
        step = snake(relation)
        if path == step or path.startswith(f"{step}_"):
            if grant(role, target) is None or never_read(role, entity, relation):
                return True
            rest = path[len(step) + 1 :]
            return bool(rest) and closed(role, target, rest)
    if path in OF_ORDERS:
        return grant(role, "Order") is None
    first, *others = path.split("_")
    field = first + "".join(word.title() for word in others)
    return never_read(role, entity, AMOUNTS[entity] if field == "currency" else field)


@pytest.mark.parametrize("entity", [each for each in ROOTS if keys(each)])
async def test_by_every_role(shop: Shop, entity: str) -> None:
    async with open_api(shop.url, read_pool=2) as api:
        for name, key in keys(entity):
            document = f"{{ {ROOTS[entity]}(groupBy: [{{ {key} }}]) {{ groups {{ count }} }} }}"
            stranger = await api.post(document)
            assert [error["extensions"]["code"] for error in stranger["errors"]] == ["UNAUTHENTICATED"]
            for role, label in CALLERS.items():
                answer = await api.post(document, user=shop.ids[label])
                codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
                may = "analyse" in POLICY[role].grants.get(entity, {}) and not closed(role, entity, name.lower())
                assert codes == ([] if may else ["FORBIDDEN"]), (role, name, answer)
