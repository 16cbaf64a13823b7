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
TimeBucket = enums.TimeBucket
RfmSegment = enums.RfmSegment
ChurnState = enums.ChurnState
WinRateKey = enums.WinRateKey
ProductRanking = enums.ProductRanking

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
    TimeBucket,
    RfmSegment,
    ChurnState,
    WinRateKey,
    ProductRanking,
):
    strawberry.enum(_kind)
