"""Models of the orders app."""

from __future__ import annotations

from orders.models.adjustments import Adjustment, AdjustmentLine, AdjustmentState
from orders.models.asks import Ask, AskAnswer
from orders.models.deliveries import Delivery
from orders.models.desk import DeskEntry
from orders.models.history import ActorKind, EventKind, OrderEvent, OrderPayload
from orders.models.inventory import Hold, HoldState, InventoryRecord, Movement, MovementReason
from orders.models.items import ItemKind, OrderItem
from orders.models.messages import (
    CustomerMessage,
    HandOver,
    MessageKind,
    MessageRoute,
    MessageTemplate,
)
from orders.models.orders import (
    SETTLED_STATES,
    SHORT_STATES,
    ExportStatus,
    OpenRemedy,
    Order,
    OrderStatus,
    ReservationState,
    Resolution,
)
from orders.models.promises import Promise
from orders.models.refused import RefusedOrder
from orders.models.replacements import Replacement, ReplacementPart, ReplacementState
from orders.models.search import OrderText, ProductText
from orders.models.sites import (
    InventoryList,
    ListType,
    PermittedList,
    RiskAcceptance,
    ShortHandover,
    Site,
    UnknownSkuPolicy,
)
from orders.models.traces import CaptureTrace

__all__ = [
    "SETTLED_STATES",
    "SHORT_STATES",
    "ActorKind",
    "Adjustment",
    "AdjustmentLine",
    "AdjustmentState",
    "Ask",
    "AskAnswer",
    "CaptureTrace",
    "CustomerMessage",
    "Delivery",
    "DeskEntry",
    "EventKind",
    "ExportStatus",
    "HandOver",
    "Hold",
    "HoldState",
    "InventoryList",
    "InventoryRecord",
    "ItemKind",
    "ListType",
    "MessageKind",
    "MessageRoute",
    "MessageTemplate",
    "Movement",
    "MovementReason",
    "OpenRemedy",
    "Order",
    "OrderEvent",
    "OrderItem",
    "OrderPayload",
    "OrderStatus",
    "OrderText",
    "PermittedList",
    "ProductText",
    "Promise",
    "RefusedOrder",
    "Replacement",
    "ReplacementPart",
    "ReplacementState",
    "ReservationState",
    "Resolution",
    "RiskAcceptance",
    "ShortHandover",
    "Site",
    "UnknownSkuPolicy",
]
