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
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import outcomes, replacing
from orders.actors import Actor
from orders.errors import CannotReplace, ReplacementShort, ShortOnAto
from orders.ledger import LedgerChanged
from orders.models import OrderItem, Replacement, ReplacementState
from orders.refusals import not_enough
from reconciliation import connection, fence, releases, reservation
from reconciliation.models import DocumentState, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci_client import client as shared_client
from reconciliation.remedies.finishing import CLAIM, Clock, finish

_TRIES = 5


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
    same = replacing.find_same(item=item, sku=sku, units=units)
    if same is not None:
        return same
    client = _client()
    replacing.check_begin(item, sku=sku, units=units)
    if fence.is_waited_for([(item.inventory_list_id, sku)]):
        raise CannotReplace(_("Orders wait for %(sku)s; they are served first.") % {"sku": sku})
    holder = f"replace:{uuid.uuid4().hex}"
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


def _client() -> OciClient:
    if not connection.may_call(connection.current()):
        raise CannotReplace(
            _("OCI cannot be asked just now, and nothing is replaced before it is reserved there.")
        )
    try:
        return shared_client()
    except ImproperlyConfigured as fault:
        words = _("The connection to OCI is not set up: %(fault)s") % {"fault": fault}
        raise CannotReplace(words) from None


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
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                replacement = replacing.begin(
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
                _check_documents(item.order_id)
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


def _check_documents(order_id: int) -> None:
    """Raise CannotReplace while OCI may hold more for the order than it knows of."""
    uncounted = ReservationDocument.objects.filter(
        Q(state=DocumentState.ANSWERED) | Q(state=DocumentState.PREPARED, sends__gt=0),
        order=order_id,
    )
    if uncounted.exists():
        raise CannotReplace(
            _(
                "A reconciliation has asked OCI for what is short, and its answer is not counted"
                " yet; try again in a minute."
            )
        )
    # Written down by a worker that died before its call: nobody will send it.
    releases.mark_for_undoing(order_id, states=releases.UNCOUNTED)
