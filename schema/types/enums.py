"""The closed sets of values, as the API names them."""

import strawberry

from app.models import enums

CustomerKind = enums.CustomerKind
CustomerTier = enums.CustomerTier
CustomerStatus = enums.CustomerStatus
StageKind = enums.StageKind
OrderStatus = enums.OrderStatus
TicketStatus = enums.TicketStatus
TicketPriority = enums.TicketPriority
TicketKind = enums.TicketKind
TicketChannel = enums.TicketChannel
RowScope = enums.RowScope
FieldAccess = enums.FieldAccess
AuditOutcome = enums.AuditOutcome

for _kind in (
    CustomerKind,
    CustomerTier,
    CustomerStatus,
    StageKind,
    OrderStatus,
    TicketStatus,
    TicketPriority,
    TicketKind,
    TicketChannel,
    RowScope,
    FieldAccess,
    AuditOutcome,
):
    strawberry.enum(_kind)
