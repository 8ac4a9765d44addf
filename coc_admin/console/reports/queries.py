"""The daily reports that a person sees, and the current state of their orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from coc_admin.accounts.site_access import SiteAccess, site_access
from orders import units
from orders.desk.shortages import Sums, sums_of
from orders.fields import ZERO
from orders.models import Order, ReservationState, Resolution
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports.report_types import orders_of


def shown_reports(access: SiteAccess) -> QuerySet[ReportDay]:
    """Return the reports of the sites that a list shows now."""
    return access.narrow(ReportDay.objects.all())


def report_or_404(request: HttpRequest, pk: int) -> ReportDay:
    """Return a report that the person may open, or raise Http404."""
    reports = site_access(request).permitted(ReportDay.objects.select_related("site"))
    return get_object_or_404(reports, pk=min(pk, 2**63 - 1))


def open_orders(report: ReportDay) -> Sums:
    """Return the open units and value in the orders of an oversold report's day."""
    day = orders_of(ReportType.OVERSOLD, site=report.site, day=report.date).order_by()
    return sums_of(Order.objects.oversold().order_by().filter(pk__in=day.values("pk")))


@dataclass(frozen=True, slots=True)
class ReportItem:
    """One item of an order as in the file."""

    in_file: Mapping[str, Any]
    is_short: bool = True  # whether its order's open units count as short

    @property
    def cancelled(self) -> Decimal:
        """Units that will not be delivered; unknown in files of older revisions."""
        return Decimal(str(self.in_file.get("cancelledQuantity", 0)))

    @property
    def replaced(self) -> Decimal:
        """Units that are delivered as another item."""
        return Decimal(str(self.in_file.get("replacedQuantity", 0)))

    @property
    def short(self) -> Decimal:
        """Short and still open units, according to the file."""
        if not self.is_short:
            return ZERO
        unreserved = Decimal(str(self.in_file["shortQuantity"]))
        return units.left_of(unreserved, cancelled=self.cancelled, replaced=self.replaced)


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One order as in the file, and its current state in the database."""

    in_file: Mapping[str, Any]
    order: Order | None

    @property
    def captured_at(self) -> datetime:
        """When it was captured."""
        return datetime.fromisoformat(self.in_file["capturedAt"])

    @property
    def items(self) -> list[ReportItem]:
        """Its items as in the file."""
        is_short = units.is_short(
            reservation_state=self.in_file["reservationState"],
            resolution=self.resolution.get("what", ""),
        )
        return [ReportItem(item, is_short) for item in self.in_file["items"]]

    @property
    def total(self) -> Decimal | None:
        """The total in the file, which omits the decimals of a whole amount."""
        total = self.in_file["orderTotal"]
        return None if total is None else Decimal(total)

    @property
    def customer(self) -> str:
        """Name, or else e-mail address, of the customer."""
        customer = self.in_file["customer"]
        return str(customer.get("customerName") or customer.get("email") or "")

    @property
    def resolution(self) -> Mapping[str, Any]:
        """How it was settled, according to the file; empty if it was not."""
        return self.in_file["resolution"] or {}

    @property
    def state_label(self) -> str:
        """Its state in the file, as a label."""
        state = self.in_file["reservationState"]
        return str(dict(ReservationState.choices).get(state, state))

    @property
    def resolution_label(self) -> str:
        """The resolution in the file, as a label."""
        what = self.resolution.get("what", "")
        return str(dict(Resolution.choices).get(what, what))

    @property
    def has_moved_on(self) -> bool:
        """Whether the order has changed since the file was written."""
        if self.order is None:
            return True
        reported = (self.in_file["reservationState"], self.resolution.get("what", ""))
        return reported != (self.order.reservation_state, self.order.resolution)


def lines_of(report: ReportDay, orders: Sequence[Mapping[str, Any]]) -> list[ReportLine]:
    """Combine the orders of a page of the file with those of the database; one query."""
    numbers = [order["orderNo"] for order in orders]
    known = {
        order.order_no: order
        for order in Order.objects.filter(site=report.site_id, order_no__in=numbers)
    }
    return [ReportLine(order, known.get(order["orderNo"])) for order in orders]
