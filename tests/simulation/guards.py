"""The product's guards, each switched off in turn, to show that the simulation notices.

The product contains none of this: functions are replaced while a seed is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db.models import F, QuerySet

from orders import exports, handover
from orders.capture import rows
from orders.models import Hold, HoldState, Order, OrderStatus
from orders.models.orders import OrderQuerySet
from orders.payload_items import Takes
from reconciliation.models import Batch, BatchState, DocumentState, ReservationDocument
from reconciliation.reservation import documents, sets
from reconciliation.runs.planner import Schedule


@contextmanager
def _replaced(*replacements: tuple[str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for target, value in replacements:
            stack.enter_context(patch(target, value))
        yield


def no_stored_id() -> Any:
    """Forget the id of a call without an answer, and reserve under the next one."""
    real, real_set = documents.prepare, sets.prepare

    def forget(order_ids: Any) -> None:
        sent = ReservationDocument.objects.filter(
            order__in=order_ids, state=DocumentState.PREPARED, sends__gt=0
        )
        sent.update(state=DocumentState.REFUSED)

    def prepare(*, order_id: int, **arguments: Any) -> list[ReservationDocument] | None:
        forget([order_id])
        return real(order_id=order_id, **arguments)

    def prepare_set(orders: Any, **arguments: Any) -> list[sets.Prepared]:
        forget([order.pk for order in orders])
        return real_set(orders, **arguments)

    return _replaced(
        ("reconciliation.reservation.send.prepare", prepare),
        ("reconciliation.reservation.sets.prepare", prepare_set),
    )


def no_hold_rule() -> Any:
    """Let any snapshot drop the answered holds, however recent they are."""

    def answered_holds(record_ids: Any, *, before: datetime) -> Any:
        droppable: dict[int, list[Hold]] = {pk: [] for pk in record_ids}
        for hold in Hold.objects.filter(state=HoldState.ANSWERED, record__in=record_ids):
            droppable[hold.record_id].append(hold)
        return droppable, {}

    return _replaced(("orders.ledger.figures._answered_holds", answered_holds))


def no_fence() -> Any:
    """Reserve live although an earlier order waits for the same stock."""
    return _replaced(
        ("reconciliation.reservation.placement.fenced", lambda placed, **arguments: None)
    )


def no_lease() -> Any:
    """Take batches that other workers have under leases, and continue without checking."""

    def claim_batches(run: Any, *, holder: str, now: datetime, most: int) -> list[Batch]:
        unfinished = run.batches.exclude(state=BatchState.DONE).exclude(holder=holder)
        found = list(unfinished.order_by("lane", "sequence")[:most])
        Batch.objects.filter(pk__in=[batch.pk for batch in found]).update(
            state=BatchState.RUNNING,
            holder=holder,
            leased_until=now + timedelta(minutes=1),
            starts=F("starts") + 1,
        )
        return found

    def nobody(run: Any, **arguments: Any) -> bool:
        return False

    return _replaced(
        ("reconciliation.runs.batches.others_work_on", nobody),
        ("reconciliation.runs.batch_leases.claim_batches", claim_batches),
        ("reconciliation.runs.batch_leases.BatchLeases.keep", lambda self: True),
        ("reconciliation.runs.batch_leases.BatchLeases.are_mine", lambda self: True),
    )


def no_row_count() -> Any:
    """Assume that every claim on an order, and every change made under one, succeeds."""

    def update(self: OrderQuerySet, **values: Any) -> int:
        return max(1, QuerySet.update(self, **values))

    return _replaced(("orders.models.orders.OrderQuerySet.update", update))


def no_claim() -> Any:
    """Claim an order although another process holds the claim."""

    def take_claim(*, order_id: int, holder: str, until: datetime, now: datetime) -> bool:
        orders = Order.objects.filter(pk=order_id, status=OrderStatus.NEW)
        return bool(orders.update(claim=holder, claimed_until=until))

    def claim_waiting(
        order_ids: Any, *, holder: str, until: datetime, now: datetime
    ) -> list[Order]:
        orders = list(Order.objects.waiting().filter(pk__in=order_ids))
        Order.objects.filter(pk__in=order_ids).update(claim=holder, claimed_until=until)
        return orders

    return _replaced(
        ("orders.outcomes.take_claim", take_claim),
        ("orders.outcome_sets.claim_waiting", claim_waiting),
    )


def no_fence_of_replacements() -> Any:
    """Replace by a SKU with waiting orders."""
    return _replaced(("reconciliation.remedies.replace.fence.is_waited_for", lambda keys: False))


def no_places() -> Any:
    """Reserve live although a short order keeps its place for the same stock."""
    return _replaced(
        ("reconciliation.reservation.fence.is_promised", lambda keys, **arguments: False)
    )


def newest_first() -> Any:
    """Hand out orders newest first."""

    class Backwards(Schedule):
        def add(self, demands: Any) -> None:
            super().add(reversed(list(demands)))

    return _replaced(("reconciliation.runs.frontier.Schedule", Backwards))


def no_holds_of_the_refused() -> Any:
    """Give the stock of a refused order back at once, whatever OCI may hold for it."""
    undone = ReservationDocument.objects.none
    return _replaced(("reconciliation.reservation.cancel.not_yet_cancelled", undone))


def no_holds_of_reruns() -> Any:
    """Ask OCI for an order's missing units without taking them off ATO first."""
    return _replaced(("orders.ledger.hold_shortfall", lambda **arguments: None))


