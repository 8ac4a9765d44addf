"""One factory a thing for tests: site, list, stock, order, run, outage, person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model, Q
from django.test import Client

from coc_admin.models import Profile
from orders import ledger, outcomes
from orders.actors import Actor, api_client, job
from orders.capture import Claim, capture_order
from orders.ledger import Figure
from orders.models import (
    CaptureTrace,
    Hold,
    InventoryList,
    InventoryRecord,
    Movement,
    Order,
    OrderEvent,
    OrderItem,
    OrderPayload,
    Site,
)
from orders.payload import meaning_hash, parse_order
from orders.permitted_lists import permit_only
from reconciliation.models import (
    Batch,
    BatchState,
    ConnectionChange,
    ConnectionState,
    EntryState,
    OfflineCause,
    Outage,
    Run,
    RunEntry,
    RunState,
    Trigger,
)
from tests.orders.payloads import raw_order

START = datetime(2026, 2, 2, 12, tzinfo=UTC)
SHOP = api_client("storefront")
WORKER = job("w")

Units = int | float | str | Decimal


@dataclass
class Clock:
    """A clock that goes only when it is told to; `go` is a pause that takes no time."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def make_site(
    site_id: str = "shop",
    *,
    list_id: str = "web",
    stock: Mapping[str, Units] | None = None,
    at: datetime = START,
    list_fields: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Site:
    """Create a site and, unless it exists, its list with a first figure of each SKU.

    Short orders keep no place in the queue unless a test says so: most look at one order alone.
    """
    fields = {"keeps_promises": False, **fields}
    list_, _ = InventoryList.objects.get_or_create(pk=list_id, defaults=list_fields)
    know_stock(stock or {}, list_id=list_id, at=at)
    site = Site.objects.create(pk=site_id, inventory_list=list_, **fields)
    site.refresh_from_db()
    return site


def permit_lists(site: Site, *list_ids: str) -> None:
    """Let a site sell from these lists beside its own, and from no others."""
    permit_only(site, InventoryList.objects.filter(pk__in=list_ids))


def know_stock(
    stock: Mapping[str, Units], *, list_id: str = "web", at: datetime = START, safety: Units = 0
) -> None:
    """Bring a figure of each SKU into the ledger, as a snapshot asked for at `at`."""
    figures = [
        Figure(list_id, sku, Decimal(str(units)), Decimal(str(safety)))
        for sku, units in stock.items()
    ]
    ledger.apply_snapshot(figures=figures, taken_at=at, lag=timedelta(seconds=3), now=at)


def capture(
    site: Site,
    order_no: str,
    items: list[tuple[str, float]],
    *,
    at: datetime = START,
    claim: Claim | None = None,
    **members: Any,
) -> Order:
    """Capture an order: offline, or with a `claim` for whoever reserves it live."""
    return capture_raw(site, raw_order(order_no, items, **members), at=at, claim=claim)


def capture_raw(
    site: Site,
    raw: bytes,
    *,
    at: datetime = START,
    claim: Claim | None = None,
    offline_since: datetime | None = None,
) -> Order:
    """Capture the order that `raw` describes."""
    return capture_order(
        placed=parse_order(raw, site=site),
        site=site,
        offline_since=offline_since,
        offline_reason="" if claim else "The connection to OCI is offline.",
        claim=claim,
        actor=SHOP,
        now=at,
    ).order


def change_currency(order: Order, currency: str) -> None:
    """Let an order say, wherever it is written down, that it was placed in `currency`."""
    payload = OrderPayload.objects.get(order=order)
    body = json.dumps(json.loads(payload.body) | {"currency": currency})
    digest = meaning_hash(body.encode())
    OrderPayload.objects.filter(pk=payload.pk).update(body=body)
    Order.objects.filter(pk=order.pk).update(currency=currency, payload_hash=digest)
    CaptureTrace.objects.filter(pk=order.pk).update(currency=currency, payload_hash=digest)


