"""What may happen to a customer."""

from app.db.ids import print_id
from app.domain import deletion
from app.domain.checks import check_values
from app.domain.duplicates import check_duplicates
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.owners import check_owner, own_by_default
from app.domain.rows import new
from app.domain.work import Work
from app.models import Customer

_DEFAULTED = ("tier", "status", "code")


async def create(work: Work, _: None, given: Given) -> Customer:
    """A new customer; one that is probably there already only where that is allowed."""
    for name in _DEFAULTED:
        if given.values.get(name) is None:
            given.values.pop(name, None)
    check_values(work, Customer, given)
    check_owner(work, given, made=True)
    await check_duplicates(work, Customer, given)
    work.problems.refuse()
    customer = new(Customer, owner_id=own_by_default(work, given), created_at=work.now, updated_at=work.now)
    given.assign(customer, "owner_id")
    await set_external_refs(work, customer, given, made=True)
    return work.add(customer)


async def update(work: Work, customer: Customer, given: Given) -> Customer:
    """Change what was given."""
    check_update(work, given)
    work.problems.refuse()
    given.assign(customer)
    await set_external_refs(work, customer, given, made=False)
    return customer


def check_update(work: Work, given: Given) -> None:
    """Note what is wrong with changes of a customer."""
    check_values(work, Customer, given)
    check_owner(work, given, made=False)


async def delete(work: Work, customer: Customer, _: Given) -> Customer:
    """Mark it as deleted; its contacts, deals, orders and tickets are out of sight with it, until it is restored."""
    return deletion.delete(work, customer)


async def restore(work: Work, customer: Customer, given: Given) -> Customer:
    """Bring it back, and with it all that it hid. ``asked_id`` is the id that the caller named: a merged customer is
    answered for by its survivor, and comes back by taking the merge apart only."""
    if given.values["asked_id"] != customer.id:
        survivor = print_id(Customer.prefix, customer.id)
        said = f"This Customer was merged into {survivor}: take the merge apart with unmergeCustomer to have it back."
        work.problems.add(("id",), "INVALID_TRANSITION", said, ids=(survivor,))
        work.problems.refuse()
    return deletion.restore(work, customer)
