"""The page with an order as the storefront sent it."""

from __future__ import annotations

import json

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from coc_admin.console import audit
from coc_admin.console.access import console_page
from coc_admin.console.orders.views import order_or_404
from orders.models import OrderPayload

MOST_CHARACTERS = 200_000


@console_page("orders.view_orderpayload")
def payload(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the payload of an order as stored, indented; records who viewed it."""
    order = order_or_404(request, pk)
    kept = OrderPayload.objects.filter(order=order).first()
    with transaction.atomic():
        audit.record(request=request, action="order.payload_seen", target=f"order:{order.pk}")
    body = kept.body if kept is not None else ""
    pretty = _indented(body)
    context = {
        "order": order,
        "is_kept": kept is not None,
        "pretty": pretty[:MOST_CHARACTERS],
        "body": body[:MOST_CHARACTERS],
        "is_cut": max(len(pretty), len(body)) > MOST_CHARACTERS,
        "most": MOST_CHARACTERS,
    }
    return render(request, "console/orders/order_payload.html", context)


def _indented(body: str) -> str:
    """Return the indented text, only as far as it is shown.

    Indenting a million numbers in nine hundred brackets would take two gigabytes of spaces.
    """
    pieces, length = [], 0
    try:
        for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(json.loads(body)):
            pieces.append(piece)
            length += len(piece)
            if length > MOST_CHARACTERS:
                break
    except (ValueError, RecursionError):
        return body
    # JSON can contain half of a surrogate pair as an escape, but a page can't.
    return "".join(pieces).encode("utf-8", "backslashreplace").decode()
