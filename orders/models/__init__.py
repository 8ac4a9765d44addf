"""Models of the orders app."""

from __future__ import annotations

from orders.models.inventory import Hold, HoldState, InventoryRecord, Movement, MovementReason
from orders.models.orders import (
    SETTLED_STATES,
    ActorKind,
    EventKind,
    ExportStatus,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    OrderStatus,
    ReservationState,
    Resolution,
)
from orders.models.sites import InventoryList, ListType, Site, UnknownSkuPolicy

__all__ = [
    "SETTLED_STATES",
    "ActorKind",
    "EventKind",
    "ExportStatus",
    "Hold",
    "HoldState",
    "InventoryList",
    "InventoryRecord",
    "ListType",
    "Movement",
    "MovementReason",
    "Order",
    "OrderEvent",
    "OrderItem",
    "OrderPayload",
    "OrderStatus",
    "ReservationState",
    "Resolution",
    "Site",
    "UnknownSkuPolicy",
]
