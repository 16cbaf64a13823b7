"""Records that are probably there already: whoever makes one more must say that this is meant."""

from typing import Any
from uuid import UUID

from app.db.ids import print_id
from app.domain.given import Given
from app.domain.work import Work
from app.models.base import Row

COMPARED = ("email", "phone")


async def check_duplicates(work: Work, entity: type[Row], given: Given, customer_id: UUID | None = None) -> None:
    """Note which records have the same email or phone number, as far as the actor may READ it there.

    Of contacts, a phone number counts within the customer of ``customer_id`` only. The option ``allow_duplicate``
    leaves all this out.
    """
    if given.options.get("allow_duplicate"):
        return
    wrong = {problem.field for problem in work.problems.found}
    sought: dict[str, str] = {}
    for name in COMPARED:
        value: Any = given.get(name)
        if value and value.strip() and given.at(name) not in wrong:
            sought[name] = value
    if not sought:
        return
    found: dict[str, list[str]] = {}
    for name, id in await work.eyes.alike(entity, sought, customer_id):
        found.setdefault(name, []).append(print_id(entity.prefix, id))
    for name, ids in found.items():
        others = (
            f"Another {entity.__name__} has" if len(ids) == 1 else f"{len(ids)} other {entity.__name__} records have"
        )
        said = f"{others} this {name}. If you want one more all the same, send allowDuplicate: true."
        work.problems.add(given.at(name), "DUPLICATE", said, ids=tuple(ids))
