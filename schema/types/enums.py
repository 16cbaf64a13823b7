"""The closed sets of values, as the API names them."""

import strawberry

from app.models import enums

CustomerKind = strawberry.enum(enums.CustomerKind)
CustomerTier = strawberry.enum(enums.CustomerTier)
CustomerStatus = strawberry.enum(enums.CustomerStatus)
StageKind = strawberry.enum(enums.StageKind)
OrderStatus = strawberry.enum(enums.OrderStatus)
TicketStatus = strawberry.enum(enums.TicketStatus)
TicketPriority = strawberry.enum(enums.TicketPriority)
TicketKind = strawberry.enum(enums.TicketKind)
TicketChannel = strawberry.enum(enums.TicketChannel)
RowScope = strawberry.enum(enums.RowScope)
FieldAccess = strawberry.enum(enums.FieldAccess)
