"""The states of an order: which may follow which, and the moment that each of them stands for."""

from collections.abc import Mapping
from types import MappingProxyType

from app.domain.states import Machine
from app.models.enums import OrderStatus

PENDING_PAYMENT, PAID, SHIPPED, DELIVERED, COMPLETED, CANCELLED, REFUNDED = OrderStatus

ORDER_STATES: Machine[OrderStatus] = MappingProxyType(
    {
        PENDING_PAYMENT: {PAID, CANCELLED},
        PAID: {SHIPPED, CANCELLED, REFUNDED},
        SHIPPED: {DELIVERED, REFUNDED},
        DELIVERED: {COMPLETED, REFUNDED},
        COMPLETED: {REFUNDED},
        CANCELLED: set(),
        REFUNDED: set(),
    }
)

ENDED = frozenset((CANCELLED, REFUNDED))
"""The states of an order that came to nothing: its opportunity may become another one."""

MOMENTS: Mapping[OrderStatus, str] = MappingProxyType(
    {
        PENDING_PAYMENT: "placed_at",
        PAID: "paid_at",
        SHIPPED: "shipped_at",
        DELIVERED: "delivered_at",
        COMPLETED: "completed_at",
        CANCELLED: "cancelled_at",
        REFUNDED: "refunded_at",
    }
)
"""The column of an order that says when it came into the state."""
