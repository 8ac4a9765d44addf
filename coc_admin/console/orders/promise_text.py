"""The place of a short order in the queue for arriving stock, in words."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from orders import promises
from orders.lifecycle import is_oversold
from orders.models import Order

_MOST_SKUS = 3


def promise_texts(orders: Collection[Order], *, now: datetime) -> dict[int, str]:
    """Return the text about each order's place, by key; two queries for all of them.

    The orders have their sites loaded. A decided order, or one with neither place nor date, has no
    text.
    """
    short = [order for order in orders if is_oversold(order)]
    places = promises.places_of([order.pk for order in short], now=now) if short else {}
    found = {}
    for order in short:
        parts = [
            _("Place %(place)s for %(sku)s") % {"place": place, "sku": sku}
            for sku, place in sorted(places.get(order.pk, {}).items())[:_MOST_SKUS]
        ]
        if order.promised_until is not None:
            last = order.promised_until - timedelta(microseconds=1)
            day = date_format(last.astimezone(order.site.zone).date(), "DATE_FORMAT")
            if order.promised_until <= now:
                parts = [_("Promised until %(day)s, which has passed: decide") % {"day": day}]
            else:
                parts.append(_("promised until %(day)s") % {"day": day})
        if parts:
            found[order.pk] = ", ".join(parts)
    return found
