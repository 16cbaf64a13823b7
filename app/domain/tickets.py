"""What may happen to a ticket."""

from app.domain.checks import check_values
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import Ticket


async def create(work: Work, _: None, given: Given) -> Ticket:
    """A new ticket of a customer."""
    check_values(work, Ticket, given)
    work.problems.refuse()
    ticket = new(Ticket, created_at=work.now, updated_at=work.now)
    given.assign(ticket)
    if ticket.assignee_id is not None:
        ticket.assigned_by_id = work.actor.user_id
    await set_external_refs(work, ticket, given, made=True)
    return work.add(ticket)
