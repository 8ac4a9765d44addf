"""Whether the daily reports agree with the database, order by order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from orders.fields import json_number
from orders.models import Order, OrderEvent, Site
from orders.serializers import iso
from reconciliation.models import ReportDay, ReportType
from reconciliation.reports import daily, missing_orders, names
from reconciliation.reports.report_types import orders_of

_CHUNK = 500
# Facts shared by many orders are reported with a few examples.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Unfaithful:
    """A report that contradicts the database, or (id 0) those of a site together.

    With `order_id`, an order that differs from the report.
    """

    name: str
    fault: str
    site_id: str
    report_id: int = 0
    order_id: int = 0


def unfaithful_days() -> Iterator[Unfaithful]:
    """Yield each report, and each order in one, that contradicts the database.

    Outdated reports are left out: their changes are merged soon.
    """
    behind = set(
        OrderEvent.objects.filter(projected=False).values_list("order__site", flat=True).distinct()
    )
    for site in Site.objects.exclude(pk__in=behind):
        days = ReportDay.objects.filter(site=site).select_related("site")
        if days.filter(needs_merge=True).exists():
            continue
        for report in days.order_by("date", "report_type").iterator():
            yield from _of_report(report)
        offline = days.filter(report_type=ReportType.OFFLINE)
        in_reports = offline.aggregate(n=Sum("order_count"))["n"] or 0
        captured = Order.objects.filter(site=site, captured_offline=True).count()
        if in_reports != captured:
            detail = f"all days hold {in_reports} orders, the database {captured}"
            yield Unfaithful(f"offline of {site.pk}", detail, site.pk)


def _of_report(report: ReportDay) -> Iterator[Unfaithful]:
    name, site = names.name_of(report), report.site
    fault = daily.fault_of(report, deep=True)
    if fault:
        yield Unfaithful(name, fault, site.pk, report.pk)
    there = orders_of(report.report_type, site=site, day=report.date).count()
    if there != report.order_count:
        detail = f"holds {report.order_count} orders, the database {there}"
        yield Unfaithful(name, detail, site.pk, report.pk)
    if not fault:
        yield from _by_number(report)


def _by_number(report: ReportDay) -> Iterator[Unfaithful]:
    """Compare the orders of the file with the rows, in both directions.

    `missing_orders.in_files` covers orders without a row.
    """
    belong = orders_of(report.report_type, site=report.site, day=report.date)
    in_file: set[str] = set()
    for chunk in missing_orders.in_chunks(missing_orders.orders_in(names.path_of(report))):
        numbers = {one.order_no for one in chunk if one.site_id == report.site_id}
        in_file |= numbers
        rows = Order.objects.filter(site=report.site, order_no__in=numbers)
        found = {order.order_no: order for order in rows}
        belongs = set(belong.filter(order_no__in=numbers).values_list("order_no", flat=True))
        stray = [f"order {no} is in it and belongs elsewhere" for no in found if no not in belongs]
        yield from _about(report, stray)
        outdated: list[str] = []
        for one in chunk:
            if (order := found.get(one.order_no)) is not None:
                name, members = names.name_of(report), one.members()
                outdated += _with_another_state(members, order)
                for detail in _otherwise(members, order):
                    yield Unfaithful(name, detail, report.site_id, report.pk, order.pk)
        yield from _about(report, outdated)
    lacking = belong.values_list("order_no", flat=True).iterator(chunk_size=_CHUNK)
    yield from _about(report, [f"order {no} is not in it" for no in lacking if no not in in_file])


def _with_another_state(members: dict[str, Any], order: Order) -> Iterator[str]:
    """Yield the state that a report gives an order if it differs; a rewrite corrects that."""
    state = members.get("reservationState")
    if state not in (None, order.reservation_state):
        yield f"order {order.order_no} is {state} in it, and {order.reservation_state} now"


def _about(report: ReportDay, details: list[str]) -> Iterator[Unfaithful]:
    more = len(details) - _MOST_NAMED
    for detail in details[:_MOST_NAMED] + ([f"and {more} more orders"] if more > 0 else []):
        yield Unfaithful(names.name_of(report), detail, report.site_id, report.pk)


def _otherwise(members: dict[str, Any], order: Order) -> Iterator[str]:
    """Yield the differences between a file and an order's capture."""
    now = {
        "capturedAt": iso(order.captured_at),
        "currency": order.currency,
        "orderTotal": json_number(order.order_total),
        "customer": order.customer,
    }
    for name, value in now.items():
        if name in members and members[name] != value:
            of = f"says of order {order.order_no}"
            if name == "customer":
                yield f"{of}: another customer than its row"
            else:
                yield f"{of}: {name} {members[name]}, its row {value}"
