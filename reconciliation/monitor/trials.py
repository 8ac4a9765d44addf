"""Trying a waiting order's reservation, to find out whether OCI takes reservations again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from orders import outcomes
from orders.actors import job
from reconciliation import reservation
from reconciliation.connection import trials
from reconciliation.models import Purpose
from reconciliation.oci.client import OciClient

TRIALS = job("monitor")
_CLAIM = timedelta(seconds=15)


def try_one(*, client: OciClient, clock: Callable[[], datetime]) -> bool:
    """Send the document of one waiting order if a trial is due; True if one was sent.

    OCI's answer is stored with the document and counted in the order by the next
    reconciliation. The client's observer notes whether it worked. A trial takes no longer than a
    shopper may wait: a service that is slower than that is not back.
    """
    number = trials.take(clock())
    if number is None:
        return False
    holder = f"trial:{uuid.uuid4().hex}"
    limit = settings.COC_OCI_LIVE_TIMEOUT
    for order_id in trials.in_turn(trials.orders_to_try(), number):
        now = clock()
        until = now + timedelta(seconds=limit) + _CLAIM
        if not outcomes.take_claim(order_id=order_id, holder=holder, until=until, now=now):
            continue
        try:
            reservation.ask(
                order_id=order_id,
                holder=holder,
                purpose=Purpose.ORDER,
                client=client.within(limit),
                clock=clock,
                actor=TRIALS,
                # A probe's own client is less patient.
                read_timeout=limit,
            )
        finally:
            outcomes.drop_claim(order_id=order_id, holder=holder)
        return True
    return False
