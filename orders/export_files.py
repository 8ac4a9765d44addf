"""The orders that order management may take, as a file: read in pages, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Q

from orders import order_xml
from orders.documents import order_document, with_documents
from orders.models import ExportStatus, Order, OrderStatus, Site

PAGE = 100


class FileFormat(StrEnum):
    """How orders are written."""

    B2C_XML = "b2c-xml"
    JSONL = "jsonl"


def ready_orders(*, site: Site, since: datetime | None = None) -> Iterator[Any]:
    """Yield a site's ready orders, oldest first, prepared for their documents.

    `since` leaves out orders captured earlier.
    """
    found = with_documents(
        Order.objects.filter(site=site, export_status=ExportStatus.READY, status=OrderStatus.NEW)
    ).order_by("captured_at", "pk")
    if since is not None:
        found = found.filter(captured_at__gte=since)
    page = list(found[:PAGE])
    while page:
        yield from page
        at, pk = page[-1].captured_at, page[-1].pk
        page = list(found.filter(Q(captured_at__gt=at) | Q(captured_at=at, pk__gt=pk))[:PAGE])


def lines_of(
    orders: Iterator[Any],
    file_format: FileFormat,
    *,
    written: Callable[[Any], None],
    left_out: Callable[[Any, str], None],
) -> Iterator[str]:
    """Yield the text of a file with these orders.

    Calls `written` for each order in it, and `left_out` with the reason for one that the format has
    no place for.
    """
    is_xml = file_format == FileFormat.B2C_XML
    if is_xml:
        yield order_xml.HEAD
    for order in orders:
        if is_xml and (why := order_xml.refusal_of(order)):
            left_out(order, why)
            continue
        if is_xml:
            yield order_xml.order_xml(order)
        else:
            yield json.dumps(order_document(order), ensure_ascii=False) + "\n"
        written(order)
    if is_xml:
        yield order_xml.TAIL
