"""The page to promise a date for a short order, or withdraw it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.forms import PromiseForm
from coc_admin.console.orders.views import order_context, order_or_404
from orders import deliveries, lifecycle, promises
from orders.deliveries import Expected, Suggestion
from orders.errors import CannotRemedy
from orders.lifecycle import Action
from orders.models import Order, Site
from orders.texts import made_visible

_MOST_SKUS = 10
# Two years, less the possible offset of a time zone.
_LATEST = timedelta(days=730)


@console_page("orders.change_order", methods=READ_AND_POST)
def promise(request: HttpRequest, pk: int) -> HttpResponse:
    """Explain a promised date, then set or remove it. Idempotent."""
    order = order_or_404(request, pk)
    now = timezone.now()
    suggestion = deliveries.suggest(order, now=now)
    form = PromiseForm(
        request.POST or None,
        today=now.astimezone(order.site.zone).date(),
        initial={
            "until": request.GET.get("until")
            or last_day(order)
            or _suggested_day(order, suggestion, now)
        },
    )
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            promises.set_date(
                order_id=order.pk,
                until=end_of(form.cleaned_data["until"], order.site),
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
                now=now,
            )
        except CannotRemedy as error:
            refused = error.detail
        else:
            words = _("Order %(number)s: the promised date is saved.")
            messages.success(request, words % {"number": made_visible(order.order_no)})
            return redirect("order", pk=order.pk)
    order.refresh_from_db()
    closed = lifecycle.check(order, Action.KEEP_PLACE)
    context = order_context(request, order) | {
        "form": form,
        "refused": refused,
        "is_idle": not refused and closed is not None,
        "closed": closed,
        "deliveries": [_row(one, order.site) for one in suggestion.expected[:_MOST_SKUS]],
    }
    return render(
        request, "console/remedies/order_promise.html", context, status=409 if refused else 200
    )


def last_day(order: Order) -> date | None:
    """Return the last day on which an order keeps its place, in its site's time zone."""
    if order.promised_until is None:
        return None
    moment = order.promised_until - timedelta(microseconds=1)
    return moment.astimezone(order.site.zone).date()


def _suggested_day(order: Order, suggestion: Suggestion, now: datetime) -> date | None:
    """Return the day by which enough is delivered, if the form accepts it."""
    if suggestion.at is None or suggestion.at > now + _LATEST:
        return None
    return suggestion.at.astimezone(order.site.zone).date()


def _row(one: Expected, site: Site) -> dict[str, object]:
    covered_at = one.covered_at
    return {
        "sku": one.sku,
        "units": one.next_units,
        "day": one.next_at.astimezone(site.zone).date(),
        "covered_on": covered_at.astimezone(site.zone).date() if covered_at else None,
    }


def likely_day(order: Order, *, now: datetime) -> date | None:
    """Return the day promised for an order, or else the day by which enough is delivered."""
    return last_day(order) or _suggested_day(order, deliveries.suggest(order, now=now), now)


def end_of(day: date | None, site: Site) -> datetime | None:
    """Return the first moment after a day in a site's time zone."""
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=site.zone)
