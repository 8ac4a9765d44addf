"""What stays selected after an act on many orders: those it left out, and those it couldn't do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from coc_admin.console.bulk.selection import Choice
from coc_admin.console.bulk.selection_views import LISTS
from orders.models import Order
from reconciliation.models import BulkRemedy, BulkState

_DONE = (BulkState.DONE, BulkState.BEGUN, BulkState.ALREADY)


def deselect_done(request: HttpRequest, made: BulkRemedy) -> None:
    """Deselect the orders that `made` has changed, and on the desk those that left it otherwise."""
    states = dict(made.lines.values_list("order", "state"))
    done = {pk for pk, state in states.items() if state in _DONE}
    left = states.keys() - done
    open_ones = Order.objects.oversold().order_by().filter(pk__in=left)
    gone = left - set(open_ones.values_list("pk", flat=True))
    for listing in LISTS:
        Choice(request, listing).drop(done | gone if listing == "desk" else done)


def left_over_context(request: HttpRequest, made: BulkRemedy) -> dict[str, Any]:
    """Return the context of console/bulk/_left_over.html: orders done, and those still selected."""
    states = dict(made.lines.values_list("order", "state"))
    selected = {
        listing: sum(pk in states for pk in Choice(request, listing).seen) for listing in LISTS
    }
    listing = max(selected, key=selected.__getitem__)
    return {
        "done_number": sum(state in _DONE for state in states.values()),
        "left_number": selected[listing],
        "left_url": reverse(listing),
    }
