"""Named leases: one holder at a time, until a moment, taken by conditional update."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from reconciliation.models import Lease


def take(*, name: str, holder: str, seconds: float, now: datetime) -> bool:
    """Take or renew the lease `name`; True while `holder` has it, False while another has.

    A lease that has run out may be taken by anyone; the one whose update counts the row has it.
    """
    until = now + timedelta(seconds=seconds)
    free = Q(holder=holder) | Q(holder="") | Q(until__lte=now)
    if Lease.objects.filter(free, name=name).update(holder=holder, until=until):
        return True
    _, created = Lease.objects.get_or_create(name=name, defaults={"holder": holder, "until": until})
    return created


def give_back(*, name: str, holder: str, now: datetime) -> bool:
    """End the lease early if `holder` has it, so that another need not wait for its end."""
    return bool(Lease.objects.filter(name=name, holder=holder).update(holder="", until=now))
