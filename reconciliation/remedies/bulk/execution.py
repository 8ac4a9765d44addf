"""Apply one remedy to up to 500 orders: draft, preview, one confirmation, one result.

A draft stores the selection. Confirming it stores the plan exactly as the person saw it; if an
order changed since the preview, nothing runs and the new plan is shown. Each order runs in its own
transaction, together with its result line, so double clicks and a broken connection repeat nothing
and lose nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from orders import replacements
from orders.actors import Actor
from orders.errors import CannotRemedy, OrderRefused
from orders.ledger import LedgerChanged
from orders.models import Order, OrderItem, OrderStatus, Replacement
from reconciliation import remedies
from reconciliation.models import BulkKind, BulkLine, BulkRemedy, BulkState, LetterState
from reconciliation.queue import enqueue
from reconciliation.remedies.bulk import ask_plans
from reconciliation.remedies.bulk.acts import act
from reconciliation.remedies.bulk.plans import Planned, check, plan, settled_words
from reconciliation.remedies.bulk.replace_plans import ReplaceChoice

# Each takes about ten statements, replacing forty; a request must stay short.
AT_ONCE = 100
_REPLACED_AT_ONCE = 50
_DRAFT_LIFE = timedelta(days=1)

# Called with the changed order, in the transaction in which its remedy succeeded.
OnDone = Callable[[BulkLine, Order], object]


class PlanChanged(Exception):
    """Orders `order_ids` have changed since the preview."""

    def __init__(self, order_ids: Collection[int]) -> None:
        super().__init__("The chosen orders have moved on.")
        self.order_ids = frozenset(order_ids)


class NotNow(Exception):
    """No order can be changed at the moment; `detail` says why. A later attempt may succeed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NothingToDo(Exception):
    """The remedy is no longer open to any of the selected orders."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many orders a confirmed remedy changes, and how many it leaves out."""

    to_do: int
    left_out: int


def draft(*, user: User, kind: BulkKind, order_ids: Collection[int], now: datetime) -> BulkRemedy:
    """Store a person's selection of orders for a remedy; the orders stay unchanged."""
    with transaction.atomic():
        BulkRemedy.objects.filter(
            user=user, confirmed_at=None, created_at__lt=now - _DRAFT_LIFE
        ).delete()
        bulk = BulkRemedy.objects.create(id=uuid.uuid4(), user=user, kind=kind, created_at=now)
        BulkLine.objects.bulk_create([BulkLine(bulk=bulk, order_id=pk) for pk in order_ids])
    return bulk


def confirm(
    *,
    bulk_id: uuid.UUID,
    seen: Mapping[int, str],
    reason: str,
    reference: str,
    now: datetime,
    site_ids: Collection[str] | None = None,
    choice: ReplaceChoice | None = None,
) -> Confirmed | None:
    """Store the plan for each order; None if it was confirmed before, which stays unchanged.

    `seen` are the marks (Planned.mark) of the orders as shown; replacing needs a `choice` of the
    replacement. Orders of sites outside `site_ids` (None: all) stay unchanged. Raises PlanChanged
    if one order has moved on, NotNow while OCI is away and a replacement needs it, and NothingToDo.
    """
    with transaction.atomic():
        bulk = BulkRemedy.objects.select_for_update().get(pk=bulk_id)
        if bulk.confirmed_at is not None:
            return None
        if choice is not None:
            choice.put_into(bulk)
        if bulk.kind == BulkKind.REPLACE and (away := remedies.why_oci_is_away()):
            raise NotNow(away)
        planned = plan(bulk, site_ids=site_ids, now=now)
        moved = {one.order.pk for one in planned if seen.get(one.order.pk) != one.mark}
        if moved:
            raise PlanChanged(moved)
        if all(one.closed for one in planned):
            raise NothingToDo
        won = BulkRemedy.objects.filter(pk=bulk_id, confirmed_at=None).update(
            confirmed_at=now,
            reason=reason,
            reference=reference,
            **(choice.columns if choice is not None else {}),
        )
        if not won:
            return None
        lines = [_decided(one) for one in planned]
        BulkLine.objects.bulk_update(lines, ["state", "units", "detail"], batch_size=200)
        to_do = sum(line.state == BulkState.PENDING for line in lines)
        return Confirmed(to_do=to_do, left_out=len(lines) - to_do)


def _decided(planned: Planned) -> BulkLine:
    line = planned.line
    line.detail = planned.closed[:500]
    items = planned.open_items
    if planned.replacing is not None:
        items = [planned.replacing.item] if planned.replacing.item is not None else []
    line.units = {str(item.pk): str(item.open_quantity) for item in items}
    if not planned.closed:
        line.state = BulkState.PENDING
    else:
        line.state = BulkState.ALREADY if planned.already else BulkState.LEFT_OUT
    return line


