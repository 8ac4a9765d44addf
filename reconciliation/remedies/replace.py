"""Replacing what is short of an order item: reserved at OCI in full before anything is dropped.

The replacement and its reservation document are written down, with its units off ATO, before the
first call. Without an answer that can be trusted it stays *being reserved*, and
`finish_replacements` asks again with the same id and bytes, whoever died meanwhile.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import ledger, outcomes, promises, replacements
from orders.actors import Actor
from orders.errors import CannotReplace, ReplacementShort, ShortOnAto
from orders.ledger import LedgerChanged
from orders.models import OrderItem, Replacement, ReplacementState
from orders.refusals import not_enough, promised_to_older, waited_for
from reconciliation import reservation
from reconciliation.oci.client import OciClient
from reconciliation.remedies.preconditions import check_documents, client_or
from reconciliation.remedies.replace_finish import finish
from reconciliation.remedies.resume import CLAIM, Clock
from reconciliation.reservation import fence

_TRIES = 5


class OciAway(CannotReplace):
    """OCI cannot be asked just now; the same may be done when it answers again."""


def replace_short(
    *,
    item_id: int,
    sku: str,
    units: Decimal,
    unit_price: Decimal | None,
    actor: Actor,
    reason: str,
    clock: Clock = timezone.now,
) -> Replacement:
    """Replace the open units of an order item by `sku` of the same list, reserved at OCI first.

    `units` is the open quantity as it was shown; `unit_price` what one of the replacement costs in
    this order, None if unknown. Returns the replacement: `done`, or `reserving` while OCI has not
    answered clearly; it is finished by itself then. The same again returns the same.
    Raises ReplacementShort with the figures, or CannotReplace; the order is as it was then.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    same = replacements.find_same(item=item, sku=sku, units=units)
    if same is not None:
        return same
    client = _client()
    holder = _new_holder()
    replacement = _begin(
        item,
        sku,
        units,
        unit_price=unit_price,
        holder=holder,
        actor=actor,
        reason=reason,
        now=clock(),
    )
    timeout = settings.COC_OCI_LIVE_TIMEOUT
    finish(replacement.pk, holder=holder, client=client, clock=clock, read_timeout=timeout)
    # Cancelled meanwhile, perhaps: whoever undoes it need not wait for the claim to end.
    outcomes.drop_claim(order_id=item.order_id, holder=holder)
    replacement.refresh_from_db()
    if replacement.state == ReplacementState.CANCELLED:
        raise CannotReplace(_("The order was cancelled meanwhile, and the replacement with it."))
    if replacement.state in (ReplacementState.REFUSED, ReplacementState.GIVING_BACK):
        offered = replacement.offered_quantity
        if offered is None:
            raise CannotReplace(replacement.refusal)
        raise ReplacementShort(replacement.refusal, sku=sku, requested=units, available=offered)
    return replacement


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
    """Begin what `replace_short` does, and leave asking OCI to `finish_replacements`.

    Its units are off ATO and its document is written down, or neither; no call to OCI. May be part
    of a larger transaction; wake `finish_replacements` after it. The same again returns the same.
    Raises OciAway, ReplacementShort with the figures, or CannotReplace; LedgerChanged when others
    change the stock all the time. The order is as it was then.
    """
    item = OrderItem.objects.select_related("order").get(pk=item_id)
    same = replacements.find_same(item=item, sku=sku, units=units)
    if same is not None:
        return same
    _client()
    holder = _new_holder()
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
        # Whoever comes first may finish it.
        outcomes.drop_claim(order_id=item.order_id, holder=holder)
    return replacement


def why_oci_is_away() -> str:
    """Return why nothing can be replaced just now, whatever the order, or nothing."""
    try:
        _client()
    except OciAway as error:
        return error.detail
    return ""


def _client() -> OciClient:
    return client_or(
        OciAway,
        away=_(
            "OCI cannot be asked just now, and nothing is replaced before it is reserved there."
        ),
    )


def _new_holder() -> str:
    return f"replace:{uuid.uuid4().hex}"


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
) -> Replacement:
    """Take the units off ATO and write the document down, both or neither."""
    replacements.check_begin(item, sku=sku, units=units)
    if fence.is_waited_for([(item.inventory_list_id, sku)]):
        raise CannotReplace(waited_for(sku))
    _let_older_promises_go_first(item, sku, units, now=now)
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                replacement = replacements.begin(
                    item_id=item.pk,
                    sku=sku,
                    units=units,
                    unit_price=unit_price,
                    holder=holder,
                    until=now + CLAIM,
                    actor=actor,
                    reason=reason,
                    now=now,
                )
                check_documents(item.order_id, CannotReplace)
                reservation.write_replacement(replacement)
                return replacement
        except LedgerChanged:
            if attempt == _TRIES - 1:
                raise
        except ShortOnAto as short:
            available = short.shortfalls[0].available
            raise ReplacementShort(
                not_enough(sku, available=available, needed=units),
                sku=sku,
                requested=units,
                available=available,
            ) from None
    raise AssertionError("unreachable")


def _let_older_promises_go_first(
    item: OrderItem, sku: str, units: Decimal, *, now: datetime
) -> None:
    """Raise CannotReplace if older short orders are promised the units (oldest promise first)."""
    key = (item.inventory_list_id, sku)
    promised = promises.before(promises.usable([key], now=now), item.order, key)
    record = ledger.records_of([key]).get(key) if promised else None
    if record is not None and record.is_tracked and record.ato - promised < units <= record.ato:
        raise CannotReplace(promised_to_older(sku, units=promised))