def no_kinds_of_calls() -> Any:
    """Count all calls as one kind, so that good reads hide that reservations are lost."""
    return _replaced(("reconciliation.connection.call_observer._KINDS", {}))


def no_good_answers_of_others() -> Any:
    """Assume that OCI hangs after a failed call of this process, whatever answers others got."""
    return _replaced(
        ("reconciliation.connection.call_counts._no_earlier_than_last_good", lambda since: since)
    )


def no_time_limit_in_all() -> Any:
    """Let each call for a live order take as long as the first."""
    return _replaced(("reconciliation.oci.client.OciClient.within", lambda client, seconds: client))


def no_window() -> Any:
    """Hand short orders over at the next sweep, whenever they are due."""
    real = handover.hand_over_due

    def at_once(*, now: datetime, **arguments: Any) -> int:
        return real(now=now + timedelta(hours=1), **arguments)

    return _replaced(("orders.handover.hand_over_due", at_once))


def no_rows_of_the_refused() -> Any:
    """Refuse orders without recording the request."""
    return _replaced(("orders.refused_orders.note", lambda **arguments: None))


def no_versions() -> Any:
    """Let order management acknowledge any version it has read."""
    real = exports.change_export_status

    def any_version(*, version: int | None = None, **arguments: Any) -> Order:
        return real(**arguments)

    return _replaced(("orders.exports.change_export_status", any_version))


def no_untracked() -> Any:
    """Take stock for every line, even for SKUs unknown to every list."""
    real = rows.build

    def build(ask: Any, takes: Any) -> Any:
        return real(ask, [one.takes == Takes.ALWAYS for one in ask.placed.items])

    return _replaced(("orders.capture.rows.build", build))


GUARDS: dict[str, Callable[[], Any]] = {
    "hand-over window": no_window,
    "acknowledged version": no_versions,
    "refusals are rows": no_rows_of_the_refused,
    "stored id": no_stored_id,
    "hold rule": no_hold_rule,
    "recovery fence": no_fence,
    "row count of claims": no_row_count,
    "oldest first": newest_first,
    "holds of the refused": no_holds_of_the_refused,
    "holds of reruns": no_holds_of_reruns,
    "batch lease": no_lease,
    "kinds of calls": no_kinds_of_calls,
    "good answers of others": no_good_answers_of_others,
    "time limit in all": no_time_limit_in_all,
    "fence of replacements": no_fence_of_replacements,
    "places of promises": no_places,
    "untracked SKUs": no_untracked,
}

# No seed was found that misses this one: only the worker with the batch gets this far, and answers
# are counted by row count.
BACKED_UP: dict[str, Callable[[], Any]] = {"claim on an order": no_claim}