def at_once(bulk: BulkRemedy) -> int:
    """Return how many orders one request may change."""
    return min(AT_ONCE, _REPLACED_AT_ONCE) if bulk.kind == BulkKind.REPLACE else AT_ONCE


def resume(
    *,
    bulk: BulkRemedy,
    actor: Actor,
    now: datetime,
    site_ids: Collection[str] | None = None,
    on_done: OnDone = lambda line, order: None,
) -> int:
    """Apply the plan to up to `at_once` orders; return how many are left. Makes no call to OCI.

    The oldest orders of `site_ids` (None: all) come first. Replacements only begin here and are
    finished by workers, so they don't call `on_done`.
    """
    pending = bulk.lines.filter(state=BulkState.PENDING)
    if site_ids is not None:
        pending = pending.filter(order__site__in=site_ids)
    oldest_first = pending.order_by("order__captured_at", "order_id")
    for line_id in list(oldest_first.values_list("pk", flat=True)[: at_once(bulk)]):
        try:
            _do(line_id, bulk, actor=actor, now=now, on_done=on_done)
        except remedies.OciAway:
            # The rest waits for the next call.
            break
    if bulk.kind == BulkKind.REPLACE:
        enqueue.soon("finish_replacements")
    return pending.count()


def _do(line_id: int, bulk: BulkRemedy, *, actor: Actor, now: datetime, on_done: OnDone) -> None:
    with transaction.atomic():
        mine = BulkLine.objects.filter(pk=line_id, state=BulkState.PENDING)
        # A simultaneous click waits here, and then finds it done.
        if not mine.update(state=BulkState.DONE):
            return
        line = BulkLine.objects.get(pk=line_id)
        order = Order.objects.select_for_update().get(pk=line.order_id)
        if bulk.kind == BulkKind.REPLACE:
            _replace(bulk, line, actor=actor, now=now)
            return
        refusal = check(BulkKind(bulk.kind), order, OrderItem.objects.filter(order=order))
        if refusal is not None and refusal.is_done:
            _note(line, BulkState.ALREADY, settled_words(order))
            return
        try:
            with transaction.atomic():
                order = _remedy(bulk, line, actor=actor, now=now)
                _note(line, BulkState.DONE, _done_words(order))
                # The question is asked here, and may be refused.
                on_done(line, order)
        except OrderRefused as error:
            _note(line, BulkState.REFUSED, error.detail)


def _replace(bulk: BulkRemedy, line: BulkLine, *, actor: Actor, now: datetime) -> None:
    """Begin the replacement of a line, in one transaction with it. Raises OciAway."""
    ((item_id, units),) = ((int(pk), Decimal(number)) for pk, number in line.units.items())
    item = OrderItem.objects.get(pk=item_id)
    same = replacements.find_same(item=item, sku=bulk.sku, units=units)
    if same is not None:
        words = _("%(who)s has already requested this.") % {"who": same.actor}
        _note(line, BulkState.ALREADY, words, replacement=same)
        return
    try:
        with transaction.atomic():
            begun = remedies.begin_replacement(
                item_id=item_id,
                sku=bulk.sku,
                units=units,
                unit_price=bulk.unit_price,
                actor=actor,
                reason=bulk.reason,
                now=now,
            )
    except remedies.OciAway:
        raise
    except OrderRefused as error:
        _note(line, BulkState.REFUSED, error.detail)
    except LedgerChanged:
        _note(line, BulkState.REFUSED, _("Its stock was being changed. Try again."))
    else:
        _note(line, BulkState.BEGUN, "", replacement=begun)


def _note(
    line: BulkLine, state: BulkState, detail: str, *, replacement: Replacement | None = None
) -> None:
    is_nothing = state in (BulkState.ALREADY, BulkState.REFUSED)
    letter = LetterState.NOT_DONE if is_nothing and line.letter else line.letter
    BulkLine.objects.filter(pk=line.pk).update(
        state=state, detail=detail[:500], replacement=replacement, letter=letter
    )


def _done_words(order: Order) -> str:
    if order.status == OrderStatus.CANCELLING:
        return _("OCI may hold units for it. They are released in the background.")
    return ""


def _remedy(bulk: BulkRemedy, line: BulkLine, *, actor: Actor, now: datetime) -> Order:
    if bulk.kind == BulkKind.ASK:
        return _still_offered(line, now=now)
    return act(
        BulkKind(bulk.kind),
        order_id=line.order_id,
        units={int(pk): Decimal(number) for pk, number in line.units.items()},
        reference=bulk.reference,
        actor=actor,
        reason=bulk.reason,
        now=now,
    )


def _still_offered(line: BulkLine, *, now: datetime) -> Order:
    """Return the order of a question. Raises CannotRemedy if its offer can't be made any more."""
    order = line.order
    items = list(OrderItem.objects.filter(order=order))
    offered = ask_plans.judge([order], {order.pk: line}, {order.pk: items}, now=now)[order.pk]
    if offered.closed:
        raise CannotRemedy(offered.closed)
    return order
