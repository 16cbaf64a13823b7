"""What may happen to a customer."""

from app.domain.checks import check_values
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.owners import check_owner, own_by_default
from app.domain.rows import new
from app.domain.work import Work
from app.models import Customer

_DEFAULTED = ("tier", "status", "code")


async def create(work: Work, _: None, given: Given) -> Customer:
    """A new customer."""
    for name in _DEFAULTED:
        if given.values.get(name) is None:
            given.values.pop(name, None)
    check_values(work, Customer, given)
    check_owner(work, given, made=True)
    work.problems.refuse()
    customer = new(Customer, owner_id=own_by_default(work, given), created_at=work.now, updated_at=work.now)
    given.assign(customer, "owner_id")
    await set_external_refs(work, customer, given, made=True)
    return work.add(customer)


async def update(work: Work, customer: Customer, given: Given) -> Customer:
    """Change what was given."""
    check_values(work, Customer, given)
    check_owner(work, given, made=False)
    work.problems.refuse()
    given.assign(customer)
    await set_external_refs(work, customer, given, made=False)
    return customer


async def delete(work: Work, customer: Customer, _: Given) -> Customer:
    """Mark it as deleted; its contacts, deals, orders and tickets are out of sight with it, until it is restored."""
    customer.deleted_at = work.now
    return customer
