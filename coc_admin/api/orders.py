"""Orders: read them, change their export status, cancel them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router

from coc_admin.api.access import BearerToken, actor_of, site_of, token_of
from coc_admin.api.pages import page_of, refuse_unknown
from coc_admin.api.problems import NotFound
from coc_admin.api.serializers import (
    Cancellation,
    OrderChange,
    OrderFilters,
    OrderPage,
)
from coc_admin.models import TokenScope
from coc_admin.pager import Column, Keyset
from orders import exports
from orders.documents import (
    OrderDocument,
    lengths_of_payloads,
    order_document,
    with_documents,
)
from orders.models import Order, Site
from orders.texts import is_plain
from reconciliation.reservation import release

router = Router(tags=["Orders"])

# A page ends early if its orders together have more lines than this.
MOST_ITEMS = 5_000
# ... or were sent with more characters than this
MOST_CHARACTERS = 8_000_000

SiteId = Annotated[str, Path(alias="siteId")]
OrderNo = Annotated[str, Path(alias="orderNo")]

READ = BearerToken(TokenScope.ORDERS_READ)
WRITE = BearerToken(TokenScope.ORDERS_WRITE)
_BY_CAPTURE = Keyset(Column("captured_at", datetime), Column("pk"))


@router.get("/sites/{siteId}/orders", auth=READ, response=OrderPage, operation_id="listOrders")
def list_orders(request: HttpRequest, site_id: SiteId, filters: Query[OrderFilters]) -> Any:
    """List orders, the oldest capture first.

    A page may hold fewer orders than its limit; there are more while nextCursor is not null.
    """
    site = site_of(token_of(request), site_id)
    refuse_unknown(request, filters)
    found = _filtered(Order.objects.filter(site=site), filters)
    page = page_of(_BY_CAPTURE, found, filters)
    orders = _within_bounds(page.rows)
    was_cut = len(orders) < len(page.rows)
    further = _BY_CAPTURE.cursor_at(orders[-1]) if was_cut else page.next_cursor
    full = with_documents(Order.objects.filter(pk__in=[order.pk for order in orders]))
    return {
        "orders": [order_document(order) for order in _BY_CAPTURE.sorted(full)],
        "nextCursor": further or None,
    }


def _filtered(orders: QuerySet[Order], filters: OrderFilters) -> QuerySet[Order]:
    if filters.reservationState is not None:
        orders = orders.filter(reservation_state=filters.reservationState)
    if filters.exportStatus is not None:
        orders = orders.filter(export_status=filters.exportStatus)
    if filters.capturedOffline is not None:
        orders = orders.filter(captured_offline=filters.capturedOffline)
    if filters.capturedFrom is not None:
        orders = orders.filter(captured_at__gte=filters.capturedFrom)
    if filters.capturedTo is not None:
        orders = orders.filter(captured_at__lt=filters.capturedTo)
    return orders


def _within_bounds(orders: list[Order]) -> list[Order]:
    """Return the first of `orders`, as many as have MOST_ITEMS lines and were MOST_CHARACTERS long
    together, but at least one.
    """
    chosen = Order.objects.filter(pk__in=[order.pk for order in orders]).order_by()
    lines = dict(chosen.values_list("pk").annotate(lines=Count("items")))
    lengths = lengths_of_payloads(chosen)
    total = length = 0
    for index, order in enumerate(orders):
        total += lines.get(order.pk, 0)
        length += lengths.get(order.pk, 0)
        if index and (total > MOST_ITEMS or length > MOST_CHARACTERS):
            return orders[:index]
    return orders


@router.post(
    "/sites/{siteId}/orders/{path:orderNo}/cancel",
    auth=WRITE,
    response=OrderDocument,
    operation_id="cancelOrder",
)
def cancel_order(
    request: HttpRequest, site_id: SiteId, order_no: OrderNo, body: Cancellation
) -> Any:
    """Cancel an order; asking again changes nothing.

    Its status is cancelled, or cancelling while something must be undone at OCI first.
    """
    token = token_of(request)
    order = _order(site_of(token, site_id), order_no)
    release.cancel_order(
        order_id=order.pk, actor=actor_of(token), reason=body.reason.strip(), now=timezone.now()
    )
    return _answer(order.pk)


@router.get(
    "/sites/{siteId}/orders/{path:orderNo}",
    auth=READ,
    response=OrderDocument,
    operation_id="getOrder",
)
def get_order(request: HttpRequest, site_id: SiteId, order_no: OrderNo) -> Any:
    """Read one order."""
    refuse_unknown(request)
    return _answer(_order(site_of(token_of(request), site_id), order_no).pk)


@router.patch(
    "/sites/{siteId}/orders/{path:orderNo}",
    auth=WRITE,
    response=OrderDocument,
    operation_id="changeOrder",
)
def change_order(
    request: HttpRequest, site_id: SiteId, order_no: OrderNo, body: OrderChange
) -> Any:
    """Change the export status: order management has taken an order, or failed to.

    With exported, name the version that you took: 409 order-changed if it is no longer the current
    one. Refused while the reservation is missing. Ready after failed resubmits the order.
    Idempotent.
    """
    token = token_of(request)
    order = _order(site_of(token, site_id), order_no)
    exports.change_export_status(
        order_id=order.pk,
        to=body.exportStatus,
        version=body.version,
        actor=actor_of(token),
        now=timezone.now(),
    )
    return _answer(order.pk)


def _order(site: Site, order_no: str) -> Order:
    """Return the order; raises NotFound, also for an invalid order number."""
    found = None
    if is_plain(order_no) and len(order_no) <= 50:
        found = Order.objects.filter(site=site, order_no=order_no).first()
    if found is None:
        raise NotFound("The site has no order with this number.")
    return found


def _answer(order_id: int) -> dict[str, Any]:
    return order_document(with_documents(Order.objects.all()).get(pk=order_id))
