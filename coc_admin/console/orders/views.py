"""Pages about orders: the list, one order with its history, and its cancellation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from coc_admin.accounts.site_access import site_access
from coc_admin.console import queries
from coc_admin.console.access import READ_AND_POST, console_page
from coc_admin.console.audit import actor_of
from coc_admin.console.bulk.selection import Choice
from coc_admin.console.bulk.selection_views import bar_context
from coc_admin.console.columns import OF_ORDERS, columns_of
from coc_admin.console.forms import ReasonForm
from coc_admin.console.frame import frame_of
from coc_admin.console.labels import Standing, standing
from coc_admin.console.orders import first_order
from coc_admin.console.orders.filters import read_filter
from coc_admin.console.orders.item_timeline import kept_words
from coc_admin.console.orders.item_tree import nested
from coc_admin.console.orders.promise_text import promise_texts
from coc_admin.console.orders.timeline import timeline
from coc_admin.console.saved_views import menu
from coc_admin.console.sorting import Heads
from coc_admin.models import SavedView
from orders import asks, exports, handover, lifecycle, outcomes
from orders.adjustments import event_lines
from orders.fields import ZERO
from orders.lifecycle import Action, OpenRemedy
from orders.models import (
    Adjustment,
    ExportStatus,
    Hold,
    Order,
    OrderItem,
    OrderStatus,
    Replacement,
    Resolution,
)
from orders.models.adjustments import OPEN_ADJUSTMENT
from orders.models.inventory import OPEN_HOLDS
from orders.models.replacements import OPEN_REPLACEMENT
from orders.settlement import check_reopen
from orders.texts import made_visible
from orders.units import units_of, units_of_orders
from reconciliation.message_handover import messages_of
from reconciliation.models import ReservationDocument

MOST_ITEMS = 200
MOST_DOCUMENTS = 50


@console_page("orders.view_order")
def order_list(request: HttpRequest) -> HttpResponse:
    """List orders by the filters of read_filter; the search field leads here too."""
    first = menu.first_view(request, SavedView.List.ORDERS)
    if first is not None:
        return first
    wanted = read_filter(request)
    found = wanted.orders()
    if wanted.is_search_alone:
        only = _only_order(found, wanted.text)
        if only:
            return redirect("order", pk=only.pk)
    page = queries.page_of_orders(found, cursor=wanted.cursor, sort=wanted.sort)
    units = units_of_orders(page.rows)
    number, more = queries.count_up_to(found, of_customer=wanted.is_of_customer)
    choice = Choice(request, "orders")
    context = {
        "rows": [(order, units[order.pk]) for order in page.rows],
        "page": page,
        "number": number,
        "more": more,
        "wanted": wanted,
        "form": wanted.form,
        "states": queries.ORDER_STATES,
        "saved": menu.menu_of(request, SavedView.List.ORDERS, wanted.form),
        "columns": columns_of(request, OF_ORDERS),
        "heads": Heads(queries.SORT_COLUMNS, queries.SORT_WORDS, wanted.sort),
        "sites": site_access(request).sites,
        "may_resubmit": request.user.has_perm("orders.change_order")
        and site_access(request).orders(exports.failed()).exists(),
        "chosen_keys": set(choice.seen),
        "first_order": "" if page.rows else first_order.of_empty_installation(request),
        **bar_context(request, choice, "orders", shown=[order.pk for order in page.rows]),
    }
    return render(request, "console/orders/orders.html", context)


def _only_order(found: QuerySet[Order], text: str) -> Order | None:
    first_two = list(found.filter(order_no=text).order_by()[:2])
    return first_two[0] if len(first_two) == 1 else None


def _state_of(order: Order) -> str:
    """Return a fingerprint of the order's state; changes when the state changes."""
    shown = (
        order.status,
        order.reservation_state,
        order.export_status,
        order.generation,
        order.resolution,
        order.needs_review_since,
        order.promised_until,
        order.export_due_at,
        order.customer_erased_at,
    )
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


@console_page("orders.view_order")
def order_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the live parts of an order's page, and whether the order has changed since."""
    order = order_or_404(request, pk)
    has_changed = request.GET.get("seen", "") != _state_of(order)
    context = {"order": order, "has_changed": has_changed}
    return render(request, "console/orders/order_live.html", context)


@console_page("orders.view_order")
def order_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one order: its state, items, history and documents at OCI."""
    order = order_or_404(request, pk)
    context = order_context(request, order) | {
        "seen": _state_of(order),
        "asked": asks.last_of(order) if lifecycle.is_oversold(order) else None,
    }
    return render(request, "console/orders/order.html", context)


def order_or_404(request: HttpRequest, pk: int) -> Order:
    """Return the order with this key, or raise Http404, also for another site's order."""
    orders = site_access(request).permitted_orders().select_related("site")
    return get_object_or_404(orders, pk=min(pk, 2**63 - 1))


