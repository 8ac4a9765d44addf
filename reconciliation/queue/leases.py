"""Named leases: one holder at a time, until a moment, taken by conditional update."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, Q, QuerySet

from orders.standing_queries import Change, Given
from reconciliation.models import Lease


def take(*, name: str, holder: str, seconds: float, now: datetime) -> bool:
    """Take or renew the lease `name`; True while `holder` has it, False while another has.

    A lease that has run out may be taken by anyone; the one whose update counts the row has it.
    """
    until = now + timedelta(seconds=seconds)
    if _take(name=name, holder=holder, until=until, now=now):
        return True
    _, created = Lease.objects.get_or_create(name=name, defaults={"holder": holder, "until": until})
    return created


def held_by(name: str, holder: Given) -> QuerySet[Lease]:
    """Return the lease `name` if `holder` has it, as a question of a `Look`."""
    return Lease.objects.filter(name=name, holder=holder)


def give_back(*, name: str, holder: str, now: datetime) -> bool:
    """End the lease early if `holder` has it, so that another need not wait for its end."""
    return bool(Lease.objects.filter(name=name, holder=holder).update(holder="", until=now))


def _free_to_take() -> tuple[QuerySet[Lease], dict[str, Any]]:
    holder = Given("holder", CharField())
    free = Q(holder=holder) | Q(holder="") | Q(until__lte=Given("now"))
    rows = Lease.objects.filter(free, name=Given("name", CharField()))
    return rows, {"holder": holder, "until": Given("until")}


# Asked each second by each monitor.
_take = Change(_free_to_take)


@dataclass(slots=True)
class Renewal:
    """A lease that its holder renews once in `every` seconds, and not each time it is asked.

    `every` is well below `seconds`, so that it never runs out meanwhile; it ends at most `seconds`
    after the death of its holder. In between, the holder asks `held_by` with its other questions:
    somebody whose clock is ahead may have taken the lease.
    """

    name: str
    seconds: float
    every: float
    _renewed_at: datetime | None = None

    def take(self, *, holder: str, now: datetime) -> bool:
        """Take or renew the lease if that is due; True while `holder` has it."""
        if self.is_fresh(now):
            return True
        has = take(name=self.name, holder=holder, seconds=self.seconds, now=now)
        self._renewed_at = now if has else None
        return has

    def forget(self) -> None:
        """Note that another has it."""
        self._renewed_at = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be renewed yet. A clock that was put back makes it due."""
        if self._renewed_at is None:
            return False
        # A turn that comes a moment early must not skip a renewal.
        due = timedelta(seconds=self.every - 0.1)
        return timedelta(0) <= now - self._renewed_at < due


@dataclass(slots=True)
class Watch:
    """Watches another process's lease, and takes it over when it is no longer renewed.

    `take` compares the clocks of two hosts: a holder whose clock is minutes ahead would be missed
    for minutes after its death. Here only our own clock counts, from when the lease last changed.
    """

    name: str
    _seen: tuple[str, datetime] | None = None
    _since: datetime | None = None

    def take_over(self, *, holder: str, seconds: float, now: datetime) -> bool:
        """Take the lease if it has stood still for twice `seconds`; True if we have it now."""
        found = Lease.objects.filter(name=self.name).values_list("holder", "until").first()
        if found != self._seen or self._since is None:
            self._seen, self._since = found, now
            return False
        if found is None or now - self._since <= timedelta(seconds=2 * seconds):
            return False
        self._since = now
        still = Lease.objects.filter(name=self.name, holder=found[0], until=found[1])
        return bool(still.update(holder=holder, until=now + timedelta(seconds=seconds)))
