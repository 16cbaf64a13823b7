"""The ids of a record in other systems."""

from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import ExternalRef
from app.models.base import Entity


async def set_external_refs(work: Work, record: Entity, given: Given, *, made: bool) -> None:
    """Make the references of ``record`` those that were given; where none were, leave them as they are."""
    if "external_refs" not in given:
        return
    wanted = dict.fromkeys(given.get("external_refs") or ())
    entity = type(record).__name__
    rows = [] if made else await work.find(ExternalRef, "WHERE record_id = $1 ORDER BY system, external_id", record.id)
    present = {(row.system, row.external_id): row for row in rows if row.entity == entity}
    if present.keys() == wanted.keys():
        return
    for pair, row in present.items():
        if pair not in wanted:
            work.remove(row)
    for system, id in wanted:
        if (system, id) not in present:
            work.add(new(ExternalRef, entity=entity, system=system, external_id=id, record_id=record.id))
    if not made:
        work.touch(record)
    work.tell("externalRefs", [_shown(pair) for pair in present], [_shown(pair) for pair in wanted])


def _shown(pair: tuple[str, str]) -> dict[str, str]:
    return {"system": pair[0], "id": pair[1]}
