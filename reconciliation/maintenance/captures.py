"""Promise 1: no accepted order is lost, and none differs from its capture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orders.models import CaptureTrace
from orders.serializers import iso
from reconciliation.maintenance import evidence
from reconciliation.maintenance.findings import Broken, Fault
from reconciliation.models import VanishedOrder
from reconciliation.reports import missing_orders


def vanished_orders() -> Iterator[Broken]:
    """Yield each missing order that left a trace, once for each trace."""
    given_up = set(
        VanishedOrder.objects.exclude(given_up_at=None).values_list("site_id", "order_no")
    )
    for site_id, order_no, detail in _traces():
        if (site_id, order_no) not in given_up:
            detail = f"{detail}, and is not in the database"
            row = f"order {site_id} {order_no}"
            yield Broken(1, row, detail, Fault.VANISHED, key_of(site_id, order_no))


def key_of(site_id: str, order_no: str) -> str:
    """Return site and number as one word; site ids contain no slash."""
    return f"{site_id}/{order_no}"


def _traces() -> Iterator[tuple[str, str, str]]:
    for file, named in missing_orders.in_files():
        yield named.site_id, named.order_no, f"is in {file} ({_members_text(named.members())})"
    left = evidence.left_behind()
    for trace in evidence.vanished_captures():
        detail = f"was captured at {iso(trace.captured_at)} as id {trace.pk}"
        detail += f" (total {trace.order_total.normalize():f} {trace.currency})"
        if rows := left.pop(trace.pk, None):
            detail += f", has left {_rows(rows)}"
        yield trace.site_id, trace.order_no, detail
    for order_id, rows in left.items():
        site_id, order_no = _names_of(order_id)
        yield site_id, order_no, f"has left {_rows(rows)}"


def _members_text(members: dict[str, Any]) -> str:
    if not members:
        return "its line is damaged"
    state, total = members.get("reservationState"), members.get("orderTotal")
    currency, at = members.get("currency"), members.get("capturedAt")
    return f"{state}, total {total} {currency}, captured at {at}"


def _rows(rows: dict[str, int]) -> str:
    return ", ".join(f"{number} rows in {table}" for table, number in sorted(rows.items()))


def _names_of(order_id: int) -> tuple[str, str]:
    """Return site and number of an order known only from rows it left behind."""
    if trace := CaptureTrace.objects.filter(pk=order_id).first():
        return trace.site_id, trace.order_no
    return "(site unknown)", f"(id {order_id})"


def changed_orders() -> Iterator[Broken]:
    """Yield each order that differs from its capture."""
    for found in evidence.all_evidence():
        row = f"order {found.order.site_id} {found.order.order_no} (id {found.order.pk})"
        if fault := found.payload_fault():
            yield Broken(1, row, fault, Fault.PAYLOAD, found.order.pk)
        for difference in found.differences():
            yield Broken(1, row, str(difference), Fault.CHANGED, found.order.pk)
