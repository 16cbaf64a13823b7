"""The states of a ticket."""

from app.domain.states import Machine
from app.models.enums import TicketStatus

_OPEN, _PENDING, _RESOLVED, _CLOSED = TicketStatus

TICKET_STATES: Machine[TicketStatus] = {
    _OPEN: {_PENDING, _RESOLVED, _CLOSED},
    _PENDING: {_OPEN, _RESOLVED, _CLOSED},
    _RESOLVED: {_OPEN, _CLOSED},
    _CLOSED: {_OPEN},
}
"""OPEN is worked on; PENDING waits for the customer; RESOLVED is done for the shop, CLOSED for good."""

SETTLED = frozenset({_RESOLVED, _CLOSED})
"""The states in which a ticket is done."""