def order_context(request: HttpRequest, order: Order) -> dict[str, Any]:
    """Return the context of the pages about one order."""
    rows = OrderItem.objects.filter(order=order).order_by("position")
    items = list(rows.select_related("replaces", "parent"))
    documents = (
        ReservationDocument.objects.filter(order=order)
        .order_by("generation", "part")
        .prefetch_related("releases")
    )
    is_free = lifecycle.open_remedy(order) == OpenRemedy.NONE
    being_replaced = being_adjusted = None
    if not is_free:
        being_replaced = Replacement.objects.filter(OPEN_REPLACEMENT, order=order).first()
        being_adjusted = Adjustment.objects.filter(OPEN_ADJUSTMENT, order=order).first()
    still_held = _held_by_failed(order)
    return {
        "order": order,
        "back": reverse("order", args=[order.pk]),
        "items": nested(items)[:MOST_ITEMS],
        "items_left_out": max(0, len(items) - MOST_ITEMS),
        "sums": units_of(order, items),
        "being_replaced": being_replaced,
        "being_replaced_parts": being_replaced.parts.select_related("item")
        if being_replaced
        else (),
        "being_adjusted": being_adjusted,
        "adjusted_how": kept_words(event_lines(being_adjusted)) if being_adjusted else (),
        "is_settled_outside": order.resolution == Resolution.SETTLED_OUTSIDE,
        "standing": _standing(request, order, items, is_free=is_free, held=still_held),
        "still_held": still_held,
        "promise": promise_texts([order], now=timezone.now()).get(order.pk),
        "story": timeline(order, items),
        "documents": list(documents.defer("body")[:MOST_DOCUMENTS]),
        "customer_messages": messages_of(order),
        **_open_actions(request, order, items),
    }


def _open_actions(
    request: HttpRequest, order: Order, items: Sequence[OrderItem]
) -> dict[str, bool]:
    """Return the actions that the pages of an order offer to this person."""
    may_change = request.user.has_perm("orders.change_order")
    has_cancelled = any(item.cancelled_quantity for item in items)

    def is_open(action: Action) -> bool:
        return lifecycle.check(order, action) is None

    return {
        "may_decide": may_change and lifecycle.is_oversold(order),
        "may_cancel": may_change and is_open(Action.CANCEL),
        "may_cancel_items": may_change and is_open(Action.CANCEL_SHORT),
        "may_replace": may_change and is_open(Action.REPLACE),
        "may_adjust": is_open(Action.ADJUST)
        and request.user.has_perm("reconciliation.adjust_reservation"),
        "is_waiting_for_handover": handover.is_waiting(order),
        "may_hand_over": may_change and handover.is_waiting(order),
        "may_hold": may_change and is_open(Action.HOLD) and not handover.is_held(order),
        "may_resubmit": may_change
        and order.export_status == ExportStatus.FAILED
        and is_open(Action.OFFER_AGAIN),
        "may_end_review": may_change and is_open(Action.END_REVIEW),
        "may_settle": may_change and is_open(Action.SETTLE_OUTSIDE),
        "may_promise": may_change and is_open(Action.KEEP_PLACE),
        "may_reopen": may_change and check_reopen(order, has_cancelled=has_cancelled) is None,
        "may_rerun": (is_open(Action.RESERVE) or is_open(Action.RESERVE_AGAIN))
        and request.user.has_perm("reconciliation.start_run"),
    }


def _held_by_failed(order: Order) -> Decimal:
    """Return the units that a failed order keeps off ATO; zero, without a query, for any other."""
    if order.status != OrderStatus.FAILED:
        return ZERO
    kept = Hold.objects.filter(order=order, state__in=OPEN_HOLDS)
    return sum(kept.values_list("quantity", flat=True), ZERO)


def _standing(
    request: HttpRequest, order: Order, items: Sequence[OrderItem], *, is_free: bool, held: Decimal
) -> Standing:
    """Return the order's state; a notice shows the next step of a running remedy."""
    shown = standing(
        order,
        items=items,
        connection=frame_of(request).connection.state,
        waiting_before=_waiting_before(request, order),
        held=held,
    )
    return shown if is_free else replace(shown, next_step="")


def _waiting_before(request: HttpRequest, order: Order) -> int:
    if lifecycle.check(order, Action.RESERVE) is not None:
        return 0
    earlier = Q(captured_at__lt=order.captured_at) | Q(
        captured_at=order.captured_at, pk__lt=order.pk
    )
    waiting = site_access(request).permitted(Order.objects.waiting())
    return waiting.filter(earlier).count()


@console_page("orders.change_order", methods=READ_AND_POST)
def end_review(request: HttpRequest, pk: int) -> HttpResponse:
    """Return an order that needed review to the automatic retries, with a reason."""
    order = order_or_404(request, pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if outcomes.end_review(
            order_id=order.pk,
            actor=actor_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        ):
            messages.success(
                request,
                _("Order %(number)s is retried automatically.")
                % {"number": made_visible(order.order_no)},
            )
        else:
            messages.info(
                request,
                _("Order %(number)s no longer needs review.")
                % {"number": made_visible(order.order_no)},
            )
        return redirect("order", pk=order.pk)
    is_idle = lifecycle.check(order, Action.END_REVIEW) is not None
    context = order_context(request, order) | {"form": form, "is_idle": is_idle}
    return render(request, "console/remedies/order_end_review.html", context)
