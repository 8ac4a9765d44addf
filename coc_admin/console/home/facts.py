"""The facts behind the headline of the home page; each is read only if the headline uses it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from coc_admin import set_up
from coc_admin.accounts.site_access import SiteAccess
from coc_admin.console.frame import Frame
from coc_admin.console.home.parts import NO_SUMS, Facts
from orders.desk.shortages import Sums, sums_of
from orders.first_shortage import EVER_SHORT
from orders.models import CustomerMessage, HandOver, Order
from orders.models.orders import UNSETTLED
from orders.offline_limits import Acceptance
from reconciliation import connection
from reconciliation.models import CallKind, ConnectionState, EntryState, Outage, RunEntry
from reconciliation.outages.demand import JUST_BEFORE, refused_during, with_outage
from reconciliation.outages.figures import Ends, ends_of
from reconciliation.runs.status import LastRun, Status
from reconciliation.stock_mirror import age

_ON_ITS_WAY = (HandOver.PENDING, HandOver.SENT)
_SENT = Q(email__in=_ON_ITS_WAY) | Q(webhook__in=_ON_ITS_WAY) | Q(email=HandOver.NONE, webhook="")


def facts_of(frame: Frame, run: LastRun | None, *, now: datetime) -> Facts:
    """Return what the headline needs of the reader's sites; `run` is the active one."""
    status, access = frame.status, frame.access
    # A shop with orders has everything it needs.
    missing = () if _has_worked(status) else set_up.missing()
    return Facts(
        status=status,
        banner=frame.banner,
        run=run,
        has_sites=bool(access.sites),
        missing=missing,
        run_short=_short_of(run, access) if run is not None and run.short else NO_SUMS,
        **_short(status, access),
        **_refused(frame),
        **_quiet(status, access, now),
    )


def _short(status: Status, access: SiteAccess) -> dict[str, Any]:
    if not status.oversold:
        return {"short": NO_SUMS, "oldest_short": None}
    orders = access.orders(Order.objects.oversold())
    oldest = with_outage(orders).values("captured_at", "lost_at").first() or {}
    return {
        "short": sums_of(orders, number=status.oversold),
        "oldest_short": oldest.get("captured_at"),
        **_notified(access, oldest.get("lost_at"), still_open=status.oversold),
    }


def _notified(access: SiteAccess, lost_at: datetime | None, *, still_open: int) -> dict[str, int]:
    """Return how many orders were short, and the customers of how many of them were told.

    These are the open ones, and those of the outages from `lost_at` on that people have settled. A
    message that waits, or reached nobody, does not count. The second query begins with the
    messages, which are few.
    """
    short, settled = UNSETTLED, 0
    if lost_at is not None:
        since = Q(captured_at__gte=lost_at - JUST_BEFORE)
        ever = Q(captured_offline=True) & EVER_SHORT
        short = since & (UNSETTLED | ever)
        numbers = access.orders(Order.objects.filter(since, ever)).aggregate(
            all=Count("pk"), open=Count("pk", filter=UNSETTLED)
        )
        settled = numbers["all"] - numbers["open"]
    sent = CustomerMessage.objects.filter(_SENT).values("order")
    told = access.orders(Order.objects.filter(short, pk__in=sent)).order_by().count()
    return {"were_short": still_open + settled, "told": told}


def _short_of(run: LastRun, access: SiteAccess) -> Sums:
    """Return what a run has left short so far."""
    left = RunEntry.objects.filter(
        run=run.run.pk, state__in=[EntryState.PARTIAL, EntryState.NOTHING]
    )
    orders = access.orders(Order.objects.oversold().order_by())
    return sums_of(orders.filter(pk__in=left.order_by().values("order")), number=run.short)


def _refused(frame: Frame) -> dict[str, Any]:
    outage = frame.status.outage
    if frame.banner is None or outage is None:
        return {}
    full = [
        one.site_id
        for one in frame.limits
        # Without stock there is no limit to raise.
        if one.acceptance == Acceptance.REFUSED and one.why != "noStock"
    ]
    if not full:
        return {}
    refused = refused_during(outage, site_ids=frame.access.site_ids)
    return {"refusing_site": full[0], "refused": refused}


def _quiet(status: Status, access: SiteAccess, now: datetime) -> dict[str, Any]:
    work = status.oversold or status.review or status.waiting.orders
    if work or status.connection != ConnectionState.ONLINE or not access.sites:
        return {}
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    ages = age.of_sites([site.pk for site in access.shown_sites], now)
    calls = connection.healths()[CallKind.RESERVE]
    return {
        "today": access.orders(Order.objects.filter(captured_at__gte=midnight)).count(),
        "latency_ms": calls.p95_ms,
        "ends": _ends(access),
        "stock_seconds": max(one.p95.total_seconds() for one in ages) if ages else None,
    }


def _ends(access: SiteAccess) -> Ends | None:
    outage = Outage.objects.order_by("-lost_at").first()
    return None if outage is None else ends_of(outage, site_ids=access.site_ids)


def _has_worked(status: Status) -> bool:
    """Whether there have been orders; queries only if no other fact shows it."""
    return bool(status.last_run or status.waiting.orders) or Order.objects.exists()