def settle(
    order: Order,
    reserved: Mapping[int, Decimal],
    *,
    now: datetime,
    holder: str = "w",
    actor: Actor = WORKER,
    reason: str = "OCI answered.",
) -> Order | None:
    """Let OCI have these units for the items of an order that `holder` has claimed."""
    return outcomes.settle(
        order_id=order.pk, holder=holder, reserved=reserved, actor=actor, reason=reason, now=now
    )


def everything(*more: type[Model]) -> list[Any]:
    """Return all rows of orders and their stock, and those of `more` tables."""
    models: tuple[Any, ...] = (Order, OrderItem, OrderEvent, Hold, InventoryRecord, Movement, *more)
    return [list(model.objects.order_by("pk").values()) for model in models]


# Runs and outages


def make_run(*, state: RunState = RunState.SHORTAGES, minutes_ago: int = 10) -> Run:
    """Create a run, ended unless its state is an active one."""
    active = state in (RunState.QUEUED, RunState.RUNNING)
    at = START - timedelta(minutes=minutes_ago)
    return Run.objects.create(
        trigger=Trigger.RECOVERY,
        actor="monitor",
        state=state,
        created_at=at,
        started_at=at,
        finished_at=None if active else at + timedelta(seconds=95),
        is_active=active,
    )


def enter(run: Run, order: Order, state: EntryState) -> RunEntry:
    """Put an order into a run with an outcome."""
    batch, _ = Batch.objects.get_or_create(
        run=run, lane=0, sequence=0, defaults={"state": BatchState.DONE}
    )
    return RunEntry.objects.create(
        run=run, batch=batch, order=order, position=run.entries.count(), state=state
    )


def make_outage(run: Run | None = None, *, minutes_ago: int = 70, over: bool = True) -> Outage:
    """Create an outage with its history: lost, detected after 3 s, back and drained at last.

    It ends 8 minutes before START, after `run`, or goes on.
    """
    lost_at = START - timedelta(minutes=minutes_ago)
    recovered_at, drained_at = START - timedelta(minutes=10), START - timedelta(minutes=8)
    outage = Outage.objects.create(
        is_open=not over,
        cause=OfflineCause.UNREACHABLE,
        reason="OCI has left 3 or more calls in a row without an answer.",
        lost_at=lost_at,
        detected_at=lost_at + timedelta(seconds=3),
        recovered_at=recovered_at if over else None,
        drained_at=drained_at if over else None,
    )
    online, offline = ConnectionState.ONLINE, ConnectionState.OFFLINE
    steps = [(outage.detected_at, online, offline, outage.reason)]
    if over:
        recovering = ConnectionState.RECOVERING
        steps += [
            (recovered_at, offline, recovering, "OCI answers again."),
            (drained_at, recovering, online, "Nothing waits for a reservation any more."),
        ]
    for at, old, new, reason in steps:
        ConnectionChange.objects.create(
            at=at, outage=outage, old_state=old, new_state=new, actor="connection", reason=reason
        )
    if run is not None:
        Run.objects.filter(pk=run.pk).update(outage=outage)
    return outage


# People


def make_user(name: str, *permissions: str) -> User:
    """Create a person with exactly these permissions; the password is `a long password`."""
    user = User.objects.create_user(name, password="a long password")
    wanted = Q()
    for permission in permissions:
        app, codename = permission.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = Permission.objects.filter(wanted) if permissions else []
    assert len(found) == len(set(permissions))
    user.user_permissions.add(*found)
    return user


def make_person(role: str, name: str, *, sites: list[Site] | None = None) -> User:
    """Create a person with one of the roles ("" for none)."""
    user = User.objects.create_user(name, password="a long password")
    if role:
        user.groups.add(Group.objects.get(name=role))
    if sites is not None:
        Profile.objects.create(user=user, every_site=False).sites.set(sites)
    return user


def browser_of(user: User, **options: Any) -> Client:
    """Return a browser in which a person is signed in."""
    client = Client(**options)
    client.force_login(user)
    return client


def limit_to(name: str, *sites: str) -> None:
    """Let a person see these sites alone."""
    profile, _ = Profile.objects.update_or_create(
        user=User.objects.get(username=name), defaults={"every_site": False}
    )
    profile.sites.set(Site.objects.filter(pk__in=sites))
