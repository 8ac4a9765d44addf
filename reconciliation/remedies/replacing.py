"""Replacing what is short of an order item: reserved at OCI in full before anything is dropped.

The replacement and its reservation document are written down, with its units off ATO, before the
first call. Without an answer that can be trusted it stays *being reserved*, and
`finish_replacements` asks again with the same id and bytes, whoever died meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from orders import ledger, outcomes, replacing
from orders.actors import Actor, job
from orders.errors import CannotReplace, ReplacementShort, ShortOnAto
from orders.fields import ZERO
from orders.ledger import Figure, LedgerChanged
from orders.models import OrderItem, Replacement, ReplacementState
from orders.models.replacements import UNDER_WAY
from orders.refusals import not_enough
from reconciliation import connection, fence, releases, reservation, snapshots, wake
from reconciliation.models import DocumentState, Purpose, ReservationDocument
from reconciliation.oci.client import OciClient
from reconciliation.oci_client import client as shared_client
from reconciliation.reservation import Asked, Verdict

Clock = Callable[[], datetime]

REPLACEMENTS = job("replacements")
_CLAIM = timedelta(seconds=60)
_TRIES = 5
# OCI was not heard, or not clearly: the same document is sent again later.
_ASK_AGAIN = (Verdict.OFFLINE, Verdict.CONFIGURATION, Verdict.THROTTLED, Verdict.LATER)


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
    _finish(replacement.pk, holder=holder, client=client, clock=clock, read_timeout=timeout)
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
                    until=now + _CLAIM,
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


def something_under_way() -> bool:
    """Whether a replacement waits to be finished."""
    return Replacement.objects.filter(UNDER_WAY).exists()


def finish_replacements(*, clock: Clock, limit: int = 200) -> int:
    """Carry on with replacements that nobody works on, oldest first; return how many have ended.

    Calls OCI only while the connection is usable; ends early when OCI stops answering.
    """
    ended = 0
    under_way = Replacement.objects.filter(UNDER_WAY).order_by("id")
    for pk, order_id in list(under_way.values_list("pk", "order_id")[:limit]):
        if not connection.is_usable(connection.current(), now=clock()):
            break
        holder, now = f"replace:{uuid.uuid4().hex}", clock()
        if not outcomes.take_claim(order_id=order_id, holder=holder, until=now + _CLAIM, now=now):
            continue
        asked = _finish(pk, holder=holder, client=shared_client(), clock=clock)
        outcomes.drop_claim(order_id=order_id, holder=holder)
        if asked is None:
            ended += 1
        elif asked.verdict != Verdict.LATER:
            break
    return ended


def _finish(
    replacement_id: int,
    *,
    holder: str,
    client: OciClient,
    clock: Clock,
    read_timeout: float | None = None,
) -> Asked | None:
    """Bring a replacement as far as OCI answers; None when it has ended, else why not yet."""
    replacement = Replacement.objects.get(pk=replacement_id)
    order_id = replacement.order_id
    if replacement.state == ReplacementState.RESERVING:
        asked = reservation.ask(
            order_id=order_id,
            holder=holder,
            purpose=Purpose.REPLACEMENT,
            client=client,
            clock=clock,
            actor=REPLACEMENTS,
            read_timeout=read_timeout,
        )
        if asked.verdict in _ASK_AGAIN:
            return asked
        offered = _answered(order_id)
        if asked.verdict == Verdict.ANSWERED and offered >= replacement.quantity:
            return _complete(replacement, holder=holder, now=clock())
        _give_back(replacement, holder=holder, asked=asked, offered=offered)
    cancelled = _cancel(order_id, client=client, clock=clock, read_timeout=read_timeout)
    figures: list[Figure] = []
    taken_at = clock()
    if cancelled:
        key = (replacement.inventory_list_id, replacement.sku)
        figures = snapshots.fetch([key], client=client, read_timeout=read_timeout)
    _refuse(replacement_id, holder=holder, figures=figures, taken_at=taken_at, now=clock())
    return None


def _documents(order_id: int, *states: DocumentState) -> list[ReservationDocument]:
    documents = ReservationDocument.objects.filter(
        order=order_id, purpose=Purpose.REPLACEMENT, state__in=states
    )
    return list(documents.order_by("generation"))


def _answered(order_id: int) -> Decimal:
    """Return what OCI holds for the replacement under way, by its answer."""
    lines = [
        line for document in _documents(order_id, DocumentState.ANSWERED) for line in document.held
    ]
    return sum((Decimal(str(line["quantity"])) for line in lines), ZERO)


def _complete(replacement: Replacement, *, holder: str, now: datetime) -> Asked | None:
    with transaction.atomic():
        done = replacing.complete(replacement_id=replacement.pk, holder=holder, now=now)
        if done is None:
            return Asked(Verdict.LATER, "The order has just been changed by someone else.")
        ReservationDocument.objects.filter(
            order=replacement.order_id,
            purpose=Purpose.REPLACEMENT,
            state=DocumentState.ANSWERED,
        ).update(state=DocumentState.COUNTED)
    return None


def _give_back(replacement: Replacement, *, holder: str, asked: Asked, offered: Decimal) -> None:
    refusal = asked.reason or (
        f"OCI had {offered.normalize():f} of {replacement.sku};"
        f" {replacement.quantity.normalize():f} are needed."
    )
    with transaction.atomic():
        mine = replacing.give_back(
            replacement_id=replacement.pk,
            holder=holder,
            offered=None if asked.reason else offered,
            refusal=refusal,
        )
        if mine:
            releases.mark_for_undoing(replacement.order_id, states=releases.UNCOUNTED)


def _cancel(order_id: int, *, client: OciClient, clock: Clock, read_timeout: float | None) -> bool:
    """Undo at OCI what was reserved of it; what does not work now is done later, by the sweep."""
    for document in _documents(order_id, DocumentState.CANCELLING):
        stopped = reservation.cancel_document(
            document, client=client, clock=clock, actor=REPLACEMENTS, read_timeout=read_timeout
        )
        if stopped is not None:
            wake.soon("finish_cancellations")
            return False
    return True


def _refuse(
    replacement_id: int,
    *,
    holder: str,
    figures: list[Figure],
    taken_at: datetime,
    now: datetime,
) -> None:
    with transaction.atomic():
        ended = replacing.refuse(replacement_id=replacement_id, holder=holder, now=now)
        if ended is not None and figures:
            ledger.apply_snapshot(
                figures=figures,
                taken_at=taken_at,
                lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
                now=now,
            )
