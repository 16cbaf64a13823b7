"""What may happen to a contact."""

from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain import deletion
from app.domain.checks import check_values
from app.domain.duplicates import check_duplicates
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import Contact

_EARLIEST = date(1900, 1, 1)
_LOCK = "SELECT FROM customers WHERE id = $1 FOR NO KEY UPDATE"
_PRIMARY = "WHERE customer_id = $1 AND is_primary AND deleted_at IS NULL AND id <> $2 ORDER BY id FOR NO KEY UPDATE"


async def create(work: Work, _: None, given: Given) -> Contact:
    """A new contact of a customer; one that is probably there already only where that is allowed."""
    if given.values.get("is_primary") is None:
        given.values.pop("is_primary", None)
    _check(work, given)
    customer: Any = given.rows.get("customer")
    if customer is not None:
        await check_duplicates(work, Contact, given, customer.id)
    work.problems.refuse()
    contact = new(Contact, created_at=work.now, updated_at=work.now)
    given.assign(contact)
    await set_external_refs(work, contact, given, made=True)
    if contact.is_primary:
        await _only_primary(work, contact)
    return work.add(contact)


async def update(work: Work, contact: Contact, given: Given) -> Contact:
    """Change what was given."""
    _check(work, given)
    work.problems.refuse()
    was_primary = contact.is_primary
    given.assign(contact)
    await set_external_refs(work, contact, given, made=False)
    if contact.is_primary and not was_primary:
        await _only_primary(work, contact)
    return contact


async def delete(work: Work, contact: Contact, _: Given) -> Contact:
    """Take it out of sight, until it is restored."""
    return deletion.delete(work, contact)


async def restore(work: Work, contact: Contact, _: Given) -> Contact:
    """Bring it back; if another contact has become the primary one meanwhile, this one is not primary any more."""
    deletion.restore(work, contact)
    if contact.is_primary and await primary_contacts(work, contact.customer_id, contact.id):
        contact.is_primary = False
    return contact


async def primary_contacts(work: Work, customer_id: UUID, but_for: UUID) -> list[Contact]:
    """The primary contacts of a customer but for one, watched.

    The customer is locked before they are looked for, so that of two who make a contact primary at once the second
    finds the first one's. Imports may have brought in several.
    """
    await work.fetch(_LOCK, customer_id)
    return await work.find(Contact, _PRIMARY, customer_id, but_for)


async def _only_primary(work: Work, contact: Contact) -> None:
    for other in await primary_contacts(work, contact.customer_id, contact.id):
        other.is_primary = False


def _check(work: Work, given: Given) -> None:
    check_values(work, Contact, given)
    birthday: date | None = given.get("birthday")
    today = work.now.astimezone(ZoneInfo(work.shop.timezone)).date()
    if birthday is not None and not _EARLIEST <= birthday <= today:
        said = f"birthday is {birthday}: it must be from {_EARLIEST} to today, {today}."
        params = {"min": str(_EARLIEST), "max": str(today), "actual": str(birthday)}
        work.problems.add(given.at("birthday"), "OUT_OF_RANGE", said, params=params)
