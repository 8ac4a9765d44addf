"""Replace the short units of an item: reserved at OCI in full before anything is dropped.

A swap (`reconciliation.remedies.swap`) that releases no document: the short units held nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders import ledger, outcomes, promises, replacements
from orders.actors import Actor, job
from orders.errors import CannotReplace, ReplacementShort, Shortfall
from orders.models import OrderItem, Replacement
from orders.refusals import not_enough, promised_to_older, waited_for
from orders.replacement_parts import Besides
from reconciliation import reservation
from reconciliation.models import Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.reasons import Reason, join, say
from reconciliation.remedies import swap
from reconciliation.remedies.preconditions import client_or
from reconciliation.remedies.swap import Clock, Swap
from reconciliation.reservation import fence

OnBegun = Callable[[Replacement], object]
_MOST_NAMED = 5


class OciAway(CannotReplace):
    """OCI cannot be called at the moment; the same call may succeed when it answers again."""


def replace_short(
    *,
    item_id: int,
    sku: str,
    units: Decimal,
    unit_price: Decimal | None,
    actor: Actor,
    reason: str,
    clock: Clock = timezone.now,
    on_begun: OnBegun = lambda replacement: None,
    besides: Sequence[Besides] = (),
) -> Replacement:
    """Replace the open units of an order item by `sku` of the same list, reserved at OCI first.

    `units` is the open quantity as shown; `unit_price` is the price of one replacement unit in this
    order, None if unknown. Returns the replacement: `done`, or `reserving` while OCI has not
    answered clearly; it is then finished automatically. Idempotent. `on_begun` runs in the
    transaction that stores a new replacement, before the call to OCI. Changes `besides` to other
    items of the order belong to it: all of it is reserved and done, or nothing. Raises
    ReplacementShort with the figures, or CannotReplace; then the order is unchanged.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    same = replacements.find_same(item=item, sku=sku, units=units, besides=besides)
    if same is not None:
        return same
    client, holder = _client(), SWAP.new_holder()
    replacement = _begin(
        item,
        sku,
        units,
        unit_price=unit_price,
        holder=holder,
        actor=actor,
        reason=reason,
        now=clock(),
        on_begun=on_begun,
        besides=besides,
    )
    return swap.finish_now(SWAP, replacement, holder=holder, client=client, clock=clock)


def begin_replacement(
    *,
    item_id: int,
    sku: str,
    units: Decimal,
    unit_price: Decimal | None,
    actor: Actor,
    reason: str,
    now: datetime,
) -> Replacement:
    """Begin what `replace_short` does, and leave the call to OCI to `finish_replacements`.

    Takes the units off ATO and stores the document, both or neither; makes no call to OCI. Can be
    part of a larger transaction; wake `finish_replacements` after it. Idempotent. Raises OciAway,
    ReplacementShort with the figures, or CannotReplace; LedgerChanged if other processes keep
    changing the stock. Then the order is unchanged.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    same = replacements.find_same(item=item, sku=sku, units=units)
    if same is not None:
        return same
    _client()
    holder = SWAP.new_holder()
    with transaction.atomic():
        replacement = _begin(
            item,
            sku,
            units,
            unit_price=unit_price,
            holder=holder,
            actor=actor,
            reason=reason,
            now=now,
        )
        # The first process may finish it.
        outcomes.drop_claim(order_id=item.order_id, holder=holder)
    return replacement


def why_oci_is_away() -> str:
    """Return why no order can be replaced at the moment, or ""."""
    try:
        _client()
    except OciAway as error:
        return error.detail
    return ""


def _client() -> OciClient:
    return client_or(
        OciAway,
        away=_(
            "OCI cannot be called at the moment, and nothing is replaced before it is reserved"
            " there."
        ),
    )


def _begin(
    item: OrderItem,
    sku: str,
    units: Decimal,
    *,
    unit_price: Decimal | None,
    holder: str,
    actor: Actor,
    reason: str,
    now: datetime,
    on_begun: OnBegun = lambda replacement: None,
    besides: Sequence[Besides] = (),
) -> Replacement:
    """Take the units off ATO and store the document, both or neither."""
    replacements.check_begin(item, sku=sku, units=units)
    others = replacements.check_besides(item, sku, besides)
    wanted = [(others[one.item_id], one.sku, one.units) for one in besides if one.sku]
    for each, by, number in ((item, sku, units), *wanted):
        if fence.is_waited_for([(each.inventory_list_id, by)]):
            raise CannotReplace(waited_for(by))
        _let_older_promises_go_first(each, by, number, now=now)

    def take() -> Replacement:
        return replacements.begin(
            item_id=item.pk,
            sku=sku,
            units=units,
            unit_price=unit_price,
            holder=holder,
            until=now + swap.CLAIM,
            actor=actor,
            reason=reason,
            now=now,
            besides=besides,
        )

    def write(replacement: Replacement) -> None:
        reservation.write_replacement(replacement.order_id, SWAP.kind.wanted(replacement))
        on_begun(replacement)

    return swap.begin(SWAP, take, write)


def _let_older_promises_go_first(
    item: OrderItem, sku: str, units: Decimal, *, now: datetime
) -> None:
    """Raise CannotReplace if the units are promised to older short orders."""
    key = (item.inventory_list_id, sku)
    promised = promises.before(promises.usable([key], now=now), item.order, key)
    record = ledger.records_of([key]).get(key) if promised else None
    if record is not None and record.is_tracked and record.ato - promised < units <= record.ato:
        raise CannotReplace(promised_to_older(sku, units=promised))


def has_open_replacements() -> bool:
    """Whether any replacement is unfinished."""
    return SWAP.open_rows().exists()


def finish_replacements(*, clock: Clock, budget: timedelta | None = None, limit: int = 200) -> int:
    """Finish abandoned replacements; see `swap.finish_all`."""
    return swap.finish_all(SWAP, clock=clock, budget=budget, limit=limit)


def _complete(
    mine: Replacement, old: ReservationDocument | None, *, holder: str, now: datetime
) -> Replacement | None:
    return replacements.complete(replacement_id=mine.pk, holder=holder, now=now)


def _too_few(shortfalls: Sequence[Shortfall]) -> Reason:
    words = [
        say(
            "had_too_few",
            held=f"{one.available.normalize():f}",
            sku=one.sku,
            needed=f"{one.requested.normalize():f}",
        )
        for one in shortfalls[:_MOST_NAMED]
    ]
    return words[0] if len(words) == 1 else join(*words)


def _short(detail: str, shortfalls: Sequence[Shortfall]) -> ReplacementShort:
    one = shortfalls[0]
    words = [
        not_enough(each.sku, available=each.available, needed=each.requested)
        for each in shortfalls[:_MOST_NAMED]
    ]
    return ReplacementShort(
        detail or " ".join(words),
        sku=one.sku,
        requested=one.requested,
        available=one.available,
    )


SWAP = Swap(
    kind=replacements.KIND,
    purpose=Purpose.REPLACEMENT,
    holder="replace",
    actor=job("replacements"),
    complete=_complete,
    old_id=lambda mine: None,
    too_few=_too_few,
    short=_short,
    shortfalls=replacements.shortfalls_of,
    cancelled=gettext_lazy("The order was cancelled in the meantime, and the replacement with it."),
)
